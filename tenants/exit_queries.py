"""Whose accounts are a customer's own from now on, and how far an exit is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from msp.errors import BadInput
from tenants.models import CustomerExit, Run, SecretVersion, SharedAccount, Step, Target
from tenants.plans import StepKind, StepState

DONE = (StepState.VERIFIED, StepState.NEEDLESS, StepState.STATED)
"""Read back, or a person states it where nothing can be read back."""
ACCEPTED = (StepState.WAIVED,)


def customers_who_go() -> QuerySet[Any]:
    """The ids of the customers with an exit that was not called off: automation changes nothing there any more."""
    return CustomerExit.objects.standing().values("customer_id")


def customers_who_went() -> QuerySet[Any]:
    """The ids of those whose exit has ended: nothing of theirs is even read any more."""
    return CustomerExit.objects.standing().filter(ended_at__isnull=False).values("customer_id")


def hold_customer_of(account: SharedAccount) -> None:
    """Nobody begins the customer's exit before this transaction ends; one that has begun is waited for.

    A key-share lock: those who hold the customer do not wait for each other, only `exit_customer` waits for them.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.id FROM tenants_customer c JOIN tenants_tenant t ON t.customer_id = c.id WHERE t.id = %s "
            "FOR KEY SHARE OF c",
            [account.tenant_id],
        )


def demand_not_going(accounts: Iterable[SharedAccount]) -> None:
    """Raises BadInput when one of the accounts is taken over by its customer."""
    found = SharedAccount.objects.filter(
        pk__in=[account.pk for account in accounts], tenant__customer__in=customers_who_go()
    ).select_related("tenant__customer")
    going = found.first()
    if going is not None:
        raise BadInput(
            _("%(customer)s takes its accounts over, so nothing is given or changed on %(account)s. Nothing was done.")
            % {"customer": going.tenant.customer, "account": going}
        )


def is_handed_over(target: Target) -> bool:
    """The account belongs to a customer who goes, and its password is in the package that was made for them."""
    if target.run.kind != Run.Kind.CUSTOMER_EXIT:
        return False
    going = CustomerExit.objects.standing().filter(run=target.run_id, package__has_key=str(target.account_id))
    return bool(going.exists())


def customer_has_the_way_in(target: Target) -> bool:
    """The very password that is in force is in the package: nobody is locked out when our last method goes.

    This is the explicit choice that the lock-out guard asks for; who made the package, and when, is in the ledger.
    """
    if target.run.kind != Run.Kind.CUSTOMER_EXIT:
        return False
    going = CustomerExit.objects.standing().filter(run=target.run_id).values_list("package", flat=True).first()
    in_force = SecretVersion.objects.in_force().filter(secret__account=target.account_id)
    number = in_force.values_list("number", flat=True).first()
    return going is not None and number is not None and going.get(str(target.account_id)) == number


@dataclass(frozen=True)
class Part:
    """How many of a kind of step are done, accepted as a gap, and still open."""

    done: int = 0
    accepted: int = 0
    open: int = 0

    @property
    def in_all(self) -> int:
        return self.done + self.accepted + self.open

    @property
    def settled(self) -> bool:
        return not self.open


def part_of(going: CustomerExit, kind: StepKind) -> Part:
    """Over the newest step of this kind on each account; over every one where they are about methods."""
    steps = Step.objects.filter(target__run=going.run_id, kind=kind)
    if kind != StepKind.REMOVE_METHOD:
        steps = steps.order_by("target_id", "-position").distinct("target_id")
    states = list(steps.values_list("status", flat=True))
    done, accepted = (sum(state in which for state in states) for which in (DONE, ACCEPTED))
    return Part(done, accepted, len(states) - done - accepted)


def accounts_without_new_password(going: CustomerExit) -> QuerySet[Any]:
    """Those whose password is neither proven to be new nor accepted as it is."""
    open_steps = Step.objects.filter(target__run=going.run_id, kind=StepKind.ROTATE_PASSWORD).exclude(
        status__in=[*DONE, *ACCEPTED]
    )
    found: QuerySet[Any] = SharedAccount.objects.filter(pk__in=open_steps.values("target__account_id"))
    return found
