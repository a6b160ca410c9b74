"""The id of an instruction at banks: 35 capital letters and digits.

It says which instruction of which plan it is, in letters that every bank's system keeps:

    MSDZ67LLSYFADEEXMLMRDIZ 0000000004 17
    plan, 23 of base 32     number     check digits (without the spaces)

A payment of several instructions has a number of its own, from 5,000,000,000 on, which no
instruction has.

Source: ISO 20022, Max35Text; ISO/IEC 7064, MOD 97-10.
"""

import re
from base64 import b32encode
from collections.abc import Iterable, Mapping
from typing import Final

from registry.canonical import b64url_decode
from registry.errors import InvariantBrokenError, MalformedError
from registry.ids import NUMBER_MAX, Sid

JOINT_FROM: Final = 5_000_000_000
"""Numbers from here on name payments of several instructions of a plan."""

_PLAN_LENGTH: Final = 23
_INSTRUCTION: Final = re.compile(r"([A-Z2-7]{23})([0-9]{10})([0-9]{2})")


def plan_reference(plan: Sid) -> str:
    """Returns the 23 characters that name a plan at banks: 115 bits of its id."""
    return b32encode(b64url_decode(plan, what="plan", length=32)).decode()[:_PLAN_LENGTH]


def joint_number(payment: int) -> int:
    """Returns the number that a payment of several instructions has at banks."""
    return JOINT_FROM + payment


def instruction_id(plan: Sid, n: int) -> str:
    """Returns the id of an instruction, or of a joint payment, at banks: 35 capitals and digits.

    Raises:
        InvariantBrokenError: The number is none (caller bug).
    """
    if not _is_number(n):
        raise InvariantBrokenError(f"{n} numbers no instruction")
    stem = f"{plan_reference(plan)}{n:010}"
    return f"{stem}{98 - _remainder(stem + '00'):02}"


def parse_instruction_id(text: str) -> tuple[str, int]:
    """Parses an id into the reference of its plan and the number, of an instruction or joint.

    Raises:
        MalformedError: It is none of ours, or was changed on its way.
    """
    match = _INSTRUCTION.fullmatch(text)
    if match is None or not _is_number(int(match[2])) or _remainder(text) != 1:
        raise MalformedError(what="instruction id", reason=f"{text!r} is none of ours")
    return match[1], int(match[2])


def index_plans(plans: Iterable[Sid]) -> dict[str, Sid]:
    """Returns plans by their reference.

    Raises:
        InvariantBrokenError: Two plans have one reference.
    """
    found: dict[str, Sid] = {}
    for plan in plans:
        if found.setdefault(plan_reference(plan), plan) != plan:
            raise InvariantBrokenError(f"plan {plan} has the reference of another")
    return found


def find_instruction(text: str, plans: Mapping[str, Sid]) -> tuple[Sid, int] | None:
    """Finds the plan and number that an id names, among plans by reference; or nothing."""
    try:
        reference, n = parse_instruction_id(text)
    except MalformedError:
        return None
    plan = plans.get(reference)
    return None if plan is None else (plan, n)


def _is_number(n: int) -> bool:
    """Tells whether an instruction or a joint payment may have a number."""
    return 0 <= n <= NUMBER_MAX or 0 <= n - JOINT_FROM <= NUMBER_MAX


def _remainder(text: str) -> int:
    """Returns a text modulo 97, letters read as 10 to 35."""
    return int("".join(str(int(character, 36)) for character in text)) % 97
