"""A new phone: enrol anew, and let the old method stay until the new one works."""

from __future__ import annotations

from django.db import transaction
from django.utils.translation import gettext as _

from msp.errors import BadInput, NotPermitted
from technicians.actions.ask_to_enrol import ask_to_enrol
from technicians.actions.take_methods_away import take_methods_away
from technicians.life_queries import old_app_holdings
from technicians.models import Assignment, EnrolmentRequest, Technician
from technicians.plans import DeparturePlan
from technicians.removal_plans import plan_removal
from tenants.models import Reach, Run, SharedAccount


def accounts_for_new_phone(technician: Technician) -> list[SharedAccount]:
    """Those that the person holds and has an authenticator app on; codes kept in the vault need no phone."""
    on_the_phone = [h.account_id for h in old_app_holdings(technician) if h.methods and not h.break_glass]
    held = Assignment.objects.live().filter(technician=technician, account__in=on_the_phone)
    accounts = SharedAccount.objects.filter(pk__in=held.values("account_id"))
    return list(accounts.select_related("tenant__customer").order_by("tenant__customer__name", "user_principal_name"))


@transaction.atomic
def ask_for_new_phone(technician: Technician, *, by: Technician) -> list[EnrolmentRequest]:
    """Nothing is taken away now: each old method goes when the new one of that account is active.

    Raises NotPermitted, BadInput (nothing on a phone), LedgerClosed.
    """
    demand_may_ask(technician, by)
    accounts = accounts_for_new_phone(technician)
    if not accounts:
        raise BadInput(
            _("No authenticator app of %(name)s is on an account, so there is nothing to move. Nothing was changed.")
            % {"name": technician}
        )
    return ask_to_enrol(technician, accounts, because=EnrolmentRequest.Because.NEW_PHONE, by=by)


def demand_may_ask(technician: Technician, by: Technician) -> None:
    """For oneself, or with the right to enrol others on every tenant. Raises NotPermitted."""
    if by.pk == technician.pk:
        return
    if not by.may("enrol") or by.reseller_id != technician.reseller_id:
        raise NotPermitted(_("Your role may not ask others to enrol; nothing was changed."))
    if by.reach != Reach.EVERYTHING:
        raise NotPermitted(
            _(
                "You see only some tenants, and a new phone concerns every tenant of %(name)s. "
                "Ask somebody who sees all of them, or %(name)s; nothing was changed."
            )
            % {"name": technician}
        )


def preview_room(request: EnrolmentRequest) -> DeparturePlan:
    """What `make_room` would take away. Raises BadInput when there is nothing, or it goes already."""
    plan = plan_removal(old_app_holdings(request.technician, [request.account_id]))
    if request.done_at or request.withdrawn_at or not plan.accounts:
        raise BadInput(
            _("There is no old authenticator of %(name)s on %(account)s to take away; nothing was changed.")
            % {"name": request.technician, "account": request.account}
        )
    return plan


@transaction.atomic
def make_room(request: EnrolmentRequest, *, by: Technician) -> Run:
    """All five places are taken, one of them by this person: the old method goes before the new one comes.

    Until then the person cannot sign in there with a code of their own. Guard on: never the last way in.
    Raises NotPermitted, BadInput, LedgerClosed.
    """
    technician = request.technician
    if by.pk != technician.pk and not (by.may("enrol") and by.reseller_id == technician.reseller_id):
        raise NotPermitted(_("Your role may not take away somebody else's authenticator; nothing was changed."))
    Technician.objects.select_for_update().only("pk").get(pk=technician.pk)
    plan = preview_room(request)
    held_back = [hold for account in plan.accounts for hold in account.holds]
    if held_back:
        raise BadInput(f"{held_back[0]} {_('Nothing was changed.')}")
    reason = _("All five places of %(account)s are taken, so the old one goes first.") % {"account": request.account}
    return take_methods_away(technician, plan, kind=Run.Kind.NEW_PHONE, reason=reason, by=by)
