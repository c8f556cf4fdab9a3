"""What pages and plans read about people and their keys."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils import timezone

from msp.microsoft.methods import PHONE_IDS
from technicians.models import Assignment, Authenticator, Reveal, Suspension, Technician
from technicians.plans import HeldMethod, Holding, Remaining
from tenants.models import Method, SecretVersion, SharedAccount


def ways_in_of_those_who_stay(account_id: UUID) -> set[Any]:
    """The ids of methods by which somebody who stays gets into this account: what the lock-out guard counts."""
    stay = Authenticator.objects.of_those_who_stay().filter(method__account_id=account_id)
    return set(stay.values_list("method_id", flat=True))


def accounts_of(technician: Technician) -> list[SharedAccount]:
    """Every account that this person could enter, or whose password in force this person has seen."""
    return list(_concerned(technician).select_related("tenant"))


def _concerned(technician: Technician) -> QuerySet[SharedAccount]:
    now = timezone.now()
    assigned = Assignment.objects.live(now).filter(technician=technician).values("account_id")
    bound = Authenticator.objects.on_the_account().filter(technician=technician).values("method__account_id")
    seen = Reveal.objects.filter(
        technician=technician,
        version__status__in=[SecretVersion.Status.CURRENT, SecretVersion.Status.UNVERIFIED],
    ).values("version__secret__account_id")
    concerned = Q(pk__in=assigned) | Q(pk__in=bound) | Q(pk__in=seen) | Q(pk__in=_held_until_lately(technician))
    found: QuerySet[SharedAccount] = SharedAccount.objects.filter(concerned)
    return found


def _held_until_lately(technician: Technician) -> list[str]:
    """The ids of the accounts of somebody whose access ended ahead of a departure that is still to begin."""
    if technician.status != Technician.Status.SUSPENDED:
        return []
    ahead = Suspension.objects.open().filter(technician=technician, run__isnull=True)
    return [line["account"] for held in ahead.values_list("accounts", flat=True) for line in held]


def holdings_of(technician: Technician, only: Collection[Any] | None = None) -> list[Holding]:
    """The facts that a departure is planned from, in a constant number of queries; `only` these accounts, by id.

    Rows are read as plain values: a page waits for thousands of them.
    """
    concerned = _concerned(technician).values_list(
        "pk", "user_principal_name", "tenant_id", "tenant__default_domain", "break_glass", "tenant__hands_off"
    )
    accounts = [row for row in concerned if only is None or row[0] in only]
    ids = [row[0] for row in accounts]
    mine = _mine(technician, ids)
    present = _by_account(Method.objects.present().personal().filter(account__in=ids).values_list("account_id", "pk"))
    stay = Authenticator.objects.of_those_who_stay(leavers=[technician]).filter(method__account__in=ids)
    ways_in, with_method = defaultdict[Any, set[Any]](set), defaultdict[Any, set[Any]](set)
    for account_id, method_id, person_id in stay.values_list("method__account_id", "method_id", "technician_id"):
        ways_in[account_id].add(method_id)
        with_method[account_id].add(person_id)
    holders: defaultdict[Any, list[tuple[Any, str]]] = defaultdict(list)
    for account_id, person_id, name in (
        Assignment.objects.live()
        .filter(account__in=ids, technician__status=Technician.Status.ACTIVE)
        .exclude(technician=technician)
        .order_by("technician__name")
        .values_list("account_id", "technician_id", "technician__name")
    ):
        holders[account_id].append((person_id, name))
    seen = set(
        Reveal.objects.filter(
            technician=technician,
            version__secret__account__in=ids,
            version__status__in=[SecretVersion.Status.CURRENT, SecretVersion.Status.UNVERIFIED],
        )
        .order_by()
        .values_list("version__secret__account_id", flat=True)
    )
    return [
        Holding(
            account_id=pk,
            account=name,
            tenant_id=tenant_id,
            tenant=domain,
            break_glass=break_glass,
            hands_off=hands_off,
            methods=tuple(mine[pk]),
            saw_current_password=pk in seen,
            remaining=tuple(Remaining(name, person in with_method[pk], person) for person, name in holders[pk]),
            ways_in=frozenset(ways_in[pk]),
            present=frozenset(present[pk]),
        )
        for pk, name, tenant_id, domain, break_glass, hands_off in accounts
    ]


def _mine(technician: Technician, ids: list[Any]) -> defaultdict[Any, list[HeldMethod]]:
    mine: defaultdict[Any, list[HeldMethod]] = defaultdict(list)
    bound = Authenticator.objects.on_the_account().filter(technician=technician, method__account__in=ids)
    kinds: dict[str, Any] = dict(Method.Kind.choices)
    for account_id, method_id, kind, directory_id, own_label, label, since in bound.order_by("bound_from").values_list(
        "method__account_id",
        "method_id",
        "method__kind",
        "method__directory_id",
        "label",
        "method__label",
        "method__first_seen_at",
    ):
        mine[account_id].append(
            HeldMethod(
                method_id, kinds[kind], own_label or label, since, goes_last=PHONE_IDS.get(directory_id) == "mobile"
            )
        )
    return mine


def _by_account(pairs: Iterable[tuple[Any, Any]]) -> defaultdict[Any, set[Any]]:
    found: defaultdict[Any, set[Any]] = defaultdict(set)
    for account_id, value in pairs:
        found[account_id].add(value)
    return found
