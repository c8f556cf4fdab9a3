"""Tenants in which Latchkey reads and changes nothing: what that means for a plan, and for whoever would act."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from django.utils.translation import gettext as _

from msp.errors import BadInput
from tenants.models import SharedAccount, Tenant
from tenants.plans import PlannedTarget, hands_off, held_acts


def held_where_hands_off(targets: Sequence[PlannedTarget]) -> list[PlannedTarget]:
    """The same targets; on accounts of such tenants every act is stopped already in the plan."""
    ids = [planned.account_id for planned in targets]
    among = set(SharedAccount.objects.filter(pk__in=ids, tenant__hands_off=True).values_list("pk", flat=True))
    return [
        replace(planned, steps=held_acts(planned.steps, hands_off())) if planned.account_id in among else planned
        for planned in targets
    ]


def demand_hands_on(tenant: Tenant) -> None:
    """Before anything is changed outside of a run. Raises BadInput where Latchkey may not, or cannot."""
    if tenant.is_guided:
        raise BadInput(
            _("%(place)s is no Microsoft tenant: a person does this there, and states it here. Nothing was changed.")
            % {"place": tenant}
        )
    if tenant.hands_off:
        raise BadInput(
            _(
                "In %(tenant)s Latchkey reads and changes nothing. Do it in the Entra admin center, then read the "
                "account here. Nothing was changed."
            )
            % {"tenant": tenant}
        )
