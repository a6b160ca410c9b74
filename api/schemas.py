"""OpenAPI: the schemas of statements, derived from the table of kinds."""

from collections.abc import Iterable
from typing import Any, Final

from pydantic.json_schema import models_json_schema

from registry.people import WaitEnd
from registry.statements import Kind

_REF: Final = "#/components/schemas/{model}"

_TEXT: Final = {"type": "string"}
_SID: Final = {"type": "string", "pattern": "^[A-Za-z0-9_-]{43}$"}
_SECONDS: Final = {"type": "integer", "minimum": 0}

PROBLEM: Final = {
    "type": "object",
    "description": "RFC 9457; docs/problems.md has a section for every code.",
    "required": ["type", "title", "status", "instance", "code", "retryable"],
    "properties": {
        "type": _TEXT,
        "title": _TEXT,
        "status": {"type": "integer"},
        "detail": _TEXT,
        "instance": _TEXT,
        "code": _TEXT,
        "retryable": {"type": "boolean"},
        "facts": {"type": "object"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["detail"],
                "properties": {
                    "pointer": _TEXT,
                    "parameter": _TEXT,
                    "detail": _TEXT,
                    "expected": _TEXT,
                },
            },
        },
    },
}
RESULT: Final = {
    "type": "object",
    "description": "Where a statement stands in the log, and what it has changed.",
    "required": ["sid", "index", "time", "leaf_hash", "effects"],
    "properties": {
        "sid": _SID,
        "index": {"type": "integer", "minimum": 0},
        "time": {"type": "integer", "description": "Milliseconds since 1970."},
        "leaf_hash": _SID,
        "effects": {"type": "object"},
        "approval": {
            "type": "object",
            "description": "How the approval stands of a statement that its party's rules hold.",
            "required": ["status"],
            "properties": {
                "status": {"enum": ["pending", *(end.value for end in WaitEnd)]},
                "index": {"type": "integer", "minimum": 0},
            },
        },
        "receipt": {
            "type": "object",
            "required": ["checkpoint", "index", "leaf_hash", "path"],
            "properties": {
                "checkpoint": _TEXT,
                "index": {"type": "integer", "minimum": 0},
                "leaf_hash": _SID,
                "path": {"type": "array", "items": _SID},
            },
        },
    },
}


_WAIT: Final = {
    "in": "query",
    "name": "wait",
    "required": False,
    "description": "Answer once a signed checkpoint covers the entry, with its receipt.",
    "schema": {"type": "string", "const": "checkpoint"},
}
_SIGNATURE: Final = {
    "in": "header",
    "name": "JWS-Signature",
    "required": True,
    "description": "`header..signature`, RFC 7515 appendix F.",
    "schema": _TEXT,
}


def envelope_of(kind: Kind[Any]) -> dict[str, Any]:
    """Returns the OpenAPI of a request: a statement's payload as its body, and its parameters."""
    envelope = {
        "type": "object",
        "title": f"payload of {kind.name}",
        "description": "Canonical JSON (RFC 8785), byte for byte as signed.",
        "additionalProperties": False,
        "required": ["aud", "body", "by", "exp", "iat", "id", *(["re"] if kind.answers else [])],
        "properties": {
            "aud": {**_TEXT, "description": "The log's name."},
            "body": {"$ref": _REF.format(model=kind.body.__name__)},
            "by": {**_TEXT, "description": "The party for which the key signs."},
            "exp": {**_SECONDS, "description": "At most 86,400 after iat."},
            "iat": _SECONDS,
            "id": {"type": "string", "format": "uuid", "description": "UUID version 7 of iat."},
            "re": {**_SID, "description": " or ".join(kind.answers) or "Answers nothing."},
            "seen": {
                "type": "object",
                "description": "A checkpoint that the signer has verified.",
                "required": ["root", "size"],
                "properties": {"root": _SID, "size": {"type": "integer", "minimum": 1}},
            },
        },
    }
    return {
        "parameters": [_WAIT, _SIGNATURE],
        "requestBody": {"required": True, "content": {"application/json": {"schema": envelope}}},
    }


def complete(document: dict[str, Any], kinds: Iterable[Kind[Any]]) -> dict[str, Any]:
    """Adds the schemas of bodies, results and problems to a document of FastAPI's.

    Each operation gets the problem as its default answer, in the place of FastAPI's own 422.
    """
    models = sorted({kind.body for kind in kinds}, key=lambda model: model.__name__)
    _, definitions = models_json_schema(
        [(model, "validation") for model in models], ref_template=_REF
    )
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas.update(definitions.get("$defs", {}))
    schemas.update(Problem=PROBLEM, Result=RESULT)
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    problem = {
        "description": "A problem",
        "content": {"application/problem+json": {"schema": {"$ref": _REF.format(model="Problem")}}},
    }
    result = {"application/json": {"schema": {"$ref": _REF.format(model="Result")}}}
    for path in document["paths"].values():
        for operation in path.values():
            operation["responses"].pop("422", None)
            operation["responses"]["default"] = problem
            if operation["operationId"].startswith("write:"):
                operation["responses"]["201"] = {"description": "Sealed", "content": result}
                operation["responses"]["200"] = {"description": "Sealed before", "content": result}
    return document
