"""Read and set what per-user MFA demands of an account."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from msp.errors import AnswerLost, BadInput, NotPermitted
from msp.ledger.record import record
from msp.microsoft.enrolment_ports import MfaState
from tenants.actions.connection import give_connection_back
from tenants.hands_off import demand_hands_on
from tenants.models import SharedAccount

if TYPE_CHECKING:
    from msp.outside import Outside
    from technicians.models import Technician


def read_mfa_state(account: SharedAccount, *, outside: Outside) -> MfaState:
    """Ask the directory, and write the answer down with its time. Raises what `Registrar.mfa_state` raises."""
    registrar = outside.registrar_for(*account.tenant.way)
    give_connection_back()
    state = registrar.mfa_state(account.ref)
    account.mfa_state, account.mfa_state_read_at = state, timezone.now()
    SharedAccount.objects.filter(pk=account.pk).update(
        mfa_state=account.mfa_state, mfa_state_read_at=account.mfa_state_read_at
    )
    return state


def set_mfa_state(account: SharedAccount, state: MfaState, *, by: Technician, outside: Outside) -> MfaState:
    """Demand it, read back, and say what was found; the door has asked for a fresh second factor.

    What was found may differ: ENABLED becomes ENFORCED by itself once a method is registered, and a change may not be
    visible yet. Raises NotPermitted and LedgerClosed (nothing was sent), BadInput for a break-glass account, and what
    the registrar raises, the loss of the read-back among it: then what was asked for may hold.
    """
    if not by.may("enrol"):
        raise NotPermitted(_("Your role may not change what Microsoft demands of an account; nothing was changed."))
    if account.break_glass:
        raise BadInput(
            _("This is a break-glass account: Latchkey never changes how it is signed in to. Nothing was changed.")
        )
    demand_hands_on(account.tenant)
    if not account.object_id:
        raise BadInput(_("This account was never read; read it once, then try again. Nothing was changed."))
    with transaction.atomic():
        _write_down("mfa_state.sent", account, by=by, asked=state)
    registrar = outside.registrar_for(*account.tenant.way)
    give_connection_back()
    # A lost answer may have happened: the reading says whether it did.
    with contextlib.suppress(AnswerLost):
        registrar.set_mfa_state(account.ref, state)
    found = read_mfa_state(account, outside=outside)
    with transaction.atomic():
        _write_down("mfa_state.read_back", account, by=by, asked=state, found=found)
    return found


def says_so(found: MfaState, asked: MfaState) -> bool:
    """Whether what was read is what was asked for, or what that becomes by itself."""
    return found == asked or (asked, found) == (MfaState.ENABLED, MfaState.ENFORCED)


def _write_down(verb: str, account: SharedAccount, *, by: Technician, **facts: Any) -> None:
    record(
        verb,
        reseller_id=account.reseller_id,
        actor=by,
        tenant_id=account.tenant_id,
        account_id=account.pk,
        **facts,
    )
