"""Hold a sitting, and enrolments of it, until the transaction ends: whoever else wants to move them waits."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from msp.errors import BadInput, NotPermitted
from technicians.models import BulkEnrolment, Enrolment, Technician
from tenants.models import Registration


def hold_bulk(bulk: BulkEnrolment, *, by: Technician) -> BulkEnrolment:
    """Two tabs of one person do one thing after another. Raises NotPermitted for anybody else, BadInput when over."""
    if by.pk != bulk.technician_id or not by.may("see_accounts"):
        raise NotPermitted(_("This sitting is of %(name)s alone; nothing was done.") % {"name": bulk.technician})
    held = BulkEnrolment.objects.select_for_update(of=("self",)).select_related("technician").get(pk=bulk.pk)
    if held.cancelled_at or not held.technician.is_active:
        raise BadInput(_("This sitting is over: nothing was shown or activated. Look at its page."))
    return held


def hold_enrolments(wanted: QuerySet[Any]) -> list[Enrolment]:
    """Those that are still as `wanted` says, each with its registration; the registrations first, as workers do."""
    ids = list(wanted.values_list("registration_id", flat=True))
    list(Registration.objects.select_for_update(no_key=True).filter(pk__in=ids).order_by("pk").values_list("pk"))
    held = wanted.select_for_update(of=("self",)).select_related(
        "account__tenant__customer", "technician", "registration__account"
    )
    return list(held.order_by("pk"))
