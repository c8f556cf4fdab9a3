"""Who can enter where: today, and as of any day in the past.

One function reads it for the page and for the export. It goes account by account, because an account that nobody
can enter, and a method that belongs to nobody, are answers too.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any
from uuid import UUID

from django.db.models import Max, Q, TextChoices
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from msp.errors import BadInput
from msp.web.days import day_of, end_of
from technicians.models import Assignment, Authenticator, Reveal, Technician
from tenants.models import NEVER_A_WAY_IN, Method, SecretVersion, SharedAccount

CHUNK = 500


class WayIn(TextChoices):
    """What one row says about one person and one account."""

    CAN_ENTER = "can_enter", gettext_lazy("Can enter")
    NO_AUTHENTICATOR = "no_authenticator", gettext_lazy("No authenticator yet")
    LEFT_BEHIND = "left_behind", gettext_lazy("Authenticator left behind")
    KNOWS_PASSWORD = "knows_password", gettext_lazy("Knows the password")
    UNKNOWN_METHOD = "unknown_method", gettext_lazy("Unknown method")
    NOBODY = "nobody", gettext_lazy("Nobody")


@dataclass(frozen=True)
class Question:
    """What is asked: a day (None: now), and a part of a name of customer, tenant, account or technician.

    `moment` is the last moment of the day where the reader is; None while it is today.
    """

    day: dt.date | None = None
    moment: dt.datetime | None = None
    text: str = ""

    @classmethod
    def read(cls, given: Any) -> Question:
        """From a query string. Raises BadInput for what is not a day, and for a day that is still to come."""
        day, text = day_of(given.get("on", "")), given.get("q", "").strip()[:100]
        today = timezone.localdate()
        if day is None or day == today:
            return cls(text=text)
        if day > today:
            raise BadInput(_("%(day)s is still to come; ask for a day until today.") % {"day": day.isoformat()})
        return cls(day, end_of(day) - dt.timedelta(microseconds=1), text)


@dataclass(frozen=True)
class Key:
    """One authenticator on the account; `since` is when it was bound to its person, or first seen."""

    kind: str
    label: str
    since: dt.datetime
    lets_in: bool


@dataclass(frozen=True)
class AccessRow:
    """One person (or nobody, or somebody unknown) and one account. Times are UTC; None where there is none."""

    account: SharedAccount
    way_in: WayIn
    technician: Technician | None = None
    assignment: Assignment | None = None
    keys: tuple[Key, ...] = ()
    saw_password_at: dt.datetime | None = None


@dataclass
class _Facts:
    """What is known of one person on one account."""

    assignment: Assignment | None = None
    keys: list[Key] = field(default_factory=list)
    saw_password_at: dt.datetime | None = None

    @property
    def way_in(self) -> WayIn:
        has_key = any(key.lets_in for key in self.keys)
        if self.assignment:
            return WayIn.CAN_ENTER if has_key else WayIn.NO_AUTHENTICATOR
        return WayIn.LEFT_BEHIND if self.keys else WayIn.KNOWS_PASSWORD


def accounts_asked(user: Any, question: Question) -> Any:
    """The accounts that `user` sees and the question names, in order: a queryset to page through."""
    accounts = SharedAccount.objects.visible_to(user).select_related("tenant__customer")
    if question.text:
        people = Technician.objects.visible_to(user).filter(
            Q(name__icontains=question.text) | Q(email__icontains=question.text)
        )
        accounts = accounts.filter(
            Q(tenant__customer__name__icontains=question.text)
            | Q(tenant__default_domain__icontains=question.text)
            | Q(user_principal_name__icontains=question.text)
            | Q(pk__in=Assignment.objects.filter(technician__in=people).values("account_id"))
            | Q(pk__in=Authenticator.objects.filter(technician__in=people).values("method__account_id"))
        )
    return accounts.order_by("tenant__customer__name", "tenant__default_domain", "user_principal_name", "pk")


def every_row(user: Any, question: Question) -> Iterator[AccessRow]:
    """All of it, in chunks: memory stays flat however many accounts there are."""
    accounts = iter(accounts_asked(user, question).iterator(chunk_size=CHUNK))
    while chunk := list(islice(accounts, CHUNK)):
        yield from rows_of(chunk, question.moment)


def rows_of(accounts: Iterable[SharedAccount], moment: dt.datetime | None) -> list[AccessRow]:
    """The rows of these accounts, in their order: five queries, however many accounts. `moment` None: now."""
    accounts = list(accounts)
    ids = [account.pk for account in accounts]
    facts: defaultdict[UUID, defaultdict[UUID, _Facts]] = defaultdict(lambda: defaultdict(_Facts))
    for assignment in Assignment.objects.live(moment).filter(account__in=ids):
        facts[assignment.account_id][assignment.technician_id].assignment = assignment
    for account_id, technician_id, key in _keys(ids, moment):
        facts[account_id][technician_id].keys.append(key)
    for account_id, technician_id, at in _reveals(ids, moment):
        facts[account_id][technician_id].saw_password_at = at
    people = Technician.objects.in_bulk({person for held in facts.values() for person in held})
    unknown = _unknown(ids, moment)
    rows: list[AccessRow] = []
    for account in accounts:
        held = facts[account.pk]
        found = [
            AccessRow(account, fact.way_in, people[person], fact.assignment, tuple(fact.keys), fact.saw_password_at)
            for person, fact in sorted(held.items(), key=lambda pair: people[pair[0]].name.casefold())
        ]
        found += [AccessRow(account, WayIn.UNKNOWN_METHOD, keys=(key,)) for key in unknown[account.pk]]
        rows += found or [AccessRow(account, WayIn.NOBODY)]
    return rows


def _keys(ids: list[UUID], moment: dt.datetime | None) -> Iterator[tuple[UUID, UUID, Key]]:
    bound = Authenticator.objects.filter(method__account__in=ids).select_related("method").order_by("bound_from")
    for authenticator in bound.at(moment or timezone.now()):
        method = authenticator.method
        yield (
            method.account_id,
            authenticator.technician_id,
            _key(method, authenticator.label or method.label, authenticator.bound_from),
        )


def _key(method: Method, label: str, since: dt.datetime) -> Key:
    return Key(str(method.get_kind_display()), label, since, method.kind not in NEVER_A_WAY_IN)


def _reveals(ids: list[UUID], moment: dt.datetime | None) -> Iterator[tuple[UUID, UUID, dt.datetime]]:
    """Who had been shown the password in force. Now, a password whose change is not proven yet counts too."""
    shown = Reveal.objects.filter(version__secret__account__in=ids)
    if moment is None:
        in_force = Q(version__status__in=[SecretVersion.Status.CURRENT, SecretVersion.Status.UNVERIFIED])
    else:
        still = Q(version__retired_at__isnull=True) | Q(version__retired_at__gt=moment)
        in_force = still & Q(version__current_from__lte=moment, at__lte=moment)
    found = shown.filter(in_force).values("version__secret__account_id", "technician_id").annotate(last=Max("at"))
    for row in found.order_by():
        yield row["version__secret__account_id"], row["technician_id"], row["last"]


def _unknown(ids: list[UUID], moment: dt.datetime | None) -> defaultdict[UUID, list[Key]]:
    """Methods that were on the account and belonged to nobody whom Latchkey knew then."""
    at = moment or timezone.now()
    methods = Method.objects.present_at(at).personal().filter(account__in=ids)
    found: defaultdict[UUID, list[Key]] = defaultdict(list)
    for method in methods.exclude(authenticator__bound_from__lte=at).order_by("first_seen_at"):
        found[method.account_id].append(_key(method, method.label, method.first_seen_at))
    return found


# --- as a sheet --------------------------------------------------------------------------------------------------


def header() -> list[str]:
    return [
        _("Customer"), _("Tenant"), _("Account"), _("Account enabled when last read"), _("Who"), _("E-mail"),
        _("Role today"), _("Way in"), _("Assigned from"), _("Assigned until"), _("Authenticator"), _("Label"),
        _("Authenticator since"), _("Saw the password in force"),
    ]  # fmt: skip


def as_cells(row: AccessRow) -> Iterator[list[Any]]:
    """A line for each authenticator, and one for a row without any."""
    person, assignment = row.technician, row.assignment
    start = [
        row.account.tenant.customer.name, row.account.tenant.default_domain, row.account.user_principal_name,
        row.account.enabled, person.name if person else "", person.email if person else "",
        person.get_role_display() if person else "", row.way_in.label,
        assignment.from_at if assignment else None, assignment.until_at if assignment else None,
    ]  # fmt: skip
    for key in row.keys or (None,):
        authenticator = [key.kind, key.label, key.since] if key else ["", "", None]
        yield [*start, *authenticator, row.saw_password_at]
