"""The operator's clearing day: plan what is due, count what banks said, close what is left.

Each step follows from what the registry has by then, so that a day that was interrupted goes
on where it was: the same command is given again.
"""

from collections import Counter
from typing import Annotated, Any

import typer

from api.bank_words import STEPS
from api.cli.common import AsJson, KeyFile, print_json, talk, told
from api.cli.connect import LogKey, Party, ReadKey, Url, open_client, refused
from api.cli.outcome import tell_effects
from api.client import Client, RefusedError
from api.words import said
from registry.money import format_yuan

DueOn = Annotated[str, typer.Argument(help="The due date, YYYY-MM-DD.")]
Close = Annotated[bool, typer.Option("--close", help="End the day: what has not left expires.")]


def run(
    due_on: DueOn,
    url: Url,
    party: Party,
    key: KeyFile,
    read_key: ReadKey,
    log_key: LogKey,
    close: Close = False,
    as_json: AsJson = False,
) -> None:
    """Plans what is due on a date, or goes on with it; tells where it is; --close ends the day."""
    with told(), open_client(url, log_key, party=party, key=key, read_key=read_key) as client:
        try:
            day = _Day(client, party, due_on)
            plan = day.plan_or_go_on()
            if plan is None:
                talk.print(f"nothing that is due on {due_on} can be paid now  该到期日暂无可兑付")
                return
            if close:
                day.close(plan)
            found = day.status(plan)
        except RefusedError as error:
            raise refused(error) from None
    if as_json:
        print_json(found)
        return
    print(plan)
    for status, (count, amount) in sorted(found["by_status"].items()):
        talk.print(f"  {said(STEPS, status)}: {count}, {format_yuan(int(amount))}")


class _Day:
    """One due date, as its operator sees it."""

    def __init__(self, client: Client, party: str, due_on: str) -> None:
        """Looks at nothing yet."""
        self._client, self._party, self._due_on = client, party, due_on

    def plan_or_go_on(self) -> str | None:
        """Returns the plan that is under way, adopted now if there is none.

        If nothing can be planned it is the newest that the date has had; None without any.
        """
        runs = sorted(self._runs(), key=lambda run: str(run["pay_on"]))
        for each in runs:
            if each["status"] == "planned":
                return str(each["plan"])
        path = f"/v1/clearing/proposals/{self._due_on}"
        try:
            body = self._client.get(path, by=self._party)
        except RefusedError as error:
            if error.code != "not-found":
                raise
            return str(runs[-1]["plan"]) if runs else None
        return self._say("clearing.plan", body)

    def close(self, plan: str) -> None:
        """Ends the day, if it is not over."""
        if self.status(plan)["status"] == "planned":
            body = self._client.get(f"/v1/clearing/runs/{plan}/close", by=self._party)
            self._say("clearing.close", body, re=plan)

    def status(self, plan: str) -> dict[str, Any]:
        """Returns how many instructions are where, and what they move."""
        found = self._client.get(f"/v1/clearing/runs/{plan}/status", by=self._party)
        counts: Counter[str] = Counter()
        sums: Counter[str] = Counter()
        for row in found["statuses"]:
            counts[row["status"]] += row["instructions"]
            sums[row["status"]] += int(row["amount"])
        by_status = {name: [counts[name], str(sums[name])] for name in counts}
        return {"plan": plan, "status": found["status"], "by_status": by_status}

    def _runs(self) -> list[dict[str, Any]]:
        """Returns the runs of the due date."""
        return list(self._client.pages("/v1/clearing/runs", by=self._party, due_on=self._due_on))

    def _say(self, kind: str, body: dict[str, Any], *, re: str | None = None) -> str:
        """Signs and sends a statement, and tells what came of it."""
        text = self._client.sign(kind, by=self._party, body=body, re=re)
        result = self._client.submit(text)
        tell_effects(self._client, self._party, kind, result)
        return str(result.sid)


COMMANDS = (("clearing", "run", run),)
