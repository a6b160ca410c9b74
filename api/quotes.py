"""A financier's figures, read and computed again by whoever is to sign them.

The log has a quote by its digest alone. The opening comes from beside the log, and nothing in
it is believed: it must open the digest, follow from itself, and be about this amount.
"""

from typing import Any
from urllib.parse import quote as quoted_path

from api.client import Client
from registry.canonical import b64url_decode, salted_digest
from registry.errors import MalformedError, ProofFailedError
from registry.pricing import Quote, verify_terms


def read_quote(client: Client, financing: str, *, by: str) -> tuple[dict[str, Any], Quote]:
    """Returns the terms quoted for a financing, and the figures that follow from them.

    Raises:
        RefusedError: There is no such financing or opening, or not for this party.
        MalformedError: Nothing is quoted yet; or the terms are no quote.
        ProofFailedError: The opening is another's, or is about another amount.
        QuoteDiffersError: A figure does not follow from the others.
    """
    row = client.get(f"/v1/financings/{quoted_path(financing, safe='')}", by=by)
    if "terms" not in row:
        raise MalformedError(what="financing", reason="nothing is quoted yet")
    opening = client.get(f"/v1/openings/{row['terms']}", by=by, statement=row["quote"])
    salt = b64url_decode(opening["salt"], what="salt", length=16)
    if salted_digest(salt, opening["terms"]) != row["terms"]:
        raise ProofFailedError(reason="the opening does not open the quote's digest")
    told = verify_terms(opening["terms"])
    if told.face != int(row["amount"]):
        raise ProofFailedError(reason=f"quoted for {told.face} minor, asked for {row['amount']}")
    return opening["terms"], told
