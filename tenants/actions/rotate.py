"""Change passwords because a person says so, on some accounts at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils.translation import gettext as _

from msp.errors import BadInput, NotPermitted
from tenants.actions.open_run import open_run
from tenants.exit_queries import demand_not_going
from tenants.models import Run, SharedAccount
from tenants.plans import PlannedTarget, break_glass, steps_for_rotation

if TYPE_CHECKING:
    from technicians.models import Technician


@transaction.atomic
def rotate(accounts: Sequence[SharedAccount], *, by: Technician, reason: str) -> Run:
    """One run for all of them; it begins at once. Also how an account is taken back that was changed elsewhere.

    Raises NotPermitted, BadInput (no reason, nothing that may be changed, a customer who goes), LedgerClosed; then
    nothing was changed.
    """
    if not by.may("rotate") or any(account.reseller_id != by.reseller_id for account in accounts):
        raise NotPermitted(_("Your role may not change passwords; nothing was changed."))
    if not reason.strip():
        raise BadInput(_("Say why the password changes; nothing was changed."))
    demand_not_going(accounts)
    if all(account.break_glass for account in accounts):
        raise BadInput(break_glass())
    targets = [
        PlannedTarget(account.pk, steps_for_rotation(hold=break_glass() if account.break_glass else ""))
        for account in accounts
    ]
    return open_run(Run.Kind.ROTATION, reseller=by.reseller, targets=targets, reason=reason.strip(), by=by)
