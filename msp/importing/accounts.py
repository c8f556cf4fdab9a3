"""Shared accounts, with or without their passwords. An empty cell says nothing: what is here stays."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from msp.importing.known_passwords import KnownPasswords
from msp.importing.lookup import Accounts, Tenants, guid, quoted
from msp.importing.oddities import oddities
from msp.importing.preview import Kind, Plan, by_columns
from msp.importing.sheet import Column, Line, Sheet
from tenants.actions.add_accounts import NewAccount, add_accounts
from tenants.actions.change_account import change_account
from tenants.actions.store_password import store_password
from tenants.models import AccountClass, SharedAccount, Tenant

if TYPE_CHECKING:
    from msp.outside import Outside
    from technicians.models import Technician

YES = frozenset({"yes", "y", "true", "1", "x"})
NO = frozenset({"no", "n", "false", "0", ""})
USER_NAME = re.compile(r"[^\s@]+@[^\s@]+")
SOURCE = "imported"

COLUMNS = (
    Column("tenant", gettext_lazy("Tenant id or default domain"), required=True, also=("tenant id",)),
    Column("user_principal_name", gettext_lazy("The name to sign in with"), required=True, also=("upn", "account")),
    Column("object_id", gettext_lazy("The user's id in the directory; may be empty: the first reading finds it")),
    Column("owner", gettext_lazy("Who answers for the account")),
    Column("justification", gettext_lazy("Why several people share it")),
    Column("break_glass", gettext_lazy("yes or no; automation never touches a break-glass account")),
    Column("account_class", gettext_lazy("critical (1 h), high (4 h), standard (24 h) or low (72 h) to end access")),
    Column("password", gettext_lazy("Taken exactly as it is, blanks included; may be empty")),
)


class Importer:
    """One file on its way into a plan."""

    def __init__(self, sheet: Sheet, *, by: Technician, outside: Outside) -> None:
        self.sheet, self.by, self.outside = sheet, by, outside
        self.plan = Plan()
        self.tenants = Tenants(by).of_lines(sheet.lines, self.plan)
        self.accounts = Accounts(by, self.tenants.values())
        self.passwords = KnownPasswords(self.accounts.all(), outside)
        self.new: list[NewAccount] = []
        self.seen: dict[tuple[Any, str], int] = {}

    def planned(self) -> Plan:
        for line in self.sheet.lines:
            if line.number in self.tenants:
                self._line(line, self.tenants[line.number])
        if self.new:
            self.plan.first.append(partial(add_accounts, self.new, by=self.by, outside=self.outside, source=SOURCE))
        return self.plan

    def _line(self, line: Line, tenant: Tenant) -> None:
        facts = self._facts(line, tenant)
        if facts is None:
            return
        self._look_at_password(line)
        name = line.text("user_principal_name")
        known = self.accounts.get(tenant, name)
        if known is None:
            self._add(line, tenant, facts)
        else:
            self._compare(line, known, facts)

    def _facts(self, line: Line, tenant: Tenant) -> dict[str, Any] | None:
        """What the row says about the account, or None with errors in the plan."""
        before = len(self.plan.errors)
        name, object_id = line.text("user_principal_name"), line.text("object_id").lower()
        if not USER_NAME.fullmatch(name) or len(name) > 256:
            self.plan.error(
                line.number,
                "user_principal_name",
                _("%(name)s is no user name (name@domain).") % {"name": quoted(name)},
            )
        if object_id and guid(object_id) is None:
            self.plan.error(line.number, "object_id", _("%(id)s is no object id.") % {"id": quoted(object_id)})
        break_glass = line.text("break_glass").casefold()
        if break_glass not in YES | NO:
            self.plan.error(line.number, "break_glass", _("Write yes or no."))
        account_class = line.text("account_class").casefold()
        if account_class and account_class not in AccountClass.values:
            self.plan.error(line.number, "account_class", _("Write critical, high, standard or low."))
        if len(line.text("owner")) > 256:
            self.plan.error(line.number, "owner", _("This is longer than 256 characters."))
        self._once(line, tenant, "user_principal_name", name.lower())
        if object_id:
            self._once(line, tenant, "object_id", object_id)
            self._same_object(line, tenant, name, object_id)
        if len(self.plan.errors) > before:
            return None
        facts = {"object_id": object_id, "owner": line.text("owner"), "justification": line.text("justification")}
        facts["account_class"] = account_class
        said = {key: value for key, value in facts.items() if value}
        return said | ({"break_glass": break_glass in YES} if break_glass else {})

    def _once(self, line: Line, tenant: Tenant, column: str, key: str) -> None:
        before = self.seen.setdefault((tenant.pk, key), line.number)
        if before != line.number:
            self.plan.error(line.number, column, _("Line %(line)d has the same account.") % {"line": before})

    def _same_object(self, line: Line, tenant: Tenant, name: str, object_id: str) -> None:
        """An object id is never anybody else's."""
        by_name, by_object = self.accounts.get(tenant, name), self.accounts.get(tenant, object_id)
        if by_object is not None and by_object is not by_name:
            self.plan.error(
                line.number,
                "object_id",
                _(
                    "This is the directory user that is known here as %(name)s. If it was renamed, read the tenant "
                    "(observe): that brings the new name."
                )
                % {"name": by_object},
            )
        elif by_name is not None and by_name.object_id and by_name.object_id.lower() != object_id:
            self.plan.error(
                line.number,
                "object_id",
                _("%(name)s is known here with another object id: it is not the same directory user.")
                % {"name": by_name},
            )

    def _look_at_password(self, line: Line) -> None:
        for message in oddities(line.exact("password"), guessed=self.sheet.guessed):
            self.plan.warn(line.number, "password", message)

    def _add(self, line: Line, tenant: Tenant, facts: dict[str, Any]) -> None:
        name, password = line.text("user_principal_name"), line.exact("password")
        self.new.append(NewAccount(tenant, name, **facts, password=password))
        detail = [_("with password") if password else _("without password")]
        if facts.get("break_glass"):
            detail.append(_("break-glass"))
        self.plan.add(line.number, f"{name} ({tenant})", ", ".join(detail))

    def _compare(self, line: Line, account: SharedAccount, facts: dict[str, Any]) -> None:
        changes = {key: value for key, value in facts.items() if _differs(key, getattr(account, key), value)}
        password = line.exact("password")
        if password and self.passwords.changing(account):
            self.plan.error(
                line.number,
                "password",
                _("The password of this account is being changed right now. Wait for that run, then import again."),
            )
            return
        other = bool(password) and not self.passwords.is_in_force(account, password)
        what = f"{account} ({account.tenant})"
        words = [*changes, *([_("password")] if other else [])]
        if words:
            self.plan.change(
                line.number, what, ", ".join(words), partial(self._change, account, changes, password if other else "")
            )
        else:
            self.plan.same(line.number, what)

    def _change(self, account: SharedAccount, changes: dict[str, Any], password: str) -> None:
        if changes:
            change_account(account, by=self.by, **changes)
        if password:
            store_password(account, password, by=self.by, outside=self.outside, source=SOURCE)


def plan(sheet: Sheet, *, by: Technician, outside: Outside) -> Plan:
    return Importer(sheet, by=by, outside=outside).planned()


def _differs(field: str, was: Any, now: Any) -> bool:
    return bool(was.lower() != now if field == "object_id" else was != now)


ACCOUNTS = Kind(
    "accounts",
    gettext_lazy("Shared accounts and passwords"),
    gettext_lazy("One row for each account that several technicians use. An empty cell leaves what is here."),
    COLUMNS,
    by_columns(COLUMNS, plan),
)
