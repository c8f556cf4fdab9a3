"""Look for tokens of ours that are of no use any more, and have them taken away."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from django.db.models import Exists, OuterRef
from django.utils.translation import gettext as _

from msp.errors import NotInThisCloud
from tenants.actions.connection import give_connection_back
from tenants.actions.findings import open_finding, resolve_tenant_findings
from tenants.actions.open_run import open_run
from tenants.models import Finding, Registration, Reseller, Run, Step, Tenant
from tenants.plans import SETTLED, PlannedStep, PlannedTarget, StepKind, StepState
from tenants.token_plans import is_ours

if TYPE_CHECKING:
    from msp.outside import Outside

AT_ONCE = 500


def sweep_tokens() -> int:
    """How many are taken away by new runs: those of people who left, and those of enrolments that came to nothing.

    One whose run is still to take it away is left to that run, and one that a person has to look at to that person.
    """
    in_a_run = Step.objects.filter(registration=OuterRef("pk"), kind=StepKind.DELETE_TOKEN).exclude(
        status__in=SETTLED - {StepState.REFUSED, StepState.BLOCKED, StepState.UNVERIFIED}
    )
    left = Registration.objects.to_clean_up().exclude(Exists(in_a_run)).order_by("made_at", "pk")
    of_reseller: defaultdict[Reseller, dict[object, Registration]] = defaultdict(dict)
    for registration in left.select_related("account__reseller")[:AT_ONCE]:
        # One of an account at a time: the next sweep finds the others.
        of_reseller[registration.account.reseller].setdefault(registration.account_id, registration)
    for reseller, by_account in of_reseller.items():
        open_run(
            Run.Kind.CLEAN_UP,
            reseller=reseller,
            targets=[
                PlannedTarget(account_id, (PlannedStep(StepKind.DELETE_TOKEN, registration_id=registration.pk),))
                for account_id, registration in by_account.items()
            ],
            reason=_("Tokens of ours that are of no use any more"),
            by=None,
        )
    return sum(len(by_account) for by_account in of_reseller.values())


def look_for_strays(tenant: Tenant, *, outside: Outside) -> list[str]:
    """Serial numbers in the tenant's inventory that look like ours and that nobody here knows of: a finding, no act.

    Another installation of Latchkey may have made them. Raises what `Registrar.tokens` raises.
    """
    give_connection_back()
    try:
        found = list(outside.registrar_for(*tenant.way).tokens())
    except NotInThisCloud:
        return []
    ours = {token.serial for token in found if is_ours(token.serial)}
    known = Registration.objects.filter(account__tenant=tenant, serial__in=ours, cleaned_at__isnull=True)
    strays = sorted(ours - set(known.values_list("serial", flat=True)))
    if strays:
        open_finding(
            Finding.Kind.TOKEN_LEFT_OVER,
            tenant=tenant,
            detail=_(
                "These tokens look like ours, and nobody here knows them: %(serials)s. Another Latchkey may have made "
                "them, or a backup was restored. Look at them in the Entra admin center, and delete what nobody uses."
            )
            % {"serials": ", ".join(strays)},
        )
    else:
        resolve_tenant_findings(tenant, kind=Finding.Kind.TOKEN_LEFT_OVER)
    return strays
