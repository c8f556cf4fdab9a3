"""What pages and plans read about people and their keys."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.utils import timezone

from msp.microsoft.methods import PHONE_IDS
from technicians.models import Assignment, Authenticator, Reveal, Technician
from technicians.plans import HeldMethod, Holding, Remaining
from tenants.models import Method, SecretVersion, SharedAccount


def ways_in_of_those_who_stay(account_id: UUID) -> set[Any]:
    """The ids of methods by which somebody who stays gets into this account: what the lock-out guard counts."""
    stay = Authenticator.objects.of_those_who_stay().filter(method__account_id=account_id)
    return set(stay.values_list("method_id", flat=True))


def accounts_of(technician: Technician) -> list[SharedAccount]:
    """Every account that this person could enter, or whose password in force this person has seen."""
    now = timezone.now()
    assigned = Assignment.objects.live(now).filter(technician=technician).values("account_id")
    bound = Authenticator.objects.on_the_account().filter(technician=technician).values("method__account_id")
    seen = Reveal.objects.filter(
        technician=technician,
        version__status__in=[SecretVersion.Status.CURRENT, SecretVersion.Status.UNVERIFIED],
    ).values("version__secret__account_id")
    concerned = SharedAccount.objects.filter(Q(pk__in=assigned) | Q(pk__in=bound) | Q(pk__in=seen))
    return list(concerned.select_related("tenant"))


def holdings_of(technician: Technician, only: Collection[Any] | None = None) -> list[Holding]:
    """The facts that a departure is planned from, in a constant number of queries; `only` these accounts, by id."""
    accounts = [a for a in accounts_of(technician) if only is None or a.pk in only]
    ids = [a.pk for a in accounts]
    mine = _mine(technician, ids)
    present = _by_account(Method.objects.present().personal().filter(account__in=ids).values_list("account_id", "pk"))
    stay = Authenticator.objects.of_those_who_stay(leavers=[technician]).filter(method__account__in=ids)
    ways_in = _by_account(stay.values_list("method__account_id", "method_id"))
    with_method = _by_account(stay.values_list("method__account_id", "technician_id"))
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
        ).values_list("version__secret__account_id", flat=True)
    )
    return [
        Holding(
            account_id=a.pk,
            account=a.user_principal_name,
            tenant_id=a.tenant_id,
            tenant=str(a.tenant),
            break_glass=a.break_glass,
            methods=tuple(mine[a.pk]),
            saw_current_password=a.pk in seen,
            remaining=tuple(Remaining(name, person in with_method[a.pk]) for person, name in holders[a.pk]),
            ways_in=frozenset(ways_in[a.pk]),
            present=frozenset(present[a.pk]),
        )
        for a in accounts
    ]


def _mine(technician: Technician, ids: list[Any]) -> defaultdict[Any, list[HeldMethod]]:
    mine: defaultdict[Any, list[HeldMethod]] = defaultdict(list)
    bound = Authenticator.objects.on_the_account().filter(technician=technician, method__account__in=ids)
    for authenticator in bound.select_related("method").order_by("bound_from"):
        method = authenticator.method
        mine[method.account_id].append(
            HeldMethod(
                method.pk,
                method.get_kind_display(),
                authenticator.label or method.label,
                method.first_seen_at,
                goes_last=PHONE_IDS.get(method.directory_id) == "mobile",
            )
        )
    return mine


def _by_account(pairs: Iterable[tuple[Any, Any]]) -> defaultdict[Any, set[Any]]:
    found: defaultdict[Any, set[Any]] = defaultdict(set)
    for account_id, value in pairs:
        found[account_id].add(value)
    return found
