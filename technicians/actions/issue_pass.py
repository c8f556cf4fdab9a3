"""A Temporary Access Pass for somebody who has to sign in at Microsoft before they have an authenticator there.

It serves once, lives as short as Microsoft lets it, and is taken away when the enrolment is over. The wish is written
down before Microsoft is asked, so that a pass is found again when we died between its answer and our next word.
"""

from __future__ import annotations

import datetime as dt
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from msp.errors import AccountMissing, BadInput, DirectoryError, NoConnection, NotPermitted, NotSent, Refused
from msp.ledger.record import record
from msp.microsoft.enrolment_ports import IssuedPass
from msp.microsoft.ports import MethodKind, ObservedMethod
from technicians.models import Assignment, Enrolment, Technician
from tenants.actions.connection import give_connection_back
from tenants.actions.observe_account import observe_account
from tenants.enrolment_policy_queries import enrolment_policy_of
from tenants.hands_off import demand_hands_on
from tenants.models import SharedAccount

if TYPE_CHECKING:
    from msp.outside import Outside

log = logging.getLogger(__name__)

ASKED = "asked"
"""Stands for the id of a pass that Microsoft was asked for: it may be there or not."""
MINUTES = 10
"""The shortest life that Microsoft gives (Graph reference, temporaryAccessPassAuthenticationMethod)."""
LONGEST_ANSWER = dt.timedelta(minutes=15)
"""So long after the end of an enrolment a pass that was asked for may still come to be."""
GIVE_UP_AFTER = dt.timedelta(days=1)
AT_ONCE = 100


def issue_pass(enrolment: Enrolment, *, by: Technician, outside: Outside) -> IssuedPass:
    """To be shown to this one person, this once. The door has asked for a fresh second factor.

    Raises NotPermitted for anybody else, BadInput (not allowed, had one already, over), PolicyForbids where the tenant
    allows none, LedgerClosed, and the errors of a directory. After AnswerLost it may be asked for again.
    """
    enrolment = _write_intent(enrolment, by)
    account = enrolment.account
    give_connection_back()
    try:
        issued = outside.registrar_for(*account.tenant.way).issue_pass(account.ref, minutes=MINUTES, once=True)
    except (NotSent, NoConnection, Refused) as trouble:
        with transaction.atomic():
            Enrolment.objects.filter(pk=enrolment.pk, pass_id=ASKED).update(pass_id="")
            _record("pass.refused", enrolment, by=by, problem=str(trouble))
        raise
    if not _write_issued(enrolment, issued, by):
        take_back_pass_if_any(enrolment, outside=outside)
        raise BadInput(_("The enrolment ended while Microsoft made the pass. It was taken back, and nothing is shown."))
    return issued


@transaction.atomic
def _write_intent(enrolment: Enrolment, by: Technician) -> Enrolment:
    if by.pk != enrolment.technician_id:
        raise NotPermitted(_("A pass is for %(name)s alone; nothing was made.") % {"name": enrolment.technician})
    person = Technician.objects.select_for_update(no_key=True).get(pk=by.pk)
    locked = Enrolment.objects.select_for_update(of=("self",)).select_related("account__tenant", "technician")
    found: Enrolment = locked.get(pk=enrolment.pk)
    account = found.account
    if not person.is_active or not Assignment.objects.live().filter(technician=person, account=account).exists():
        raise NotPermitted(_("The account is not assigned to you now; nothing was made."))
    demand_hands_on(account.tenant)
    if not may_have_pass(found):
        raise BadInput(_("No pass is issued here: the policy, or the state of this enrolment, does not allow it."))
    if found.pass_id not in ("", ASKED):
        raise BadInput(
            _("This enrolment has had its pass, and it is shown once only. Cancel and begin again for another one.")
        )
    if found.pass_id != ASKED and _passes_on(account).exists():
        raise BadInput(
            _(
                "Somebody has given %(account)s a Temporary Access Pass already, and another one would replace it. "
                "Nothing was made. Use that one, or have it deleted in the Entra admin center and read the account."
            )
            % {"account": account}
        )
    Enrolment.objects.filter(pk=found.pk).update(pass_id=ASKED)
    found.pass_id = ASKED
    _record("pass.asked", found, by=by, minutes=MINUTES)
    return found


def may_have_pass(enrolment: Enrolment) -> bool:
    """Whether the policy allows one, in an enrolment on Microsoft's page that is under way."""
    waits = enrolment.status == Enrolment.Status.WAITING_FOR_SCAN and enrolment.expires_at > timezone.now()
    account = enrolment.account
    at_microsoft = enrolment.registration_id is None and not account.break_glass
    return waits and at_microsoft and enrolment_policy_of(account).passes


@transaction.atomic
def _write_issued(enrolment: Enrolment, issued: IssuedPass, by: Technician) -> bool:
    """False when the enrolment ended meanwhile. Its id is kept either way, so that it is found and taken away."""
    locked: Enrolment = Enrolment.objects.select_for_update().get(pk=enrolment.pk)
    Enrolment.objects.filter(pk=enrolment.pk).update(pass_id=issued.method_id)
    enrolment.pass_id = issued.method_id
    _record("pass.issued", enrolment, by=by, method=issued.method_id, request_id=issued.request_id)
    return locked.is_open


def take_back_pass_if_any(enrolment: Enrolment, *, outside: Outside) -> None:
    """Now, or by the clock a little later when Microsoft does not let us now."""
    if not enrolment.pass_id:
        return
    try:
        take_back_pass(enrolment, outside=outside)
    except DirectoryError as trouble:
        log.warning("the pass of enrolment %s is not taken back yet: %s", enrolment.pk, trouble)


def take_back_pass(enrolment: Enrolment, *, outside: Outside) -> None:
    """Make sure that no pass of this enrolment is left. Raises the errors of `Directory.remove` and of a reading."""
    account = enrolment.account
    directory = outside.directory_for(*account.tenant.way)
    ids = [enrolment.pass_id]
    if enrolment.pass_id == ASKED:
        observe_account(account, outside=outside)
        before = set(enrolment.seen_before)
        ids = [method.directory_id for method in _passes_on(account) if str(method.pk) not in before]
        if not ids and enrolment.changed_at > timezone.now() - LONGEST_ANSWER:
            return
    for method_id in ids:
        with transaction.atomic():
            _record("pass.removal_sent", enrolment, by=None, method=method_id)
        give_connection_back()
        directory.remove(account.ref, ObservedMethod(MethodKind.TEMPORARY_ACCESS_PASS, method_id))
    _write_gone(enrolment, "pass.removed" if ids else "pass.never_made")
    # So that it does not stand there as a method of nobody; where reads lag, the next reading says it.
    with suppress(DirectoryError):
        observe_account(account, outside=outside)


def take_back_leftover_passes(*, outside: Outside) -> int:
    """Those of enrolments that are over. How many are gone; what fails is tried again. For the clock."""
    over = Enrolment.objects.exclude(pass_id="").exclude(status__in=Enrolment.OPEN)
    gone = 0
    for enrolment in over.select_related("account__tenant", "technician").order_by("changed_at")[:AT_ONCE]:
        try:
            take_back_pass(enrolment, outside=outside)
            gone += not enrolment.pass_id
        except AccountMissing:
            _write_gone(enrolment, "pass.gone_with_account")
            gone += 1
        except DirectoryError as trouble:
            if enrolment.changed_at < timezone.now() - GIVE_UP_AFTER:
                # It lived for ten minutes and serves nobody any more.
                _write_gone(enrolment, "pass.left_to_expire", problem=str(trouble))
    return gone


@transaction.atomic
def _write_gone(enrolment: Enrolment, verb: str, **facts: Any) -> None:
    Enrolment.objects.filter(pk=enrolment.pk).update(pass_id="")
    enrolment.pass_id = ""
    _record(verb, enrolment, by=None, **facts)


def _passes_on(account: SharedAccount) -> Any:
    return account.methods.present().filter(kind=MethodKind.TEMPORARY_ACCESS_PASS)


def _record(verb: str, enrolment: Enrolment, *, by: Technician | None, **facts: Any) -> None:
    record(
        verb,
        reseller_id=enrolment.reseller_id,
        actor=by,
        tenant_id=enrolment.account.tenant_id,
        account_id=enrolment.account_id,
        technician_id=enrolment.technician_id,
        enrolment=str(enrolment.pk),
        **facts,
    )
