"""What the page of a rehearsal shows: the result in words, account by account, beside the real run if there was one."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.utils.translation import gettext_lazy as _

from technicians.models import Rehearsal
from technicians.rehearsal_plans import (
    Difference,
    differences,
    needs_a_person,
    reasons,
    short,
    states_of,
    still_under_way,
    verdict,
)
from technicians.rehearsal_queries import outcome_of, run_after
from tenants.models import Run
from tenants.plans import RunState, StepKind, StepState

NOT_TRIED = {
    "": "",
    "nobody": _("not tried: no authenticator of anybody is known"),
    "disabled": _("not tried: the account is disabled, so nobody gets in"),
    "gone": _("not tried: the account is not there"),
    "guided": _("not tried: no directory answers there"),
}
"""Why nobody tried to sign in, in words."""


@dataclass(frozen=True)
class StepLine:
    """One step in words: what it is, how it ended ("verified"), and the state itself for its colour."""

    kind: str
    ended: str
    state: str


@dataclass(frozen=True)
class AccountLine:
    """One account of the rehearsal; `needs` are the reasons why a person is needed there."""

    id: str
    account: str
    tenant: str
    steps: list[StepLine]
    needs: list[str]
    needs_a_person: bool
    still_in: list[str]
    kept_out: list[str]
    not_tried: str


@dataclass(frozen=True)
class RehearsalPage:
    """One rehearsal as its page shows it. Without a result only the row speaks."""

    rehearsal: Rehearsal

    @property
    def result(self) -> dict[str, Any]:
        found: dict[str, Any] = self.rehearsal.result
        return found

    @property
    def has_result(self) -> bool:
        return self.rehearsal.status == Rehearsal.Status.FINISHED

    @property
    def is_under_way(self) -> bool:
        return self.rehearsal.status in (Rehearsal.Status.WAITING, Rehearsal.Status.RUNNING)

    @property
    def verdict(self) -> str:
        return verdict(self.result)

    @property
    def is_clean(self) -> bool:
        return bool(self.result["run"]["state"] == RunState.CLEAN)

    @property
    def state(self) -> RunState:
        return RunState(self.result["run"]["state"])

    @property
    def seconds(self) -> float:
        return round(self.result["run"]["milliseconds"] / 1000, 1)

    @property
    def minutes(self) -> int:
        return max(1, round(self.result["run"]["milliseconds"] / 60000))

    @property
    def requests_per_account(self) -> float:
        return round(self.result["run"]["requests"] / max(1, len(self.result["accounts"])), 1)

    @property
    def recorded_at(self) -> dt.datetime:
        return dt.datetime.fromisoformat(self.result["recorded"]["at"])

    @property
    def oldest_reading(self) -> dt.datetime | None:
        read = self.result["recorded"]["oldest_reading"]
        return dt.datetime.fromisoformat(read) if read else None

    @property
    def states(self) -> dict[StepState, int]:
        return states_of(self.result["accounts"])

    @cached_property
    def accounts(self) -> list[AccountLine]:
        """Those that need a person first, then in the order of work."""
        lines = [_line(account) for account in self.result["accounts"]]
        return sorted(lines, key=lambda line: not line.needs_a_person)

    @cached_property
    def need_a_person(self) -> int:
        return sum(line.needs_a_person for line in self.accounts)

    @cached_property
    def run(self) -> Run | None:
        """The real one, when it came."""
        return run_after(self.rehearsal) if self.has_result else None

    @cached_property
    def _outcome(self) -> list[dict[str, Any]]:
        return outcome_of(self.run) if self.run else []

    @cached_property
    def differences(self) -> list[Difference]:
        return differences(self.result["accounts"], self._outcome)

    @property
    def still_under_way(self) -> int:
        """How many steps of the real run have not ended yet."""
        return still_under_way(self._outcome)


def _line(account: dict[str, Any]) -> AccountLine:
    return AccountLine(
        id=account["id"],
        account=account["account"],
        tenant=account["tenant"],
        steps=[StepLine(str(StepKind(s["kind"]).label), short(s["state"]), s["state"]) for s in account["steps"]],
        needs=reasons(account),
        needs_a_person=needs_a_person(account),
        still_in=account["still_in"],
        kept_out=account["kept_out"],
        not_tried=str(NOT_TRIED[account["not_tried"]]),
    )
