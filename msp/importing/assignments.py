"""Who may use which shared account, from when until when. An import only grants; it never ends or moves anything."""

from __future__ import annotations

import datetime as dt
import re
from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING, Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from msp.importing.lookup import Accounts, People, Tenants, quoted
from msp.importing.preview import Kind, Plan, by_columns
from msp.importing.sheet import Column, Line, Sheet
from technicians.actions.assign import assign
from technicians.models import Assignment, Technician
from tenants.models import SharedAccount

if TYPE_CHECKING:
    from msp.outside import Outside

DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:?\d{2})", re.IGNORECASE)

COLUMNS = (
    Column("technician", gettext_lazy("E-mail address"), required=True, also=("email",)),
    Column("tenant", gettext_lazy("Tenant id or default domain"), required=True, also=("tenant id",)),
    Column("account", gettext_lazy("User name or object id"), required=True, also=("user_principal_name", "upn")),
    Column("from", gettext_lazy("2026-03-01, or 2026-03-01T08:00+01:00; a day begins at 00:00 UTC; empty: now")),
    Column("until", gettext_lazy("The same; the assignment ends when that day begins; empty: no end")),
    Column("reason", gettext_lazy("Why")),
)


class Importer:
    """One file on its way into a plan."""

    def __init__(self, sheet: Sheet, *, by: Technician) -> None:
        self.sheet, self.by, self.plan = sheet, by, Plan()
        self.now = timezone.now()
        self.people = People(by)
        self.tenants = Tenants(by).of_lines(sheet.lines, self.plan)
        self.accounts = Accounts(by, self.tenants.values())
        self.held: defaultdict[tuple[Any, Any], list[Assignment]] = defaultdict(list)
        for held in Assignment.objects.visible_to(by).filter(account__in=self.accounts.all()):
            self.held[held.technician_id, held.account_id].append(held)
        self.lines_of: dict[Any, int] = {}

    def planned(self) -> Plan:
        for line in self.sheet.lines:
            if line.number in self.tenants:
                self._line(line)
        return self.plan

    def _line(self, line: Line) -> None:
        before = len(self.plan.errors)
        person = self.people.of(line, self.plan)
        account = self.accounts.of(line, self.tenants[line.number], self.plan)
        from_at, until_at = self._moment(line, "from"), self._moment(line, "until")
        starts = from_at or self.now
        if until_at is not None and until_at <= starts:
            self.plan.error(line.number, "until", _("The assignment would end before it begins."))
        if len(self.plan.errors) > before or person is None or account is None:
            return
        what = _("%(name)s on %(account)s (%(tenant)s)") % {
            "name": person,
            "account": account,
            "tenant": account.tenant,
        }
        clash = self._clash(person, account, starts, until_at)
        if clash is None:
            self._grant(line, what, person, account, from_at, until_at)
        elif self._is_it(clash, from_at, until_at):
            self.plan.same(line.number, what)
        elif clash.pk in self.lines_of:
            self.plan.error(
                line.number,
                "account",
                _("Line %(line)d gives the same account for a part of that time.") % {"line": self.lines_of[clash.pk]},
            )
        else:
            self.plan.error(
                line.number,
                "account",
                _("%(name)s has this account already, %(time)s. End that assignment first, or leave this row out.")
                % {"name": person, "time": _words(clash.from_at, clash.until_at)},
            )

    def _moment(self, line: Line, column: str) -> dt.datetime | None:
        text = line.text(column)
        try:
            if DAY.fullmatch(text):
                return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)
            if MOMENT.fullmatch(text):
                return dt.datetime.fromisoformat(text.upper()).astimezone(dt.UTC)
        except (ValueError, OverflowError):
            pass  # such as a 31st of June: said below, like every other text that is no time
        if text:
            self.plan.error(
                line.number,
                column,
                _("%(text)s is no time. Write 2026-03-01, or 2026-03-01T08:00+01:00 with its zone.")
                % {"text": quoted(text)},
            )
        return None

    def _clash(
        self, person: Technician, account: SharedAccount, starts: dt.datetime, ends: dt.datetime | None
    ) -> Assignment | None:
        """What this person has on this account for a part of that time, in the database or in an earlier row."""
        for held in self.held[person.pk, account.pk]:
            if (ends is None or held.from_at < ends) and (held.until_at is None or starts < held.until_at):
                return held
        return None

    def _is_it(self, held: Assignment, from_at: dt.datetime | None, until_at: dt.datetime | None) -> bool:
        """A row without a beginning means the one that runs already."""
        begins = held.from_at <= self.now if from_at is None else held.from_at == from_at
        return begins and held.until_at == until_at

    def _grant(
        self,
        line: Line,
        what: str,
        person: Technician,
        account: SharedAccount,
        from_at: dt.datetime | None,
        until_at: dt.datetime | None,
    ) -> None:
        reason = line.text("reason")
        act = partial(assign, person, account, by=self.by, reason=reason, from_at=from_at, until_at=until_at)
        self.plan.add(line.number, what, _words(from_at, until_at), act)
        planned = Assignment(technician=person, account=account, from_at=from_at or self.now, until_at=until_at)
        self.held[person.pk, account.pk].append(planned)
        self.lines_of[planned.pk] = line.number
        if not person.may("reveal"):
            self.plan.warn(
                line.number,
                "technician",
                _("%(name)s is %(role)s, and that role shows no passwords: the assignment gives nothing.")
                % {"name": person, "role": person.get_role_display()},
            )


def plan(sheet: Sheet, *, by: Technician, outside: Outside) -> Plan:
    return Importer(sheet, by=by).planned()


def _words(from_at: dt.datetime | None, until_at: dt.datetime | None) -> str:
    begins = _("from now") if from_at is None else _("from %(time)s UTC") % {"time": f"{from_at:%Y-%m-%d %H:%M}"}
    ends = _("without end") if until_at is None else _("until %(time)s UTC") % {"time": f"{until_at:%Y-%m-%d %H:%M}"}
    return f"{begins}, {ends}"


ASSIGNMENTS = Kind(
    "assignments",
    gettext_lazy("Assignments"),
    gettext_lazy("One row for each technician on each shared account. An import grants; it never ends anything."),
    COLUMNS,
    by_columns(COLUMNS, plan),
)
