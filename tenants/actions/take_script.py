"""Give out the script of what remains in one tenant: exactly the one that was looked at, and written down."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from msp.errors import BadInput, NotPermitted
from msp.ledger.record import record
from tenants.models import Run, SecretVersion, SharedAccount, Step, Tenant
from tenants.plans import StepKind
from tenants.script_plans import TAKEN_AT, Script
from tenants.script_queries import script_page

if TYPE_CHECKING:
    from msp.outside import Outside
    from technicians.models import Technician


@transaction.atomic
def take_script(run: Run, tenant: Tenant, *, digest: str, by: Technician, outside: Outside) -> Script:
    """The script whose `digest` (SHA-256, hexadecimal) the person has seen.

    Its acts remember that it was taken: only a change from then on can be the script's. Raises NotPermitted, BadInput
    (nothing remains, or it is not the one that was looked at any more), LedgerClosed; then nothing is given out.
    """
    demand_script_rights(run, tenant, by)
    # Two people at once, or a worker: one after the other.
    list(
        SharedAccount.objects.select_for_update(no_key=True)
        .filter(tenant=tenant, targets__run=run)
        .order_by("pk")
        .values_list("pk", flat=True)
    )
    page = script_page(run, tenant, ways_in=outside.ways_in)
    if not page.plan.acts:
        raise BadInput(_("Nothing is left that a script could do in %(tenant)s.") % {"tenant": tenant})
    if page.script.digest != digest:
        raise BadInput(
            _("The steps have changed since you looked, and so has the script. Look at it again; it was not given out.")
        )
    now = timezone.now().isoformat()
    for step in Step.objects.select_for_update(of=("self",)).select_related("version").filter(pk__in=page.plan.keys):
        if step.kind == StepKind.ROTATE_PASSWORD:
            _set_candidate_aside(step)
        step.was = {**step.was, TAKEN_AT: now}
        step.save(update_fields=["was", "version"])
    record(
        "script.taken",
        reseller_id=run.reseller_id,
        actor=by,
        tenant_id=tenant.pk,
        run_id=run.pk,
        digest=page.script.digest,
        steps=page.plan.keys,
        accounts=[account.user_principal_name for account in page.plan.accounts],
    )
    return page.script


def demand_script_rights(run: Run, tenant: Tenant, by: Technician) -> None:
    if not by.may("waive") or run.reseller_id != by.reseller_id or tenant.reseller_id != by.reseller_id:
        raise NotPermitted(_("Your role may not take or confirm a script; nothing was changed."))


def _set_candidate_aside(step: Step) -> None:
    """The person types a password of their own: one that was stored here and never sent will never be it."""
    version = step.version
    if version is not None and version.status == SecretVersion.Status.CANDIDATE:
        version.advance(
            SecretVersion.Status.RETIRED, retired_at=timezone.now(), retired_because=_("never sent: done by script")
        )
    step.version = None
