"""The end of a take-over: what nobody claimed is removed, wherever everybody concerned has a way in."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from msp.errors import BadInput, NotPermitted
from msp.ledger.record import record
from technicians.actions.start_take_over import bring_up_to_date
from technicians.models import TakeOver, Technician
from technicians.take_over_plans import RemovalPlan, plan_removal
from technicians.take_over_queries import facts_of_take_over
from tenants.actions.open_run import open_run
from tenants.models import Run, SharedAccount


def preview_removal(take_over: TakeOver, *, by: Technician, rotate: bool = False) -> RemovalPlan:
    """What `remove_unknown` would do now, as the accounts were read last. Raises NotPermitted, BadInput."""
    _may_remove(take_over, by)
    return plan_removal(facts_of_take_over(take_over), rotate=rotate)


def remove_unknown(take_over: TakeOver, *, by: Technician, reason: str, rotate: bool = False) -> TakeOver:
    """Open the run, close what is done, and leave the accounts on which a guard holds for another time.

    Where nothing unknown is left anywhere there is no run, and the take-over may be finished at once.
    Raises NotPermitted, BadInput (no reason, not open, a guard holds everywhere), LedgerClosed.
    """
    if not reason.strip():
        raise BadInput(_("Say why: the reason is part of the evidence that customers get. Nothing was changed."))
    _may_remove(take_over, by)
    bring_up_to_date(take_over)
    with transaction.atomic():
        here = TakeOver.objects.select_for_update(no_key=True).get(pk=take_over.pk)
        _may_remove(here, by)
        _lock_accounts(here)
        plan = plan_removal(facts_of_take_over(here), rotate=rotate)
        if plan.accounts and len(plan.held) == len(plan.accounts):
            raise BadInput(
                _("A guard holds on every account that is left, so nothing was removed: %(why)s")
                % {"why": " ".join(dict.fromkeys(account.hold for account in plan.held))}
            )
        run = _open_run(here, plan, by=by, reason=reason.strip()) if plan.targets else None
        closed = here.accounts.filter(closed_at__isnull=True, account__in=[a.facts.id for a in plan.at_the_end])
        closed.update(closed_at=timezone.now())
        if run is not None:
            here.advance(TakeOver.Status.REMOVING, run=run)
        elif not plan.held:
            here.advance(TakeOver.Status.FINISHED, finished_at=timezone.now())
        record(
            "take_over.removal_started" if run else "take_over.accounts_closed",
            reseller_id=here.reseller_id,
            actor=by,
            run_id=run.pk if run else None,
            take_over=str(here.pk),
            reason=reason.strip(),
            methods=plan.methods,
            accounts=plan.changed,
            held=[str(account.facts.id) for account in plan.held],
            finished=here.status == TakeOver.Status.FINISHED,
        )
    take_over.refresh_from_db()
    return take_over


def _open_run(take_over: TakeOver, plan: RemovalPlan, *, by: Technician, reason: str) -> Run:
    return open_run(
        Run.Kind.TAKE_OVER,
        reseller=take_over.reseller,
        targets=plan.targets,
        reason=reason,
        by=by,
        about={"take_over": str(take_over.pk)},
    )


def _lock_accounts(take_over: TakeOver) -> None:
    """A binding takes the same lock, so each claim is either seen by this plan or finds its step."""
    still = take_over.accounts.filter(closed_at__isnull=True).values("account_id")
    list(SharedAccount.objects.select_for_update(no_key=True).filter(pk__in=still).order_by("pk").values_list("pk"))


def _may_remove(take_over: TakeOver, by: Technician) -> None:
    if not by.may("enrol") or by.reseller_id != take_over.reseller_id:
        raise NotPermitted(_("Your role may not remove methods; nothing was changed."))
    still = take_over.accounts.filter(closed_at__isnull=True)
    seen = SharedAccount.objects.visible_to(by).filter(pk__in=still.values("account_id"))
    if seen.count() != still.count():
        raise NotPermitted(
            _(
                "You see only some accounts of this take-over, and its end concerns all of them. Ask somebody who sees "
                "every one; nothing was changed."
            )
        )
    if take_over.status != TakeOver.Status.OPEN:
        raise BadInput(
            _("This take-over is not open (%(state)s); nothing was changed.")
            % {"state": take_over.get_status_display()}
        )
