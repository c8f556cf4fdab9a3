"""Keep a file sealed between its preview and its import, and forget it afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from msp.errors import BadInput, NotPermitted
from technicians.models import ImportUpload, Technician
from technicians.models.import_upload import at_the_latest

if TYPE_CHECKING:
    from msp.outside import Outside


@transaction.atomic
def keep_upload(
    data: bytes,
    *,
    kind: str,
    file_name: str,
    by: Technician,
    outside: Outside,
    choices: Mapping[str, Any] | None = None,
) -> ImportUpload:
    """Everybody's uploads that are over go at the same time. Raises NotPermitted, KeyTrouble."""
    if not by.may("import"):
        raise NotPermitted(_("Your role may not import; nothing was kept."))
    forget_uploads()
    upload = ImportUpload(
        reseller_id=by.reseller_id, person=by, kind=kind, file_name=file_name[:255], choices=dict(choices or {})
    )
    upload.sealed = outside.vault.seal(data, upload.place)
    upload.save()
    return upload


@transaction.atomic
def keep_choices(upload_id: UUID, choices: Mapping[str, Any], *, by: Technician) -> None:
    """What the person decided about the file. Raises BadInput when it is over, imported, or not this person's."""
    upload = claim_upload(upload_id, by=by)
    if upload.applied_at is not None:
        raise BadInput(_("This file is imported already; nothing was changed."))
    upload.choices = dict(choices)
    upload.save(update_fields=["choices"])


def forget_uploads() -> int:
    """Delete what is over; says how many."""
    gone, _rows = ImportUpload.objects.over().delete()
    return gone


def claim_upload(upload_id: UUID, *, by: Technician) -> ImportUpload:
    """The upload, locked until the end of the surrounding transaction: of two submits the second waits.

    Raises BadInput when it is over, or not this person's.
    """
    found = ImportUpload.objects.visible_to(by).select_for_update(of=("self",)).filter(pk=upload_id).first()
    if found is None or found.is_over:
        raise BadInput(
            _("This preview is older than a quarter of an hour. Choose the file again; nothing was imported.")
        )
    return found


def finish_upload(upload: ImportUpload, *, result: dict[str, Any]) -> None:
    """It was imported: the file goes, the result stays for a while. Call it in the transaction of the import."""
    upload.sealed, upload.result = b"", result
    upload.applied_at, upload.expires_at = timezone.now(), at_the_latest()
    upload.save(update_fields=["sealed", "result", "applied_at", "expires_at"])
