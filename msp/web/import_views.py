"""Import a file: choose it, look at what it would do, decide."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from msp.access.forms import HouseForm
from msp.access.fresh import demand_code
from msp.access.rights import needs, reader
from msp.errors import BadInput, LatchkeyError, NotPermitted
from msp.importing.flow import KINDS
from msp.importing.preview import Effect, Preview
from msp.importing.uploads import apply_upload, preview_upload, take_upload
from msp.outside import outside
from technicians.models import ImportUpload

SHOWN = 200
"""Rows of a preview that a page lists; the counts are always of all of them."""


class ImportForm(HouseForm):
    kind = forms.ChoiceField(
        label=gettext_lazy("What is in the file"), choices=[(kind.name, kind.title) for kind in KINDS.values()]
    )
    file = forms.FileField(
        label=gettext_lazy("File"),
        help_text=gettext_lazy("CSV, at most 10 MB. It is kept sealed for 15 minutes, for you alone."),
        widget=forms.FileInput(attrs={"accept": ".csv,.txt,text/csv", "class": "form-control"}),
    )


@require_http_methods(["GET", "HEAD", "POST"])
@needs("import")
def start(request: HttpRequest) -> HttpResponse:
    """Choose a kind and a file. A file that cannot be read at all stops here, with the reason."""
    form = ImportForm(request.POST or None, request.FILES or None, initial={"kind": request.GET.get("kind", "")})
    if request.method == "POST" and form.is_valid():
        file = form.cleaned_data["file"]
        try:
            upload = take_upload(
                file.read(), kind=form.cleaned_data["kind"], file_name=file.name, by=reader(request), outside=outside()
            )
        except LatchkeyError as wrong:
            form.add_error("file" if isinstance(wrong, BadInput) else None, str(wrong))
            return _start_page(request, form, _status_of(wrong))
        return redirect("import:show", upload.pk)
    return _start_page(request, form, HTTPStatus.UNPROCESSABLE_ENTITY if form.errors else HTTPStatus.OK)


@require_safe
@needs("import")
def show(request: HttpRequest, upload_id: UUID) -> HttpResponse:
    """What the file would do; once it is imported, what it did."""
    upload = get_object_or_404(ImportUpload.objects.visible_to(request.user), pk=upload_id)
    if upload.is_over:
        messages.warning(request, _("That preview is older than a quarter of an hour. Choose the file again."))
        return redirect("import:start")
    if upload.applied_at is not None:
        return render(request, "import/done.html", {"upload": upload, "kind": KINDS[upload.kind]})
    return _preview_page(request, upload)


@require_POST
@needs("import")
def apply(request: HttpRequest, upload_id: UUID) -> HttpResponse:
    """Carry it out. Pressed twice, it is carried out once, and both presses lead to the same result."""
    upload = get_object_or_404(ImportUpload.objects.visible_to(request.user), pk=upload_id)
    if upload.is_over or upload.applied_at is not None:
        return redirect("import:show", upload.pk)
    try:
        demand_code(request, request.POST.get("code", ""))
    except BadInput as wrong:
        return _preview_page(request, upload, code_error=str(wrong), status=HTTPStatus.UNPROCESSABLE_ENTITY)
    try:
        partial = request.POST.get("partial") == "yes"
        imported = apply_upload(upload.pk, by=reader(request), outside=outside(), partial=partial)
    except LatchkeyError as wrong:
        return _preview_page(request, upload, trouble=str(wrong), status=_status_of(wrong))
    if not imported:
        trouble = _("Rows have errors, so nothing was imported. Mend the file, or leave these rows out.")
        return _preview_page(request, upload, trouble=trouble, status=HTTPStatus.UNPROCESSABLE_ENTITY)
    return redirect("import:show", upload.pk)


def _start_page(request: HttpRequest, form: ImportForm, status: int) -> HttpResponse:
    return render(request, "import/start.html", {"form": form, "kinds": KINDS.values()}, status=status)


def _preview_page(
    request: HttpRequest, upload: ImportUpload, *, trouble: str = "", code_error: str = "", status: int = HTTPStatus.OK
) -> HttpResponse:
    context: dict[str, Any] = {"upload": upload, "kind": KINDS[upload.kind], "trouble": trouble, "error": code_error}
    try:
        preview = preview_upload(upload, by=reader(request), outside=outside())
    except LatchkeyError as wrong:
        context["trouble"], status = str(wrong), _status_of(wrong)
    else:
        context |= _as_context(preview)
    return render(request, "import/preview.html", context, status=status)


def _as_context(preview: Preview) -> dict[str, Any]:
    changing = [row for row in preview.plan.rows if row.effect != Effect.SAME]
    return {
        "preview": preview,
        "counts": preview.counts,
        "rows": changing[:SHOWN],
        "more_rows": max(0, len(changing) - SHOWN),
        "errors": preview.plan.errors[:SHOWN],
        "more_errors": max(0, len(preview.plan.errors) - SHOWN),
        "warnings": preview.plan.warnings[:SHOWN],
        "more_warnings": max(0, len(preview.plan.warnings) - SHOWN),
        "importing": len(changing),
    }


def _status_of(wrong: LatchkeyError) -> int:
    return HTTPStatus.FORBIDDEN if isinstance(wrong, NotPermitted) else HTTPStatus.UNPROCESSABLE_ENTITY
