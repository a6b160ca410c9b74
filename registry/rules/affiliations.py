"""Affiliation: which legal persons belong together, by the registrar's explicit word.

A pair is declared with its basis and evidence, and ends the same way; nothing is inferred
from names. Either side may be somebody who takes no part here, so that two subsidiaries
meet in a parent that is no party. Groups follow from the pairs (`registry.affiliates`).

Source: SD-35, EL-22, FR-05.
"""

from enum import StrEnum
from typing import Annotated

from registry.effects import Effect, Seal
from registry.errors import InvariantBrokenError, MalformedError
from registry.fields import LENIENT, FileRef, PartyField
from registry.ids import PartyId, Sid, is_vehicle
from registry.model import Role
from registry.people import AFFILIATIONS, Affiliation
from registry.people_refusals import AlreadyAffiliatedError
from registry.statements import Body, Kind, Now, Statement
from registry.tables import MutableRows, ReadPlan, Rows, where


class AffiliationBasis(StrEnum):
    """Why two legal persons belong together (关联关系)."""

    CONTROL = "control"
    COMMON_CONTROL = "common-control"
    SIGNIFICANT_INFLUENCE = "significant-influence"
    KEY_PERSONS = "key-persons"
    OTHER = "other"


class AffiliationDeclare(Body):
    """The registrar's word that two legal persons belong together."""

    first: PartyField
    second: PartyField
    basis: Annotated[AffiliationBasis, LENIENT]
    evidence: FileRef


class AffiliationEnd(Body):
    """The registrar's word that they no longer do."""

    evidence: FileRef


class AffiliationDeclared(Effect, frozen=True, kw_only=True):
    """Two legal persons belong together."""

    affiliation: Sid
    first: PartyId
    second: PartyId
    basis: str
    evidence: str

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Writes the pair; no bucket is touched, for either may be no party here."""
        row = Affiliation(
            affiliation=self.affiliation,
            first=self.first,
            second=self.second,
            basis=self.basis,
            evidence=self.evidence,
        )
        state.put(AFFILIATIONS, row)


class AffiliationEnded(Effect, frozen=True, kw_only=True):
    """Two legal persons no longer belong together by this declaration."""

    affiliation: Sid
    first: PartyId
    second: PartyId
    evidence: str

    def fold(self, state: MutableRows, seal: Seal) -> None:
        """Deletes the pair."""
        state.delete(AFFILIATIONS, self.affiliation)


def reads_affiliation_declare(statement: Statement[AffiliationDeclare], _now: Now) -> ReadPlan:
    """Asks for the pairs of the first of the two."""
    yield from where(AFFILIATIONS, "first", statement.body.first)


def decide_affiliation_declare(
    state: Rows, statement: Statement[AffiliationDeclare], _now: Now
) -> tuple[Effect, ...]:
    """Declares that two legal persons belong together.

    Raises:
        MalformedError: They do not stand in the order of their identifiers, or one is a
            trust vehicle, which belongs to nobody.
        AlreadyAffiliatedError: They belong together already.
    """
    body = statement.body
    if body.first >= body.second:
        raise MalformedError(what="second", reason="does not come after first")
    if is_vehicle(body.first) or is_vehicle(body.second):
        raise MalformedError(what="first", reason="a trust vehicle is nobody's affiliate")
    for pair in state.where(AFFILIATIONS, "first", body.first):
        if pair.second == body.second:
            raise AlreadyAffiliatedError(
                first=pair.first, second=pair.second, affiliation=pair.affiliation
            )
    declared = AffiliationDeclared(
        affiliation=statement.sid,
        first=body.first,
        second=body.second,
        basis=body.basis,
        evidence=body.evidence.digest,
    )
    return (declared,)


def decide_affiliation_end(
    state: Rows, statement: Statement[AffiliationEnd], _now: Now
) -> tuple[Effect, ...]:
    """Ends a declared affiliation."""
    pair = state.get(AFFILIATIONS, statement.re or "")
    if pair is None:
        raise InvariantBrokenError("the answer was not checked")
    ended = AffiliationEnded(
        affiliation=pair.affiliation,
        first=pair.first,
        second=pair.second,
        evidence=statement.body.evidence.digest,
    )
    return (ended,)


KINDS = (
    Kind(
        name="affiliation.declare",
        body=AffiliationDeclare,
        signers=frozenset({Role.REGISTRAR}),
        relation="the registrar",
        reads=reads_affiliation_declare,
        decide=decide_affiliation_declare,
    ),
    Kind(
        name="affiliation.end",
        body=AffiliationEnd,
        signers=frozenset({Role.REGISTRAR}),
        relation="the registrar",
        answers={"affiliation.declare": AFFILIATIONS},
        decide=decide_affiliation_end,
    ),
)
