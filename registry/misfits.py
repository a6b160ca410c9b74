"""What is wrong with a statement's header or body, and what would be right in each place.

A clerk's program that is told one thing at a time signs a body once for each.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from registry.canonical import parse_object
from registry.errors import HeaderMismatchError, MalformedError, Misfit

MISFITS_MAX: Final = 10
"""How many are told; a body of 16 KiB can have thousands."""
TOLD_MAX: Final = 64
"""Characters of what was sent that are sent back."""

_SIMPLE: Final = {
    "string": "a text",
    "integer": "a whole number",
    "boolean": "true or false",
    "null": "null",
}


def header_mismatch(kind: str, kid: str, *, found: bytes, expected: bytes) -> HeaderMismatchError:
    """Returns the refusal of a header: about its first member that differs."""
    stated, right = (parse_object(each, what="header") for each in (found, expected))
    name = next(name for name in right if stated.get(name) != right[name])
    said = str(stated.get(name))[:TOLD_MAX]
    return HeaderMismatchError(
        kind=kind, kid=kid, member=name, found=said, expected=str(right[name])
    )


def malformed(model: type[BaseModel], error: ValidationError) -> MalformedError:
    """Returns the refusal of a body: about the first misfit, with the others beside it."""
    count, found = error.error_count(), error.errors(include_url=False, include_input=False)
    misfits = tuple(_misfit(model, each["type"], each) for each in found[:MISFITS_MAX])
    where = "/".join(str(part) for part in ("body", *found[0]["loc"]))
    return MalformedError(misfits=misfits, more=count - 1, what=where, reason=misfits[0].reason)


def _misfit(model: type[BaseModel], kind: str, error: Mapping[str, Any]) -> Misfit:
    """Returns one misfit."""
    place: tuple[str | int, ...] = error["loc"]
    # A member that is not known has no form; the object that it stands in has.
    form = _form(_schema(model), place[:-1] if kind == "extra_forbidden" else place)
    return Misfit(
        place=("body", *map(str, place)),
        reason=str(error["msg"]).removeprefix("Value error, "),
        expected=" or ".join(dict.fromkeys(_describe(_schema(model), form))),
    )


@lru_cache(maxsize=256)
def _schema(model: type[BaseModel]) -> Mapping[str, Any]:
    """Returns a model's JSON schema."""
    return model.model_json_schema()


def _form(schema: Mapping[str, Any], place: Sequence[str | int]) -> Mapping[str, Any]:
    """Returns what a schema asks for in a place; nothing where it asks for nothing."""
    form: Mapping[str, Any] = schema
    for part in place:
        options = [_resolved(schema, each) for each in _options(schema, form)]
        inner = (
            each.get("items", {}) if isinstance(part, int) else each.get("properties", {}).get(part)
            for each in options
        )
        form = next(filter(None, inner), {})
    return form


def _options(schema: Mapping[str, Any], form: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Returns the forms among which a value may choose."""
    resolved = _resolved(schema, form)
    options: Sequence[Mapping[str, Any]] = resolved.get("anyOf") or resolved.get("oneOf") or ()
    return options or (resolved,)


def _resolved(schema: Mapping[str, Any], form: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns a form, or the one that it refers to."""
    if "$ref" not in form:
        return form
    named: Mapping[str, Any] = schema["$defs"][str(form["$ref"]).rpartition("/")[2]]
    return named


def _describe(schema: Mapping[str, Any], form: Mapping[str, Any]) -> Iterator[str]:
    """Yields what would be right, in words, for each form that a value may have."""
    for option in _options(schema, form):
        each = _resolved(schema, option)
        if "enum" in each:
            yield " or ".join(map(str, each["enum"]))
        elif "const" in each:
            yield "true" if each["const"] is True else str(each["const"])
        elif "examples" in each:
            yield f'a text such as "{each["examples"][0]}"'
        elif each.get("type") == "object":
            members = ", ".join(each.get("properties", ()))
            yield f"an object of {members}" if members else "an object without members"
        elif each.get("type") == "array":
            inner = " or ".join(_describe(schema, each.get("items", {})))
            yield f"a list, each {inner}" if inner else "a list"
        elif each.get("type") in _SIMPLE and each["type"] != "null":
            yield _SIMPLE[each["type"]]
