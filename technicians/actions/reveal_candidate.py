"""Show a password that is to be set by hand in a guided place: kept first, written down next, shown last."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from technicians.actions.moderate_reveals import moderate
from technicians.actions.reveal_password import Shown, Words, demand_access, write_down
from technicians.models import Reveal, Technician
from tenants.actions.state_step import prepare_password, take_up
from tenants.models import SharedAccount, Step
from tenants.policy_queries import policy_of

if TYPE_CHECKING:
    from msp.outside import Outside


def reveal_candidate(step: Step, *, by: Technician, outside: Outside) -> Shown:
    """To this person, in this answer only; showing it again is another reveal. From then on it may be in force there.

    The door has asked for a fresh second factor. Raises NotPermitted without a live assignment or against a check-out,
    BadInput (not the step's turn, too many reveals), KeyTrouble, and LedgerClosed: then nothing is shown.
    """
    version = prepare_password(step, by=by, outside=outside)
    with transaction.atomic():
        # The row locks make an offboarding or a check-out at this moment come before or after, never in between.
        person = Technician.objects.select_for_update(no_key=True).get(pk=by.pk)
        account = SharedAccount.objects.select_for_update(of=("self",), no_key=True).select_related("tenant")
        found = account.get(pk=step.target.account_id)
        now, rules = timezone.now(), policy_of(found).rules
        demand_access(person, found, rules, now)
        moderate(person, found, rules, now=now)
        take_up(step, by=person)
        words = Words(_("to set it at %(place)s") % {"place": found.tenant}, "")
        write_down(person, found, [version], Reveal.Act.SHOWN, words, now)
        return Shown(version, outside.vault.open(bytes(version.sealed), version.place).decode())
