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
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from msp.access.forms import HouseForm
from msp.access.fresh import demand_code
from msp.access.rights import needs, reader
from msp.errors import BadInput, LatchkeyError, NotPermitted
from msp.importing.choices import MAPPED, AskForColumns, Choices
from msp.importing.flow import KINDS
from msp.importing.matching import Match, label_of
from msp.importing.preview import NO_CHANGE, Preview
from msp.importing.sources.known import OTHER, SOURCES
from msp.importing.sources.mapped import BY_NAME, FIELDS, ShownTable
from msp.importing.uploads import (
    answer_questions,
    apply_upload,
    choose_columns,
    columns_of,
    preview_upload,
    take_upload,
)
from msp.outside import outside
from msp.vault.sealed_file import is_sealed_file, open_file
from technicians.models import ImportUpload

SHOWN = 200
"""Rows of a preview that a page lists; the counts are always of all of them."""
SUGGESTED = 1000
"""Accounts that a field suggests; any other can be typed."""


class ImportForm(HouseForm):
    kind = forms.ChoiceField(
        label=gettext_lazy("What is in the file"), choices=[(kind.name, kind.title) for kind in KINDS.values()]
    )
    source = forms.ChoiceField(
        label=gettext_lazy("Which product wrote it"),
        help_text=gettext_lazy("Only for passwords from another product."),
        required=False,
        choices=[
            ("", gettext_lazy("Recognise it by its header")),
            *((source.name, source.title) for source in SOURCES.values()),
            (MAPPED, OTHER),
        ],
    )
    file = forms.FileField(
        label=gettext_lazy("File"),
        help_text=gettext_lazy(
            "CSV (of some products JSON or ZIP), at most 10 MB. It is kept sealed for 15 minutes, for you alone."
        ),
        widget=forms.FileInput(attrs={"accept": ".csv,.txt,.json,.zip,text/csv", "class": "form-control"}),
    )
    passphrase = forms.CharField(
        label=gettext_lazy("Passphrase"),
        help_text=gettext_lazy("Only for an encrypted export of Latchkey."),
        required=False,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
    )


class ColumnsForm(HouseForm):
    """One choice for each of our fields; what each column holds is guessed beforehand."""

    header = forms.BooleanField(label=gettext_lazy("The first row names the columns"), required=False)

    def __init__(self, table: ShownTable, chosen: Choices, data: Any = None) -> None:
        """What was chosen before comes first, else what the header says."""
        begin: dict[str, Any] = dict(chosen.columns or table.guess)
        super().__init__(data, initial={"header": chosen.header if chosen.columns else table.header} | begin)
        places = [(str(column.place), column.label) for column in table.columns]
        for wanted in FIELDS:
            self.fields[wanted.name] = forms.ChoiceField(
                label=str(wanted.label), required=False, choices=[("", _("not in this file")), *places]
            )
        self.order_fields([*BY_NAME, "header"])

    @property
    def chosen(self) -> dict[str, int]:
        return {name: int(self.cleaned_data[name]) for name in BY_NAME if self.cleaned_data[name]}


@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters("passphrase")
@needs("import")
def start(request: HttpRequest) -> HttpResponse:
    """Choose a kind and a file. A file that cannot be read at all stops here, with the reason."""
    form = ImportForm(request.POST or None, request.FILES or None, initial={"kind": request.GET.get("kind", "")})
    if request.method == "POST" and form.is_valid():
        file = form.cleaned_data["file"]
        data = file.read()
        try:
            if is_sealed_file(data):
                data = open_file(data, form.cleaned_data["passphrase"])
        except BadInput as wrong:
            form.add_error("passphrase", str(wrong))
            return _start_page(request, form, HTTPStatus.UNPROCESSABLE_ENTITY)
        try:
            upload = take_upload(
                data,
                kind=form.cleaned_data["kind"],
                file_name=file.name,
                by=reader(request),
                outside=outside(),
                source=form.cleaned_data["source"],
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


@require_http_methods(["GET", "HEAD", "POST"])
@needs("import")
def columns(request: HttpRequest, upload_id: UUID) -> HttpResponse:
    """Say which column of a table is which. Nothing but the choice is kept."""
    upload = get_object_or_404(ImportUpload.objects.visible_to(request.user), pk=upload_id)
    if upload.is_over or upload.applied_at is not None or not KINDS[upload.kind].of_products:
        return redirect("import:show", upload.pk)
    try:
        table, why = columns_of(upload, by=reader(request), outside=outside())
    except LatchkeyError as wrong:
        messages.error(request, str(wrong))
        return redirect("import:start")
    form = ColumnsForm(table, Choices.from_json(upload.choices), request.POST if request.method == "POST" else None)
    status = HTTPStatus.UNPROCESSABLE_ENTITY if request.method == "POST" else HTTPStatus.OK
    if request.method == "POST" and form.is_valid():
        try:
            chosen, header = form.chosen, form.cleaned_data["header"]
            choose_columns(upload, chosen, header=header, by=reader(request), outside=outside())
        except LatchkeyError as wrong:
            why = str(wrong)
        else:
            return redirect("import:show", upload.pk)
    context = {"upload": upload, "kind": KINDS[upload.kind], "form": form, "table": table, "why": why}
    return render(request, "import/columns.html", context, status=status)


@require_POST
@needs("import")
def answers(request: HttpRequest, upload_id: UUID) -> HttpResponse:
    """Whose a line is, and which of several lines counts. Only the lines that the page listed are touched."""
    upload = get_object_or_404(ImportUpload.objects.visible_to(request.user), pk=upload_id)
    if upload.is_over or upload.applied_at is not None or not KINDS[upload.kind].of_products:
        return redirect("import:show", upload.pk)
    lines = [int(line) for line in request.POST.getlist("line") if line.isascii() and line.isdigit()][:SHOWN]
    ticked = set(request.POST.getlist("counts"))
    try:
        answer_questions(
            upload,
            accounts={line: request.POST.get(f"account-{line}", "") for line in lines},
            counts={line: str(line) in ticked for line in lines},
            by=reader(request),
        )
    except LatchkeyError as wrong:
        return _preview_page(request, upload, trouble=str(wrong), status=_status_of(wrong))
    return redirect("import:show", upload.pk)


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
    except AskForColumns:
        return redirect("import:columns", upload.pk)
    except LatchkeyError as wrong:
        context["trouble"], status = str(wrong), _status_of(wrong)
    else:
        context |= _as_context(preview)
        if preview.plan.questions:
            context["accounts"] = [label_of(account) for account in Match(reader(request)).all()[:SUGGESTED]]
    return render(request, "import/preview.html", context, status=status)


def _as_context(preview: Preview) -> dict[str, Any]:
    changing = [row for row in preview.plan.rows if row.effect not in NO_CHANGE]
    return {
        "preview": preview,
        "questions": preview.plan.questions[:SHOWN],
        "more_questions": max(0, len(preview.plan.questions) - SHOWN),
        "seeds": preview.plan.seeds[:SHOWN],
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
