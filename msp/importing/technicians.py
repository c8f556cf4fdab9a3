"""The people who sign in to Latchkey. An empty cell says nothing: what is here stays."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from msp.errors import NotPermitted
from msp.importing.lookup import People, quoted
from msp.importing.preview import Kind, Plan, by_columns
from msp.importing.sheet import Column, Line, Sheet
from technicians.actions.add_groups import add_groups
from technicians.actions.change_technician import POWERFUL, change_technician
from technicians.actions.create_technician import create_technician
from technicians.models import Role, Technician
from tenants.models import Reach, TenantGroup

if TYPE_CHECKING:
    from msp.outside import Outside

COLUMNS = (
    Column("email", gettext_lazy("The address to sign in with"), required=True, also=("e-mail", "mail")),
    Column("name", gettext_lazy("As colleagues call the person")),
    Column("role", gettext_lazy("owner, manager, technician or auditor; technician when empty")),
    Column("groups", gettext_lazy("Tenant groups, separated by semicolons; managers and auditors see only these")),
)
ROLES = [role for role in Role if role != Role.CUSTOMER_CONTACT]


class Importer:
    """One file on its way into a plan."""

    def __init__(self, sheet: Sheet, *, by: Technician) -> None:
        if by.reach != Reach.EVERYTHING:
            raise NotPermitted(
                _(
                    "You see only some tenants, and a list of people concerns all of them. "
                    "Ask somebody who sees all of them; nothing was changed."
                )
            )
        self.sheet, self.by, self.plan = sheet, by, Plan()
        self.people = People(by)
        known = Technician.objects.visible_to(by).prefetch_related("groups")
        self.groups_of = {person.pk: sorted(group.name for group in person.groups.all()) for person in known}
        emails = [line.text("email").lower() for line in sheet.lines]
        self.taken = _taken_elsewhere(emails, by)
        self.groups = set(TenantGroup.objects.visible_to(by).values_list("name", flat=True))
        self.new_groups: dict[str, None] = {}
        self.seen: dict[str, int] = {}

    def planned(self) -> Plan:
        for line in self.sheet.lines:
            self._line(line)
        if self.new_groups:
            names = list(self.new_groups)
            self.plan.notes.append(
                _(
                    "These tenant groups do not exist yet and are made, without tenants: %(groups)s. Whoever has "
                    "only such groups sees no tenant until some are put in (kind groups)."
                )
                % {"groups": ", ".join(names)}
            )
            self.plan.first.append(partial(add_groups, names, by=self.by))
        return self.plan

    def _line(self, line: Line) -> None:
        before = len(self.plan.errors)
        email, name = line.text("email"), line.text("name")
        self._check_email(line, email)
        if len(name) > 150:
            self.plan.error(line.number, "name", _("This is longer than 150 characters."))
        role, groups = self._role(line), self._groups(line)
        if len(self.plan.errors) > before:
            return
        person = self.people.get(email)
        if person is not None:
            self._compare(line, person, name, role, groups)
        elif self._may_give(line, role or Role.TECHNICIAN):
            act = partial(self._create, email, name, role or Role.TECHNICIAN, groups or [])
            detail = [str(Role(role or Role.TECHNICIAN).label), *(groups or [])]
            self.plan.add(line.number, f"{name or email} ({email})" if name else email, ", ".join(detail), act)
        if len(self.plan.errors) == before:
            self.new_groups |= {group: None for group in groups or [] if group not in self.groups}

    def _check_email(self, line: Line, email: str) -> None:
        try:
            validate_email(email)
        except ValidationError:
            self.plan.error(line.number, "email", _("%(email)s is no e-mail address.") % {"email": quoted(email)})
            return
        earlier = self.seen.setdefault(email.lower(), line.number)
        if earlier != line.number:
            self.plan.error(line.number, "email", _("Line %(line)d has the same address.") % {"line": earlier})
        elif email.lower() in self.taken:
            self.plan.error(line.number, "email", _("This address has a sign-in already; take another one."))

    def _role(self, line: Line) -> Role | None:
        said = line.text("role").casefold().replace(" ", "_")
        if said in ROLES:
            return Role(said)
        if said == Role.CUSTOMER_CONTACT:
            self.plan.error(
                line.number, "role", _("A customer contact belongs to a customer, which this kind of file cannot say.")
            )
        elif said:
            self.plan.error(
                line.number,
                "role",
                _("%(role)s is no role; roles are: %(roles)s.") % {"role": quoted(said), "roles": ", ".join(ROLES)},
            )
        return None

    def _groups(self, line: Line) -> list[str] | None:
        """Names of tenant groups, or None when the row says nothing about them."""
        names = sorted({name.strip() for name in line.text("groups").split(";") if name.strip()})
        if any(len(name) > 100 for name in names):
            self.plan.error(line.number, "groups", _("A group's name is longer than 100 characters."))
        return names or None

    def _may_give(self, line: Line, role: str) -> bool:
        if role in POWERFUL and not self.by.may("change_roles"):
            self.plan.error(line.number, "role", _("Only an owner may add owners and managers."))
            return False
        return True

    def _compare(self, line: Line, person: Technician, name: str, role: Role | None, groups: list[str] | None) -> None:
        if not person.is_active:
            self.plan.error(
                line.number,
                "email",
                _("%(name)s has left or is away; an import brings nobody back.") % {"name": person},
            )
            return
        words = []
        if name and name != person.name:
            words.append(f"{person.name} -> {name}")
        if role and role != person.role:
            words.append(f"{person.get_role_display()} -> {role.label}")
        had = self.groups_of.get(person.pk, [])
        if groups is not None and groups != had:
            words.append(f"{', '.join(had) or '-'} -> {', '.join(groups)}")
        if words:
            act = partial(self._change, person, name, role, groups)
            self.plan.change(line.number, f"{person} ({person.email})", "; ".join(words), act)
        else:
            self.plan.same(line.number, f"{person} ({person.email})")

    # What the rows do when the import is carried out.

    def _create(self, email: str, name: str, role: Role, groups: list[str]) -> None:
        create_technician(
            reseller=self.by.reseller, email=email, name=name, role=role, by=self.by, groups=self._rows(groups)
        )

    def _change(self, person: Technician, name: str, role: Role | None, groups: list[str] | None) -> None:
        change_technician(
            person, by=self.by, name=name or None, role=role, groups=None if groups is None else self._rows(groups)
        )

    def _rows(self, groups: list[str]) -> list[TenantGroup]:
        return list(TenantGroup.objects.visible_to(self.by).filter(name__in=groups)) if groups else []


def plan(sheet: Sheet, *, by: Technician, outside: Outside) -> Plan:
    return Importer(sheet, by=by).planned()


def _taken_elsewhere(emails: list[str], by: Technician) -> set[str]:
    """Addresses sign in without saying for which reseller, so each exists once in the whole installation."""
    taken = Technician.objects.exclude(reseller_id=by.reseller_id).values_list("email", flat=True)
    return {email.lower() for email in taken} & set(emails)


TECHNICIANS = Kind(
    "technicians",
    gettext_lazy("Technicians and other people"),
    gettext_lazy("One row for each person who signs in here. Nobody gets a password or a message by an import."),
    COLUMNS,
    by_columns(COLUMNS, plan),
)
