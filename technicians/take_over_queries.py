"""What a take-over is planned and shown from, in a constant number of queries however many accounts it has."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Case, Count, Q, QuerySet, Value, When
from django.utils import timezone
from django.utils.translation import gettext as _

from msp.microsoft.ports import SLOT_KINDS, MethodKind
from technicians.claim_plans import Claimed
from technicians.models import Assignment, Authenticator, Enrolment, TakeOver, TakeOverAccount, TakeOverTask, Technician
from technicians.take_over_plans import AccountFacts, Concerned, Progress, UnknownMethod, progress_of
from tenants.models import NEVER_A_WAY_IN, Method, Run, SharedAccount

EXCUSED = TakeOverTask.Status.EXCUSED

# --- facts of accounts --------------------------------------------------------------------------------------------


def holders_of(accounts: Iterable[Any]) -> defaultdict[Any, list[Technician]]:
    """Account id -> the active people who hold it now, by name. Accounts are rows or ids."""
    found: defaultdict[Any, list[Technician]] = defaultdict(list)
    live = Assignment.objects.live().filter(account__in=list(accounts), technician__status=Technician.Status.ACTIVE)
    for assignment in live.select_related("technician").order_by("technician__name", "technician__email"):
        found[assignment.account_id].append(assignment.technician)
    return found


def facts_of(accounts: Iterable[SharedAccount], *, excused: Iterable[tuple[Any, Any]] = ()) -> list[AccountFacts]:
    """As they were read last; accounts need `tenant` loaded. `excused` are pairs of account and technician ids."""
    rows = list(accounts)
    ids = [account.pk for account in rows]
    holders, need_none = holders_of(ids), set(excused)
    methods: defaultdict[Any, list[Method]] = defaultdict(list)
    for method in Method.objects.present().personal().filter(account__in=ids).select_related("authenticator"):
        methods[method.account_id].append(method)
    stay = list(
        Authenticator.objects.of_those_who_stay()
        .filter(method__account__in=ids)
        .values_list("method__account_id", "method_id", "technician_id")
    )
    ways_in: defaultdict[Any, set[Any]] = defaultdict(set)
    for account_id, method_id, _technician in stay:
        ways_in[account_id].add(method_id)
    get_in = {(account_id, technician_id) for account_id, _method, technician_id in stay}
    enrolling = _enrolling(ids)
    return [
        _facts(
            account,
            methods[account.pk],
            [
                Concerned(
                    person.pk,
                    person.name,
                    has_way_in=(account.pk, person.pk) in get_in,
                    excused=(account.pk, person.pk) in need_none,
                )
                for person in holders[account.pk]
            ],
            frozenset(ways_in[account.pk]),
            tuple(enrolling[account.pk]),
        )
        for account in rows
    ]


def _facts(
    account: SharedAccount,
    present: list[Method],
    people: list[Concerned],
    ways_in: frozenset[Any],
    enrolling: tuple[str, ...],
) -> AccountFacts:
    unknown = [method for method in present if not hasattr(method, "authenticator")]
    return AccountFacts(
        id=account.pk,
        name=account.user_principal_name,
        tenant_id=account.tenant_id,
        tenant=str(account.tenant),
        break_glass=account.break_glass,
        was_read=account.observed_at is not None,
        unknown=tuple(_unknown(method) for method in unknown),
        people=tuple(people),
        ways_in=ways_in,
        present=frozenset(method.pk for method in present),
        places_taken=sum(method.kind in SLOT_KINDS for method in present),
        enrolling=enrolling,
    )


def _unknown(method: Method) -> UnknownMethod:
    return UnknownMethod(
        id=method.pk,
        kind=MethodKind(method.kind),
        words=str(method.get_kind_display()),
        label=method.label,
        directory_id=method.directory_id,
        first_seen_at=method.first_seen_at,
        lets_in=method.kind not in NEVER_A_WAY_IN,
    )


def _enrolling(ids: list[Any]) -> defaultdict[Any, list[str]]:
    """Account id -> who is in the middle of an enrolment; one that is being activated has no end by the clock."""
    found: defaultdict[Any, list[str]] = defaultdict(list)
    waiting = Q(expires_at__gt=timezone.now()) | Q(status=Enrolment.Status.ACTIVATING)
    for account_id, name in (
        Enrolment.objects.open()
        .filter(waiting, account__in=ids)
        .order_by("technician__name")
        .values_list("account_id", "technician__name")
    ):
        found[account_id].append(name)
    return found


# --- one take-over ------------------------------------------------------------------------------------------------


def open_accounts_of(take_over: TakeOver) -> QuerySet[SharedAccount]:
    """Those that are not closed yet, with their tenants."""
    still = take_over.accounts.filter(closed_at__isnull=True)
    return SharedAccount.objects.filter(pk__in=still.values("account_id")).select_related("tenant__customer")


def facts_of_take_over(take_over: TakeOver) -> list[AccountFacts]:
    """The facts of its open accounts."""
    excused = TakeOverTask.objects.filter(take_over_account__take_over=take_over, status=EXCUSED)
    return facts_of(
        open_accounts_of(take_over), excused=excused.values_list("take_over_account__account_id", "technician_id")
    )


def open_take_over_of(account: SharedAccount) -> TakeOver | None:
    return TakeOver.objects.filter(accounts__account=account, accounts__closed_at__isnull=True).first()


@dataclass(frozen=True)
class PersonRow:
    """One person on one account. `task` is None for somebody who came to the account just now."""

    person: Concerned
    task: TakeOverTask | None

    @property
    def state(self) -> tuple[str, str]:
        """(value for the colour, words): what is true now, not what was true when the task was done."""
        if self.person.has_way_in:
            return "active", str(_("Has a way in"))
        if self.person.excused:
            return "needless", str(_("Needs none"))
        if self.task is not None and self.task.status != TakeOverTask.Status.OPEN:
            return "no_authenticator", str(_("Had one, and it is gone"))
        return "no_authenticator", str(_("Has to enrol or claim"))

    @property
    def how(self) -> str:
        """How the task was done, "" while it is open."""
        if self.task is None or self.task.status == TakeOverTask.Status.OPEN:
            return ""
        if self.task.authenticator is not None:
            return str(self.task.authenticator.get_proof_display())
        return self.task.note


@dataclass(frozen=True)
class AccountRow:
    """One account of the progress page. `facts` is None once it is closed; `bound` counts methods with an owner."""

    row: TakeOverAccount
    facts: AccountFacts | None
    people: list[PersonRow]
    bound: int


@dataclass(frozen=True)
class TakeOverPage:
    rows: list[AccountRow]
    progress: Progress


def take_over_page(take_over: TakeOver, user: Any) -> TakeOverPage:
    """Its accounts as far as the reader sees, those with the most to do first."""
    rows = list(
        TakeOverAccount.objects.visible_to(user)
        .filter(take_over=take_over)
        .select_related("account__tenant__customer")
        .order_by("closed_at", "account__tenant__default_domain", "account__user_principal_name")
    )
    tasks: defaultdict[Any, dict[Any, TakeOverTask]] = defaultdict(dict)
    for task in (
        TakeOverTask.objects.visible_to(user)
        .filter(take_over_account__take_over=take_over)
        .select_related("technician", "authenticator__method")
    ):
        tasks[task.take_over_account_id][task.technician_id] = task
    excused = [
        (row.account_id, task.technician_id)
        for row in rows
        for task in tasks[row.pk].values()
        if task.status == EXCUSED
    ]
    facts = {found.id: found for found in facts_of([r.account for r in rows if r.closed_at is None], excused=excused)}
    shown = [_account_row(row, facts.get(row.account_id), tasks[row.pk]) for row in rows]
    shown.sort(key=lambda row: (row.facts is None, -len(row.facts.waiting) if row.facts else 0))
    return TakeOverPage(shown, progress_of(facts.values(), closed=len(rows) - len(facts)))


def _account_row(row: TakeOverAccount, facts: AccountFacts | None, tasks: Mapping[Any, TakeOverTask]) -> AccountRow:
    if facts is None:
        return AccountRow(row, None, [], 0)
    people = [PersonRow(person, tasks.get(person.id)) for person in facts.people]
    return AccountRow(row, facts, people, len(facts.present) - len(facts.unknown))


def take_overs_seen_by(user: Any) -> QuerySet[TakeOver]:
    """Newest first, the open ones before those that are over; with `accounts_in_all` and `accounts_closed`."""
    seen: QuerySet[TakeOver] = TakeOver.objects.visible_to(user).select_related("owner", "run")
    mine = Q(accounts__in=TakeOverAccount.objects.visible_to(user))
    return seen.annotate(
        accounts_in_all=Count("accounts", filter=mine, distinct=True),
        accounts_closed=Count("accounts", filter=mine & Q(accounts__closed_at__isnull=False), distinct=True),
        is_over=Case(
            When(status__in=[TakeOver.Status.FINISHED, TakeOver.Status.CANCELLED], then=Value(1)), default=Value(0)
        ),
    ).order_by("is_over", "due_on", "-started_at")


def runs_of(take_over: TakeOver, user: Any) -> QuerySet[Run]:
    """The removals on its accounts since it began, newest first, as far as the reader sees."""
    return (
        Run.objects.visible_to(user)
        .filter(
            kind=Run.Kind.TAKE_OVER,
            started_at__gte=take_over.started_at,
            targets__account__in=take_over.accounts.values("account_id"),
        )
        .distinct()
        .order_by("-started_at")
    )


# --- the page of one account --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TakeOverCard:
    """What the page of an account says of the take-over that is open on it. `mine` is the reader's own task."""

    take_over: TakeOver
    mine: TakeOverTask | None
    open_tasks: int
    may_see_all: bool


def take_over_card(account: SharedAccount, person: Technician) -> TakeOverCard | None:
    """None when no take-over is open here. Call it only for an account that the reader may see."""
    row = (
        TakeOverAccount.objects.visible_to(person)
        .filter(account=account, closed_at__isnull=True)
        .select_related("take_over__owner")
        .first()
    )
    if row is None:
        return None
    tasks = TakeOverTask.objects.filter(take_over_account=row)
    return TakeOverCard(
        take_over=row.take_over,
        mine=tasks.filter(technician=person).first(),
        open_tasks=tasks.filter(
            status=TakeOverTask.Status.OPEN, technician__in=[p.pk for p in holders_of([account])[account.pk]]
        ).count(),
        may_see_all=person.may("see_people"),
    )


# --- claims -------------------------------------------------------------------------------------------------------


def claimed_method(method: Method) -> Claimed:
    """What a claim needs to know of a method."""
    others = Method.objects.present().filter(account_id=method.account_id, kind=method.kind).exclude(pk=method.pk)
    same = others.filter(label__iexact=method.label)
    return Claimed(MethodKind(method.kind), str(method.get_kind_display()), method.label, same.count())
