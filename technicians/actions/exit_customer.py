"""A customer goes: everybody of ours is taken out of its accounts, in one run, and what is theirs is handed over.

The order is what keeps the customer from being locked out: new passwords first, then the package with them, and only
then the last of our authenticators; the keys are destroyed at the very end (docs/customer-exit.md).
"""

from __future__ import annotations

from django.db import transaction
from django.utils.translation import gettext as _

from msp.errors import BadInput
from msp.ledger.record import record
from technicians.actions.departure_rules import demand_sees_everything
from technicians.actions.end_assignments_there import end_assignments_there
from technicians.actions.hand_over import close_links
from technicians.exit_queries import exit_of, holders_at, plan_exit_of
from technicians.models import Technician
from technicians.plans import DeparturePlan
from tenants.actions.open_run import open_run
from tenants.models import Customer, CustomerExit, Run


def preview_exit(customer: Customer, *, by: Technician) -> DeparturePlan:
    """What `exit_customer` would do now. Raises NotPermitted, BadInput; changes nothing."""
    demand_sees_everything(by, reseller_id=customer.reseller_id)
    _demand_first(customer)
    return plan_exit_of(customer)


@transaction.atomic
def exit_customer(
    customer: Customer, *, by: Technician | None, reason: str, plan: DeparturePlan | None = None
) -> CustomerExit:
    """End what everybody may do there and open the run, before any call to Microsoft. No `by`: the clock starts it.

    Raises NotPermitted, BadInput (no reason, no account, an exit stands already), LedgerClosed; then nothing was
    changed.
    """
    # Two managers at once: the second waits here, and then finds the exit of the first.
    customer = Customer.objects.select_for_update().get(pk=customer.pk)
    if by is not None:
        demand_sees_everything(by, reseller_id=customer.reseller_id)
    _demand_first(customer)
    if not reason.strip():
        raise BadInput(
            _("Say why %(name)s goes: the reason is part of the evidence. Nothing was changed.") % {"name": customer}
        )
    plan = plan or plan_exit_of(customer)
    if not plan.accounts:
        raise BadInput(_("%(name)s has no shared account here, so there is nothing to hand over.") % {"name": customer})
    accounts = [account.holding.account_id for account in plan.accounts]
    ended = sum(end_assignments_there(person, accounts, by=by) for person in holders_at(customer))
    # The links of whoever has just lost the account hold a password each.
    close_links()
    run = open_run(
        Run.Kind.CUSTOMER_EXIT,
        reseller=customer.reseller,
        targets=plan.targets,
        reason=reason.strip(),
        by=by,
        about={"customer": customer.name},
    )
    going = CustomerExit.objects.create(reseller=customer.reseller, customer=customer, run=run)
    record(
        "customer.exit_begun",
        reseller_id=customer.reseller_id,
        actor=by,
        run_id=run.pk,
        customer=customer.name,
        tenants=sorted({str(account.holding.tenant_id) for account in plan.accounts}),
        accounts=len(accounts),
        assignments=ended,
        reason=reason.strip(),
    )
    return going


def _demand_first(customer: Customer) -> None:
    if exit_of(customer) is not None:
        raise BadInput(
            _("The exit of %(name)s has begun already; look at that one. Nothing was changed.") % {"name": customer}
        )
