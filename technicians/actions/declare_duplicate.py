"""Say that a second device of the same person has the same seed, or that it has it no more."""

from __future__ import annotations

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from msp.errors import BadInput, NotPermitted
from msp.ledger.record import record
from msp.microsoft.ports import MethodKind
from technicians.models import Authenticator, DeclaredDuplicate, Technician
from tenants.enrolment_policy_queries import enrolment_policy_of

HAVE_A_SEED = frozenset({MethodKind.SOFTWARE_OATH, MethodKind.HARDWARE_OATH})
LONGEST_LABEL = 100


def declare_duplicate(authenticator: Authenticator, *, label: str, by: Technician) -> DeclaredDuplicate:
    """`label` names the device. Raises NotPermitted, BadInput (policy, kind, gone, said before), LedgerClosed.

    Entra ID knows one method, so both devices go together when it is removed.
    """
    _demand_right(authenticator, by)
    label = " ".join(label.split())
    account = authenticator.method.account
    if not label or len(label) > LONGEST_LABEL or not label.isprintable():
        raise BadInput(
            _("Give the second device a name of at most %(most)d characters; nothing was saved.")
            % {"most": LONGEST_LABEL}
        )
    if not authenticator.on_the_account:
        raise BadInput(_("This authenticator is not on the account any more; nothing was saved."))
    if authenticator.method.kind not in HAVE_A_SEED:
        raise BadInput(_("Only an authenticator with codes can be on two devices; nothing was saved."))
    if not enrolment_policy_of(account).duplicates:
        raise BadInput(
            _(
                "The enrolment policy of %(account)s allows no second device with the same seed; nothing was saved. "
                "Delete the entry from that device, or enrol it as an authenticator of its own."
            )
            % {"account": account}
        )
    try:
        with transaction.atomic():
            made = DeclaredDuplicate.objects.create(
                reseller_id=authenticator.reseller_id, authenticator=authenticator, label=label, declared_by=by
            )
            _write_down("duplicate.declared", made, by=by)
    except IntegrityError:
        raise BadInput(
            _("%(label)s is declared for this authenticator already; nothing was saved.") % {"label": label}
        ) from None
    return made


@transaction.atomic
def withdraw_duplicate(duplicate: DeclaredDuplicate, *, by: Technician) -> None:
    """The person says that the entry is deleted from that device. Raises NotPermitted, LedgerClosed."""
    _demand_right(duplicate.authenticator, by)
    _write_down("duplicate.withdrawn", duplicate, by=by)
    duplicate.delete()


def _demand_right(authenticator: Authenticator, by: Technician) -> None:
    own = by.is_active and by.pk == authenticator.technician_id
    if not own and not by.may("enrol"):
        raise NotPermitted(_("This is about somebody else's authenticator; nothing was changed."))


def _write_down(verb: str, duplicate: DeclaredDuplicate, *, by: Technician) -> None:
    bound = duplicate.authenticator
    record(
        verb,
        reseller_id=duplicate.reseller_id,
        actor=by,
        tenant_id=bound.method.account.tenant_id,
        account_id=bound.method.account_id,
        technician_id=bound.technician_id,
        method=str(bound.method_id),
        label=duplicate.label,
    )
