"""What must be so before anything of a kept seed leaves the vault."""

from __future__ import annotations

from django.utils import timezone
from django.utils.translation import gettext as _

from msp.errors import BadInput, NotPermitted
from msp.ledger.models import Entry
from technicians.actions.moderate_reveals import clock
from technicians.models import Assignment, KeptCode, Technician
from technicians.reveal_plans import HOUR, may_fetch_again_at
from tenants.policy_queries import policy_of

VERBS = ("code.shown", "seed.shown_again")


def locked_for(person: Technician, kept: KeptCode) -> tuple[Technician, KeptCode]:
    """The person and the kept seed, both locked, so that losing access comes before or after, never in between.

    Raises NotPermitted for anybody but its technician with a live assignment, BadInput when it has ended.
    """
    locked = Technician.objects.select_for_update(no_key=True).get(pk=person.pk)
    here = KeptCode.objects.select_for_update(of=("self",)).select_related("account__tenant", "authenticator__method")
    found: KeptCode = here.get(pk=kept.pk)
    live = Assignment.objects.live().filter(technician=locked, account=found.account)
    if found.technician_id != locked.pk or not locked.may("reveal") or not live.exists():
        raise NotPermitted(_("This is not yours, or the account is not assigned to you now; nothing was shown."))
    bound = found.authenticator
    if found.ended_at is not None or (bound and not bound.on_the_account):
        raise BadInput(_("Nothing is kept here for you any more; nothing was shown. Enrol anew on the account's page."))
    return locked, found


def not_too_often(person: Technician, kept: KeptCode) -> None:
    """Raises BadInput when the person was shown as much within an hour as the account's password policy allows."""
    now = timezone.now()
    limit = policy_of(kept.account).rules.reveals_per_hour
    shown = Entry.objects.of_reseller(kept.reseller_id).filter(
        verb__in=VERBS, technician_id=person.pk, at__gt=now - HOUR
    )
    again = may_fetch_again_at(shown.values_list("at", flat=True), limit=limit, now=now)
    if again is not None:
        raise BadInput(
            _(
                "You were shown %(count)d codes within an hour, and the policy of this account allows no more. Nothing "
                "was shown; you get the next one from %(time)s on."
            )
            % {"count": limit, "time": clock(again)}
        )
