"""From bytes to rows in the database: read, compare, show; then all of it in one transaction, or nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils.translation import gettext as _

from msp.errors import BadInput, NotPermitted
from msp.importing.accounts import ACCOUNTS
from msp.importing.assignments import ASSIGNMENTS
from msp.importing.authenticators import AUTHENTICATORS
from msp.importing.choices import NONE, Choices
from msp.importing.groups import GROUPS
from msp.importing.partner_center import PARTNER_CENTER
from msp.importing.passwords import PASSWORDS
from msp.importing.preview import Kind, Outcome, Plan, Preview, nothing_to_do, rows_of
from msp.importing.sheet import Trouble
from msp.importing.technicians import TECHNICIANS
from msp.ledger.record import record
from tenants.models import Reseller

if TYPE_CHECKING:
    from msp.outside import Outside
    from technicians.models import Technician

KINDS: dict[str, Kind] = {
    kind.name: kind for kind in (PARTNER_CENTER, ACCOUNTS, PASSWORDS, GROUPS, TECHNICIANS, ASSIGNMENTS, AUTHENTICATORS)
}
"""In the order in which an empty installation needs them."""


def preview_import(kind: str, data: bytes, *, by: Technician, outside: Outside, choices: Choices = NONE) -> Preview:
    """What `apply_import` would do now; changes nothing.

    Raises NotPermitted, BadInput (the whole file is unusable; AskForColumns when a person can help), KeyTrouble.
    """
    if kind not in KINDS:
        raise BadInput(
            _("%(kind)s is no kind of file; kinds are: %(kinds)s.") % {"kind": kind, "kinds": ", ".join(KINDS)}
        )
    if not by.may("import"):
        raise NotPermitted(_("Your role may not import; nothing was changed."))
    sheet, plan = KINDS[kind].look(data, by=by, outside=outside, choices=choices)
    plan.errors = sorted([*sheet.broken, *plan.errors])
    plan.warnings.sort()
    return Preview(kind, hashlib.sha256(data).hexdigest(), sheet.encoding, sheet.guessed, sheet.ignored, plan)


def apply_import(
    kind: str,
    data: bytes,
    *,
    by: Technician,
    outside: Outside,
    partial: bool = False,
    choices: Choices = NONE,
) -> Outcome:
    """Everything, or nothing when a row has an error. With `partial`, rows with errors are left out and listed.

    The file is compared once more inside the transaction. The same file again changes nothing.
    Raises NotPermitted, BadInput (the whole file is unusable), KeyTrouble, LedgerClosed; then nothing was changed.
    """
    with transaction.atomic():
        # One import of a reseller at a time; other work goes on, because nobody else needs this lock.
        Reseller.objects.select_for_update(no_key=True).get(pk=by.reseller_id)
        preview = preview_import(kind, data, by=by, outside=outside, choices=choices)
        left_out = list(preview.plan.errors)
        if partial or not left_out:
            left_out += _carry_out(preview.plan)
        imported = partial or not left_out
        if not imported:
            transaction.set_rollback(True)
        elif preview.changes_anything:
            _write_down(preview, by=by, left_out=rows_of(left_out))
    return Outcome(imported, preview, sorted(left_out))


def _carry_out(plan: Plan) -> list[Trouble]:
    """The rows that an action refused after all, for example because somebody changes that password right now."""
    refused: dict[int, Trouble] = {}
    for act in plan.first:
        act()
    for row in plan.rows:
        if row.act is not nothing_to_do and (reason := _refused(row.act)) is not None:
            refused[row.line] = Trouble(row.line, "", reason)
    plan.rows = [row for row in plan.rows if row.line not in refused]
    return list(refused.values())


def _refused(act: Callable[[], object]) -> str | None:
    try:
        with transaction.atomic():
            act()
    except (BadInput, NotPermitted) as wrong:
        return str(wrong)
    return None


def _write_down(preview: Preview, *, by: Technician, left_out: int) -> None:
    counts = preview.counts
    record(
        "file.imported",
        reseller_id=by.reseller_id,
        actor=by,
        kind=preview.kind,
        sha256=preview.sha256,
        added=counts["add"],
        changed=counts["change"],
        left_out=left_out,
    )
