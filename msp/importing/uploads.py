"""The import of a file that was uploaded, looked at, and then decided upon."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from django.db import transaction

from msp.importing.flow import apply_import, preview_import
from msp.importing.preview import Preview, troubles
from technicians.actions.keep_upload import claim_upload, finish_upload, keep_upload
from technicians.models import ImportUpload

if TYPE_CHECKING:
    from msp.outside import Outside
    from technicians.models import Technician


def take_upload(data: bytes, *, kind: str, file_name: str, by: Technician, outside: Outside) -> ImportUpload:
    """Keep a file that can be read. Raises NotPermitted, BadInput (the whole file is unusable), KeyTrouble."""
    preview_import(kind, data, by=by, outside=outside)
    return keep_upload(data, kind=kind, file_name=file_name, by=by, outside=outside)


def preview_upload(upload: ImportUpload, *, by: Technician, outside: Outside) -> Preview:
    """Compared anew each time: what is shown is what would happen now."""
    data = outside.vault.open(bytes(upload.sealed), upload.place)
    return preview_import(upload.kind, data, by=by, outside=outside)


@transaction.atomic
def apply_upload(upload_id: UUID, *, by: Technician, outside: Outside, partial: bool) -> bool:
    """Import it once, however often the button is pressed. False: errors stopped it, and nothing was changed.

    Raises NotPermitted, BadInput (over, or unusable), LedgerClosed, KeyTrouble.
    """
    upload = claim_upload(upload_id, by=by)
    if upload.applied_at is not None:
        return True
    data = outside.vault.open(bytes(upload.sealed), upload.place)
    outcome = apply_import(upload.kind, data, by=by, outside=outside, partial=partial)
    if outcome.imported:
        finish_upload(upload, result={"counts": outcome.counts, "left_out": troubles(outcome.left_out)})
    return outcome.imported
