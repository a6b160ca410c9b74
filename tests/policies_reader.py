"""The second reader's folds of policies, calendars and silence."""

from typing import Any, Protocol


class Folding(Protocol):
    """What these folds need of the reader."""

    rows: dict[str, dict[tuple[Any, ...], dict[str, Any]]]

    def put(self, table: str, **row: Any) -> None: ...
    def get(self, table: str, *key: Any) -> dict[str, Any]: ...
    def change(self, table: str, *key: Any, **members: Any) -> None: ...


class PolicyFolds:
    """Folds as the section "What each effect does to the rows" says."""

    def policy_published(self: Folding, **policy: Any) -> None:
        self.put("policy", **policy)

    def policy_took_effect(self: Folding, policy: str, replaces: str) -> None:
        assert self.get("ledger", "ledger")["policy"] == replaces
        self.change("ledger", "ledger", policy=policy)

    def calendar_published(self: Folding, **calendar: Any) -> None:
        self.put("calendar", **calendar)

    def voucher_silence_begun(self: Folding, voucher: str, consent: str, until: int) -> None:
        self.change("voucher", voucher, consent=consent, silent_at=until)

    def voucher_silence_ended(self: Folding, voucher: str, **_: Any) -> None:
        self.change("voucher", voucher, consent=None, silent_at=None)

    def offer_silence_begun(self: Folding, offer: str, consent: str, until: int) -> None:
        self.change("offer", offer, consent=consent, silent_at=until)

    def offer_silence_ended(self: Folding, offer: str, **_: Any) -> None:
        if (offer,) in self.rows["offer"]:
            self.change("offer", offer, consent=None, silent_at=None)

    def offer_closed(self: Folding, offer: str, lot: str, **_: Any) -> None:
        del self.rows["offer"][offer,]
        self.change("lot", lot, status="free")
