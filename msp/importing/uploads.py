"""The import of a file that was uploaded, looked at, and then decided upon."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import UUID

from django.db import transaction

from msp.importing.choices import MAPPED, AskForColumns, Choices
from msp.importing.flow import apply_import, preview_import
from msp.importing.matching import Match
from msp.importing.preview import Preview, troubles
from msp.importing.sources.export import Export
from msp.importing.sources.mapped import ShownTable, check_columns, shown
from technicians.actions.keep_upload import claim_upload, finish_upload, keep_choices, keep_upload
from technicians.models import ImportUpload

if TYPE_CHECKING:
    from msp.outside import Outside
    from technicians.models import Technician


def take_upload(
    data: bytes, *, kind: str, file_name: str, by: Technician, outside: Outside, source: str = ""
) -> ImportUpload:
    """Keep a file that can be read, or whose columns a person can still name. `source` is the product that wrote it.

    Raises NotPermitted, BadInput (the whole file is unusable), KeyTrouble.
    """
    choices = Choices(source=source)
    try:
        preview_import(kind, data, by=by, outside=outside, choices=choices)
    except AskForColumns:
        shown(Export(data))
    return keep_upload(data, kind=kind, file_name=file_name, by=by, outside=outside, choices=choices.as_json())


def preview_upload(upload: ImportUpload, *, by: Technician, outside: Outside) -> Preview:
    """Compared anew each time: what is shown is what would happen now. Raises as `preview_import` does."""
    return preview_import(
        upload.kind, _opened(upload, outside), by=by, outside=outside, choices=Choices.from_json(upload.choices)
    )


def columns_of(upload: ImportUpload, *, by: Technician, outside: Outside) -> tuple[ShownTable, str]:
    """The columns of the file with a few rows, secrets masked, and why a person is asked, if one has to be.

    Raises BadInput when it is no table, KeyTrouble.
    """
    why = ""
    try:
        preview_upload(upload, by=by, outside=outside)
    except AskForColumns as asked:
        why = str(asked)
    return shown(Export(_opened(upload, outside))), why


def choose_columns(
    upload: ImportUpload, columns: Mapping[str, int], *, header: bool, by: Technician, outside: Outside
) -> None:
    """Raises AskForColumns when these columns do not suffice, BadInput when the upload is over."""
    check_columns(columns, len(Export(_opened(upload, outside)).header))
    keep_choices(upload.pk, Choices(source=MAPPED, columns=columns, header=header).as_json(), by=by)


def answer_questions(
    upload: ImportUpload, *, accounts: Mapping[int, str], counts: Mapping[int, bool], by: Technician
) -> None:
    """Whose the passwords of some lines are, in a person's words, and whether a line counts; other lines stay.

    An empty word takes the choice back. Raises BadInput when there is no such account, or the upload is over.
    """
    chosen = Choices.from_json(upload.choices)
    match = Match(by)
    named = {line: str(match.named(said).pk) if said.strip() else "" for line, said in accounts.items()}
    merged = {line: account for line, account in {**chosen.accounts, **named}.items() if account}
    counting = chosen.counts - set(counts) | {line for line, ticked in counts.items() if ticked}
    keep_choices(upload.pk, replace(chosen, accounts=merged, counts=frozenset(counting)).as_json(), by=by)


@transaction.atomic
def apply_upload(upload_id: UUID, *, by: Technician, outside: Outside, partial: bool) -> bool:
    """Import it once, however often the button is pressed. False: errors stopped it, and nothing was changed.

    Raises NotPermitted, BadInput (over, or unusable), LedgerClosed, KeyTrouble.
    """
    upload = claim_upload(upload_id, by=by)
    if upload.applied_at is not None:
        return True
    outcome = apply_import(
        upload.kind,
        _opened(upload, outside),
        by=by,
        outside=outside,
        partial=partial,
        choices=Choices.from_json(upload.choices),
    )
    if outcome.imported:
        seeds = [{"account_id": seed.account_id, "account": seed.account} for seed in outcome.preview.plan.seeds]
        finish_upload(
            upload,
            result={"counts": outcome.counts, "left_out": troubles(outcome.left_out), "shared_seeds": seeds},
        )
    return outcome.imported


def _opened(upload: ImportUpload, outside: Outside) -> bytes:
    return outside.vault.open(bytes(upload.sealed), upload.place)
