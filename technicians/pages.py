"""What the pages about people and their keys read, each in a constant number of queries."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from technicians.models import Assignment, Authenticator, Enrolment, Offboarding, Reveal, Technician
from tenants.models import Method, SecretVersion, SharedAccount, within
from tenants.run_queries import RunRow, run_rows, runs_seen_by

SHOW = {"": _("Active"), "suspended": _("Suspended"), "left": _("Left"), "all": _("Everybody")}
"""The filters of the list of technicians, by the word in the address."""

NEWEST = 50
"""How many runs a page about a person shows; the list of runs has them all."""


# --- one shared account -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Holder:
    """Somebody who may use the account now. `fetched_at` is when they last fetched the password in force."""

    assignment: Assignment
    authenticators: list[Authenticator]
    fetched_at: dt.datetime | None


@dataclass(frozen=True)
class MethodRow:
    """One present method, and whose it is. `remark` says what is wrong with that, "" if nothing."""

    method: Method
    owner: Technician | None
    remark: str
    authenticator: Authenticator | None = None

    @property
    def rests_on_a_word(self) -> bool:
        """Nobody proved whose it is; such a binding can be taken back."""
        return self.authenticator is not None and self.authenticator.proof in Authenticator.ON_A_WORD


@dataclass(frozen=True)
class AccountPage:
    holders: list[Holder]
    methods: list[MethodRow]
    slots_used: int
    versions: list[SecretVersion]
    open_enrolment: Enrolment | None


def account_page(account: SharedAccount) -> AccountPage:
    """Who holds the account, with what; call it only for an account that the reader may see."""
    now = timezone.now()
    assignments = list(
        Assignment.objects.live(now)
        .filter(account=account)
        .select_related("technician", "granted_by")
        .order_by("technician__name")
    )
    bound = list(
        Authenticator.objects.on_the_account().filter(method__account=account).select_related("technician", "method")
    )
    versions = list(
        SecretVersion.objects.filter(secret__account=account)
        .select_related("entered_by")
        .annotate(people=Count("reveals__technician", distinct=True))
        .order_by("-number")
    )
    fetched = _fetched([a.technician_id for a in assignments], account)
    mine: defaultdict[Any, list[Authenticator]] = defaultdict(list)
    for authenticator in bound:
        mine[authenticator.technician_id].append(authenticator)
    methods = list(account.methods.present())
    return AccountPage(
        holders=[Holder(a, mine[a.technician_id], fetched.get(a.technician_id)) for a in assignments],
        methods=_method_rows(methods, bound, {a.technician_id for a in assignments}),
        slots_used=sum(m.takes_a_slot for m in methods),
        versions=versions,
        open_enrolment=Enrolment.objects.open()
        .filter(account=account, expires_at__gt=now)
        .select_related("technician")
        .first(),
    )


def _fetched(people: Iterable[Any], account: SharedAccount) -> dict[Any, dt.datetime]:
    """When each of these people last fetched the version in force."""
    reveals = Reveal.objects.filter(
        technician__in=people, version__secret__account=account, version__status__in=SecretVersion.IN_FORCE
    )
    return dict(reveals.order_by("at").values_list("technician_id", "at"))


def _method_rows(methods: list[Method], bound: list[Authenticator], assigned: set[Any]) -> list[MethodRow]:
    keys = {a.method_id: a for a in bound}
    rows = []
    for method in methods:
        key = keys.get(method.pk)
        owner = key.technician if key else None
        if method.kind == Method.Kind.PASSWORD:
            remark: Any = ""
        elif owner is None:
            remark = _("Unknown: bound to nobody")
        elif not owner.is_active:
            remark = owner.get_status_display()
        else:
            remark = "" if owner.pk in assigned else _("Not assigned any more")
        rows.append(MethodRow(method, owner, str(remark), key))
    return rows


# --- technicians --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TechnicianRow:
    """One line of the list of technicians."""

    technician: Technician
    accounts: int
    authenticators: int


def technicians_like(user: Any, *, words: str = "", show: str = "") -> QuerySet[Technician]:
    """The people whom the reader sees, narrowed by words in name or address and by one of SHOW."""
    found: QuerySet[Technician] = Technician.objects.visible_to(user).order_by("name", "email")
    for word in words.split():
        found = found.filter(Q(name__icontains=word) | Q(email__icontains=word))
    if show == "all":
        return found
    return found.filter(status=show if show in SHOW and show else Technician.Status.ACTIVE)


def technician_rows(people: Iterable[Technician], user: Any) -> list[TechnicianRow]:
    """The counts of the people of one page, as far as the reader sees: two queries, however many people."""
    page = list(people)
    accounts = _counts(Assignment.objects.visible_to(user).live().filter(technician__in=page))
    authenticators = _counts(Authenticator.objects.visible_to(user).on_the_account().filter(technician__in=page))
    return [TechnicianRow(p, accounts.get(p.pk, 0), authenticators.get(p.pk, 0)) for p in page]


def _counts(rows: QuerySet[Any]) -> dict[Any, int]:
    return dict(rows.order_by().values("technician").annotate(n=Count("pk")).values_list("technician", "n"))


def assignments_of(technician: Technician, user: Any) -> QuerySet[Any]:
    """Past, present and to come, newest first; `is_live` says which are now."""
    now = timezone.now()
    return (
        Assignment.objects.visible_to(user)
        .filter(technician=technician)
        .select_related("account__tenant__customer", "granted_by")
        .annotate(is_live=Exists(Assignment.objects.live(now).filter(pk=OuterRef("pk"))))
        .order_by("-is_live", "account__tenant__customer__name", "account__user_principal_name", "-from_at", "pk")
    )


def authenticators_of(technician: Technician, user: Any) -> QuerySet[Any]:
    return (
        Authenticator.objects.visible_to(user)
        .filter(technician=technician)
        .select_related("method__account__tenant__customer")
        .order_by(F("method__removed_at").desc(nulls_first=True), "method__account__tenant__customer__name", "pk")
    )


def reveals_to(technician: Technician, user: Any) -> QuerySet[Any]:
    """What was shown to this person, newest first."""
    shown = Reveal.objects.visible_to(user).filter(technician=technician)
    return shown.select_related("version__secret__account__tenant__customer").order_by("-at", "pk")


def runs_about(technician: Technician, user: Any) -> list[RunRow]:
    """The departures, suspensions and lost phones of this person, what they lost elsewhere, and what they asked for."""
    about = (
        Q(offboardings__technician=technician)
        | Q(suspension__technician=technician)
        | Q(lost_device__technician=technician)
        | Q(departure_request__leavers=technician)
        | Q(requested_by=technician)
    )
    return run_rows(runs_seen_by(user).filter(about).distinct()[:NEWEST], user)


def people_like(user: Any, words: str, *, limit: int) -> list[Technician]:
    """What the search box finds among people: also those who left."""
    return list(technicians_like(user, words=words, show="all")[:limit])


# --- what waits for somebody --------------------------------------------------------------------------------------


def keys_of(person: Technician) -> QuerySet[Any]:
    """The accounts assigned to this person now: those with a password that they have not fetched come first.

    Each with `in_force_since`, `fetched_at` (of the version in force) and `has_authenticator`.
    """
    current = SecretVersion.objects.filter(secret__account=OuterRef("pk"), status=SecretVersion.Status.CURRENT)
    mine = Reveal.objects.filter(
        technician=person, version__secret__account=OuterRef("pk"), version__status=SecretVersion.Status.CURRENT
    ).order_by("-at")
    bound = Authenticator.objects.on_the_account().filter(technician=person, method__account=OuterRef("pk"))
    held = Assignment.objects.live().filter(technician=person)
    return (
        SharedAccount.objects.filter(pk__in=held.values("account_id"), reseller_id=person.reseller_id)
        .select_related("tenant__customer")
        .annotate(
            in_force_since=Subquery(current.values("current_from")[:1]),
            fetched_at=Subquery(mine.values("at")[:1]),
            has_authenticator=Exists(bound),
        )
        .order_by(F("fetched_at").asc(nulls_first=True), "tenant__customer__name", "user_principal_name")
    )


def leavers_seen_by(user: Any) -> QuerySet[Any]:
    return Offboarding.objects.visible_to(user)


def assigned_now(person: Technician, account: SharedAccount) -> bool:
    return bool(
        Assignment.objects.filter(
            within("", timezone.now(), start="from_at", end="until_at"), technician=person, account=account
        ).exists()
    )
