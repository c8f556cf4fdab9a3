"""What a customer's exit concerns: every shared account there, and every method of ours on it."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from django.utils import timezone

from msp.microsoft.methods import PHONE_IDS
from technicians.exit_plans import plan_exit
from technicians.models import Assignment, Authenticator, Technician
from technicians.plans import DeparturePlan, HeldMethod, Holding
from tenants.departure_policy_queries import tries_asked_by
from tenants.models import Customer, CustomerExit, Method, SharedAccount


def plan_exit_of(customer: Customer) -> DeparturePlan:
    """What `exit_customer` would do now."""
    return plan_exit(exit_holdings(customer), tries_asked_by(customer.reseller_id))


def exit_holdings(customer: Customer) -> list[Holding]:
    """Whose each method is stands in its label, whether its owner is still here or not. Three queries."""
    accounts = SharedAccount.objects.filter(tenant__customer=customer).select_related("tenant")
    ours: defaultdict[Any, list[HeldMethod]] = defaultdict(list)
    bound = Authenticator.objects.on_the_account().filter(method__account__tenant__customer=customer)
    for key in bound.select_related("method", "technician").order_by("technician__name", "bound_from"):
        ours[key.method.account_id].append(_held(key))
    present: defaultdict[Any, set[Any]] = defaultdict(set)
    there = Method.objects.present().personal().filter(account__tenant__customer=customer)
    for account_id, method_id in there.values_list("account_id", "pk"):
        present[account_id].add(method_id)
    return [
        Holding(
            account_id=account.pk,
            account=account.user_principal_name,
            tenant_id=account.tenant_id,
            tenant=account.tenant.default_domain,
            break_glass=account.break_glass,
            methods=tuple(ours[account.pk]),
            saw_current_password=True,
            remaining=(),
            ways_in=frozenset(),
            present=frozenset(present[account.pk]),
            hands_off=account.tenant.hands_off,
        )
        for account in accounts
    ]


def _held(key: Authenticator) -> HeldMethod:
    method, label = key.method, key.label or key.method.label
    return HeldMethod(
        method.pk,
        method.get_kind_display(),
        f"{key.technician}: {label}" if label else str(key.technician),
        method.first_seen_at,
        goes_last=PHONE_IDS.get(method.directory_id) == "mobile",
    )


def holders_at(customer: Customer) -> list[Technician]:
    """Everybody with an assignment there, now or to come."""
    held = Assignment.objects.filter(account__tenant__customer=customer)
    ahead = held.live() | held.filter(from_at__gt=timezone.now())
    return list(Technician.objects.filter(pk__in=ahead.values("technician_id")).order_by("pk"))


def exit_of(customer: Customer) -> CustomerExit | None:
    """The one that stands, if any."""
    found: CustomerExit | None = (
        CustomerExit.objects.standing().filter(customer=customer).select_related("run", "customer").first()
    )
    return found
