"""Several passwords may sign in, and a person who tried says which one does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from msp.errors import BadInput
from msp.ledger.record import record
from tenants.actions.findings import resolve_findings
from tenants.actions.plan_next_change import plan_next_changes
from tenants.models import Finding, SecretVersion, SharedAccount, Step
from tenants.plans import DID_NOT_SIGN_IN, StepState

if TYPE_CHECKING:
    from technicians.models import Technician

UNDER_WAY = (StepState.SENDING, StepState.ACCEPTED)


@transaction.atomic
def say_which_signs_in(version: SecretVersion, *, by: Technician, reason: str) -> None:
    """That version is in force by a person's word, and the others that might have been are retired.

    It is no proof: the step that changed the password stays as it is until it is read back, retried or waived, and
    what demanded a change still does. Raises BadInput when there is nothing to decide; then nothing was changed.
    """
    if not reason.strip():
        raise BadInput(_("Say how you know which one signs in; nothing was changed."))
    account = SharedAccount.objects.select_for_update().get(pk=version.secret.account_id)
    versions = list(SecretVersion.objects.filter(secret=version.secret_id).that_may_sign_in().order_by("number"))
    chosen = next((one for one in versions if one.pk == version.pk), None)
    if chosen is None or (len(versions) == 1 and chosen.status == SecretVersion.Status.CURRENT):
        raise BadInput(_("It is settled already which password signs in; load the page again. Nothing was changed."))
    if Step.objects.filter(version__in=versions, status__in=UNDER_WAY).exists():
        raise BadInput(
            _("Latchkey is still reading back what became of the change; look again in a minute. Nothing was changed.")
        )
    for other in versions:
        if other.pk != chosen.pk:
            set_aside(other)
    if chosen.status != SecretVersion.Status.CURRENT:
        since = chosen.current_from or timezone.now()
        chosen.advance(SecretVersion.Status.CURRENT, current_from=since, proof=SecretVersion.Proof.PERSON)
    resolve_findings(account, kinds=[Finding.Kind.PASSWORD_DOUBTFUL])
    record(
        "password.settled",
        reseller_id=account.reseller_id,
        actor=by,
        tenant_id=account.tenant_id,
        account_id=account.pk,
        version=chosen.number,
        retired=[other.number for other in versions if other.pk != chosen.pk],
        reason=reason.strip(),
    )
    chosen.secret.account = account
    plan_next_changes([chosen.secret])


def set_aside(version: SecretVersion) -> None:
    """It does not sign in: it is retired, and no later reading may call the step verified that wanted it in force."""
    for step in Step.objects.select_for_update().filter(version=version, status=StepState.UNVERIFIED):
        step.was = {**step.was, DID_NOT_SIGN_IN: True}
        step.problem = _("This password was tried and does not sign in. Try again to change it to a new one.")
        step.save(update_fields=["was", "problem"])
    version.advance(SecretVersion.Status.RETIRED, retired_at=timezone.now(), retired_because=_("does not sign in"))
