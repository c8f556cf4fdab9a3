"""Check one tenant: read it, judge it, keep the result, and open or resolve the findings that go with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from msp.errors import DirectoryError, NoConnection, NotPermitted
from msp.ledger.record import record
from tenants.actions.findings import open_finding
from tenants.actions.read_tenant import read_tenant
from tenants.check_facts import CheckItem, CheckState, TenantFacts, worst_of
from tenants.check_plans import judge
from tenants.models import Finding, Tenant, TenantCheck

if TYPE_CHECKING:
    from msp.outside import Outside
    from technicians.models import Technician

KEPT = 20
"""So many checks of a tenant are kept; the ledger remembers that there were more."""


def check_tenant(tenant: Tenant, *, by: Technician | None, outside: Outside) -> TenantCheck:
    """One check, written down. `by` None is Latchkey itself. A tenant that does not answer is one of the items.

    Raises NotPermitted (nothing was read) and LedgerClosed (nothing was kept).
    """
    require_check_rights(tenant, by)
    facts = read_tenant(tenant, outside=outside)
    return _keep(tenant, facts, judge(facts), by)


def require_check_rights(tenant: Tenant, by: Technician | None) -> None:
    if by is None or (by.may("observe") and Tenant.objects.visible_to(by).filter(pk=tenant.pk).exists()):
        return
    raise NotPermitted(_("Your role may not check this tenant; nothing was read."))


@transaction.atomic
def _keep(tenant: Tenant, facts: TenantFacts, items: tuple[CheckItem, ...], by: Technician | None) -> TenantCheck:
    check = TenantCheck.objects.create(
        reseller_id=tenant.reseller_id,
        tenant=tenant,
        checked_at=facts.at,
        by=by,
        items=[item.as_json() for item in items],
        worst=worst_of(items),
    )
    too_many = list(TenantCheck.objects.filter(tenant=tenant).values_list("pk", flat=True)[KEPT:])
    TenantCheck.objects.filter(pk__in=too_many).delete()
    _note_connection(tenant, facts)
    _note_result(tenant, items)
    counts = {str(state): sum(item.state == state for item in items) for state in CheckState}
    record(
        "tenant.checked",
        reseller_id=tenant.reseller_id,
        actor=by,
        tenant_id=tenant.pk,
        worst=str(check.worst),
        items=counts,
    )
    return check


def _note_connection(tenant: Tenant, facts: TenantFacts) -> None:
    """The same words on the tenant, and the same finding, as a reading of its accounts leaves."""
    own = facts.own_access
    if isinstance(own, NoConnection):
        tenant.connection_problem = str(own)
        open_finding(Finding.Kind.NO_CONNECTION, tenant=tenant, detail=str(own))
    elif not isinstance(own, DirectoryError):
        tenant.connection_problem = ""
        _resolve(tenant, Finding.Kind.NO_CONNECTION)
    else:
        return
    tenant.save(update_fields=["connection_problem"])


def _note_result(tenant: Tenant, items: tuple[CheckItem, ...]) -> None:
    """One finding for the whole tenant. It names no account, since whoever sees the tenant may not see each of them."""
    bad = sum(item.state == CheckState.WRONG for item in items)
    if not bad:
        _resolve(tenant, Finding.Kind.CHECK_FAILED)
        return
    detail = ngettext(
        "%(count)d thing is wrong. The check of the tenant says how to mend it.",
        "%(count)d things are wrong. The check of the tenant says how to mend them.",
        bad,
    )
    open_finding(Finding.Kind.CHECK_FAILED, tenant=tenant, detail=detail % {"count": bad})


def _resolve(tenant: Tenant, kind: Finding.Kind) -> None:
    found = Finding.objects.filter(tenant=tenant, account=None, kind=kind).exclude(status=Finding.Status.RESOLVED)
    found.update(status=Finding.Status.RESOLVED, changed_at=timezone.now())
