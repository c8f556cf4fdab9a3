"""Whose an observed method is, said by whoever gave the list: software methods carry no name at Microsoft."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from msp.importing.lookup import Accounts, People, Tenants, quoted
from msp.importing.preview import Kind, Plan, by_columns
from msp.importing.reader import fold
from msp.importing.sheet import Column, Line, Sheet
from technicians.actions.bind_authenticator import bind_authenticator
from technicians.models import Assignment, Authenticator, Technician
from tenants.models import Method, SharedAccount

if TYPE_CHECKING:
    from msp.outside import Outside

COLUMNS = (
    Column("technician", gettext_lazy("E-mail address"), required=True, also=("email",)),
    Column("tenant", gettext_lazy("Tenant id or default domain"), required=True, also=("tenant id",)),
    Column("account", gettext_lazy("User name or object id"), required=True, also=("user_principal_name", "upn")),
    Column("method_id", gettext_lazy("The method's id in the directory, as observe lists it"), required=True),
    Column("kind", gettext_lazy("For example software_oath; needed only when one id has several kinds")),
    Column("label", gettext_lazy("What the owner calls it, for example: grey phone")),
)
KINDS = {fold(spelling): kind for kind in Method.Kind for spelling in (kind.value, str(kind.label))}


class Importer:
    """One file on its way into a plan."""

    def __init__(self, sheet: Sheet, *, by: Technician) -> None:
        self.sheet, self.by, self.plan = sheet, by, Plan()
        self.people = People(by)
        self.tenants = Tenants(by).of_lines(sheet.lines, self.plan)
        self.accounts = Accounts(by, self.tenants.values())
        accounts = self.accounts.all()
        self.methods: dict[tuple[Any, str], list[Method]] = {}
        present = Method.objects.visible_to(by).present().personal().filter(account__in=accounts)
        for method in present.select_related("authenticator__technician"):
            self.methods.setdefault((method.account_id, method.directory_id.lower()), []).append(method)
        live = Assignment.objects.live().filter(account__in=accounts)
        self.assigned = set(live.values_list("technician_id", "account_id"))
        self.taken: dict[Any, tuple[int, Technician]] = {}

    def planned(self) -> Plan:
        for line in self.sheet.lines:
            if line.number in self.tenants:
                self._line(line)
        return self.plan

    def _line(self, line: Line) -> None:
        person = self.people.of(line, self.plan)
        account = self.accounts.of(line, self.tenants[line.number], self.plan)
        if person is None or account is None:
            return
        method = self._method(line, account)
        if method is None:
            return
        what = _("%(method)s on %(account)s (%(tenant)s): %(name)s") % {
            "method": method,
            "account": account,
            "tenant": account.tenant,
            "name": person,
        }
        bound = getattr(method, "authenticator", None)
        earlier = self.taken.setdefault(method.pk, (line.number, person))
        if bound is not None and bound.technician_id != person.pk:
            self.plan.error(
                line.number, "method_id", _("This method is bound to %(name)s already.") % {"name": bound.technician}
            )
        elif earlier[1].pk != person.pk:
            self.plan.error(
                line.number,
                "method_id",
                _("Line %(line)d gives this method to %(name)s.") % {"line": earlier[0], "name": earlier[1]},
            )
        elif bound is not None or earlier[0] != line.number:
            self.plan.same(line.number, what)
        else:
            self._bind(line, what, method, person, account)

    def _method(self, line: Line, account: SharedAccount) -> Method | None:
        """The observed method of a row, or None with an error in the plan."""
        key, said = line.text("method_id"), line.text("kind")
        kind = KINDS.get(fold(said))
        if said and kind is None:
            self.plan.error(
                line.number,
                "kind",
                _("%(kind)s is no kind of method; kinds are: %(kinds)s.")
                % {"kind": quoted(said), "kinds": ", ".join(Method.Kind.values)},
            )
            return None
        found = [m for m in self.methods.get((account.pk, key.lower()), []) if kind in (None, m.kind)]
        if len(found) > 1:
            self.plan.error(line.number, "kind", _("Several methods have this id; say which kind is meant."))
        elif not found:
            self.plan.error(
                line.number,
                "method_id",
                _(
                    "No such method has been seen on %(account)s. Read the tenant first (observe), and look whether "
                    "the "
                    "id and the kind are right."
                )
                % {"account": account},
            )
        return found[0] if len(found) == 1 else None

    def _bind(self, line: Line, what: str, method: Method, person: Technician, account: SharedAccount) -> None:
        method.account = account
        act = partial(
            bind_authenticator,
            method,
            person,
            by=self.by,
            proof=Authenticator.Proof.IMPORTED,
            label=line.text("label")[:256],
        )
        self.plan.add(line.number, what, line.text("label")[:256], act)
        if (person.pk, account.pk) not in self.assigned:
            self.plan.warn(
                line.number,
                "technician",
                _(
                    "%(name)s is not assigned to this account now, so this method does not count as a way in of "
                    "somebody "
                    "who stays."
                )
                % {"name": person},
            )


def plan(sheet: Sheet, *, by: Technician, outside: Outside) -> Plan:
    return Importer(sheet, by=by).planned()


AUTHENTICATORS = Kind(
    "authenticators",
    gettext_lazy("Authenticators and their owners"),
    gettext_lazy("One row for each method that was observed on an account: whose it is."),
    COLUMNS,
    by_columns(COLUMNS, plan),
)
