"""Many accounts in one sitting: choose, scan one QR code after the other, type the codes that are asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from msp.access.fresh import demand_code, is_fresh
from msp.access.rights import needs, reader
from msp.errors import BadInput
from msp.outside import outside
from msp.web.qr import qr_svg
from technicians.actions.begin_bulk import MOST_ACCOUNTS, begin_bulk
from technicians.actions.prove_bulk_code import WrongCodes, prove_bulk_code
from technicians.actions.show_bulk_code import ShownCode, make_app_file, show_bulk_code
from technicians.actions.show_seed import app_issuer
from technicians.actions.split_bulk_code import cancel_bulk, leave_code_out, split_bulk_code
from technicians.bulk_forms import BulkForm
from technicians.bulk_queries import TAKES_MANY, Candidate, candidates_of, groups_of, scans, sitting_of
from technicians.models import BulkEnrolment, Enrolment
from tenants.enrolment_policy_queries import enrolment_policies_of

REASONS_SHOWN = 10


@dataclass(frozen=True)
class AppChoice:
    """One app, with what it can do and how many scans the accounts on the page would take."""

    value: str
    label: str
    takes_many: bool
    scans: int


@never_cache
@require_http_methods(["GET", "POST"])
@needs("see_accounts")
def begin(request: HttpRequest) -> HttpResponse:
    everything = candidates_of(reader(request))
    form = BulkForm(request.POST or None, accounts=[candidate.account for candidate in everything])
    said: dict[str, Any] = {}
    if request.method == "POST" and form.is_valid():
        try:
            demand_code(request, request.POST.get("code", ""))
        except BadInput as wrong:
            said["code_error"] = str(wrong)
        else:
            try:
                begun = begin_bulk(
                    reader(request),
                    form.cleaned_data["account"],
                    by=reader(request),
                    app=form.cleaned_data["app"],
                    accounts_per_code=form.cleaned_data["accounts_per_code"],
                    outside=outside(),
                )
            except BadInput as wrong:
                form.add_error(None, str(wrong))
            else:
                _say_left_out(request, begun.left_out)
                return redirect("technicians:bulk", begun.bulk.pk)
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.errors or said else HTTPStatus.OK
    return render(request, "technicians/bulk/begin.html", said | _choices(request, form, everything), status=status)


def _choices(request: HttpRequest, form: BulkForm, everything: list[Candidate]) -> dict[str, Any]:
    groups = groups_of(everything)
    source = request.GET.get("from", "")
    by_group = next((ids for group, ids in groups.items() if str(group.pk) == source), None)
    listed = [c for c in everything if by_group is None or c.account.pk in by_group]
    if by_group is None and source != "all":
        listed = [c for c in listed if c.is_wanted]
    chosen = set(request.POST.getlist("account")) if form.is_bound else _ticked(listed)
    most = min((p.accounts_per_code for p in enrolment_policies_of(c.account for c in listed).values()), default=10)
    many = len(chosen) or len(listed)
    return {
        "form": form,
        "candidates": [(c, str(c.account.pk) in chosen) for c in listed],
        "groups": [(str(group.pk), group.name, len(ids)) for group, ids in groups.items()],
        "source": source,
        "wanted": sum(c.is_wanted for c in everything),
        "held": len(everything),
        "chosen": many,
        "most_accounts": MOST_ACCOUNTS,
        "apps": [_app(app, many, most) for app in BulkEnrolment.App],
    }


def _ticked(listed: list[Candidate]) -> set[str]:
    return {str(c.account.pk) for c in [c for c in listed if c.is_wanted][:MOST_ACCOUNTS]}


def _app(app: BulkEnrolment.App, accounts: int, most: int) -> AppChoice:
    many = app in TAKES_MANY
    return AppChoice(str(app), str(app.label), many, scans(accounts, most if many else 1))


def _say_left_out(request: HttpRequest, left_out: dict[Any, str]) -> None:
    if not left_out:
        return
    told = " ".join(f"{account}: {reason}" for account, reason in list(left_out.items())[:REASONS_SHOWN])
    first = ngettext("%(n)d account was left out.", "%(n)d accounts were left out.", len(left_out))
    messages.warning(request, f"{first % {'n': len(left_out)}} {told}")


@never_cache
@vary_on_headers("HX-Request", "HX-Target")
@require_safe
@needs("see_accounts")
def sitting(request: HttpRequest, bulk_id: UUID) -> HttpResponse:
    part = {"progress": "_progress", "sitting": "_sitting"}.get(request.headers.get("HX-Target", ""), "sitting")
    return _answer(request, _seen(request, bulk_id), part=part)


@never_cache
@require_POST
@needs("see_accounts")
def show(request: HttpRequest, bulk_id: UUID) -> HttpResponse:
    bulk = _seen(request, bulk_id)
    try:
        demand_code(request, request.POST.get("code", ""))
    except BadInput as wrong:
        return _answer(request, bulk, status=HTTPStatus.UNPROCESSABLE_ENTITY, code_error=str(wrong))
    try:
        shown = show_bulk_code(bulk, by=reader(request), outside=outside())
    except BadInput as wrong:
        return _answer(request, bulk, status=HTTPStatus.UNPROCESSABLE_ENTITY, trouble=str(wrong))
    return _answer(request, bulk, shown=shown)


@never_cache
@require_POST
@needs("see_accounts")
def prove(request: HttpRequest, bulk_id: UUID) -> HttpResponse:
    """A wrong code changes only the form, so that the picture stays; a right one goes on by itself."""
    bulk = _seen(request, bulk_id)
    typed = {name.removeprefix("code-"): str(code) for name, code in request.POST.items() if name.startswith("code-")}
    try:
        proven = prove_bulk_code(bulk, _number(request), typed, by=reader(request), outside=outside())
    except WrongCodes as wrong:
        answer = _answer(
            request, bulk, part="_codes", status=HTTPStatus.UNPROCESSABLE_ENTITY,
            trouble=str(wrong), sentences=wrong.sentences, typed=typed,
        )  # fmt: skip
        answer["HX-Retarget"], answer["HX-Reswap"] = "#codes", "outerHTML"
        return answer
    except BadInput as wrong:
        return _answer(request, bulk, status=HTTPStatus.UNPROCESSABLE_ENTITY, trouble=str(wrong))
    words = ngettext("The code is right: %(n)d account.", "The codes are right: %(n)d accounts.", proven)
    return _answer(request, bulk, good=words % {"n": proven}, shown=_next_one(request, bulk))


def _next_one(request: HttpRequest, bulk: BulkEnrolment) -> ShownCode | None:
    """In the quick loop of single QR codes the next one comes by itself, as long as the second factor is fresh."""
    if bulk.accounts_per_code > 1 or not is_fresh(request) or not sitting_of(bulk).next_up:
        return None
    try:
        return show_bulk_code(bulk, by=reader(request), outside=outside())
    except BadInput:
        # It changed at this moment; the page says how it stands, and has the button.
        return None


@never_cache
@require_POST
@needs("see_accounts")
def smaller(request: HttpRequest, bulk_id: UUID) -> HttpResponse:
    return _act(request, bulk_id, lambda bulk: split_bulk_code(bulk, _number(request), by=reader(request)))


@never_cache
@require_POST
@needs("see_accounts")
def leave_out(request: HttpRequest, bulk_id: UUID) -> HttpResponse:
    return _act(request, bulk_id, lambda bulk: leave_code_out(bulk, _number(request), by=reader(request)))


@never_cache
@require_POST
@needs("see_accounts")
def cancel(request: HttpRequest, bulk_id: UUID) -> HttpResponse:
    return _act(request, bulk_id, lambda bulk: cancel_bulk(bulk, by=reader(request)))


@never_cache
@require_POST
@needs("see_accounts")
def app_file(request: HttpRequest, bulk_id: UUID) -> HttpResponse:
    """A file for the app, encrypted with a passphrase of the person's own; it is nowhere but in this answer."""
    bulk, passphrase = _seen(request, bulk_id), request.POST.get("passphrase", "")
    try:
        demand_code(request, request.POST.get("code", ""))
        if passphrase != request.POST.get("again", ""):
            raise BadInput(_("The two passphrases differ; no file was made."))
        made = make_app_file(bulk, passphrase=passphrase, by=reader(request), outside=outside())
    except BadInput as wrong:
        return _answer(request, bulk, status=HTTPStatus.UNPROCESSABLE_ENTITY, file_trouble=str(wrong))
    headers = {"Content-Disposition": f'attachment; filename="{made.name}"'}
    return HttpResponse(made.content, content_type="application/octet-stream", headers=headers)


def _act(request: HttpRequest, bulk_id: UUID, act: Callable[[BulkEnrolment], int]) -> HttpResponse:
    bulk = _seen(request, bulk_id)
    try:
        act(bulk)
    except BadInput as wrong:
        return _answer(request, bulk, status=HTTPStatus.UNPROCESSABLE_ENTITY, trouble=str(wrong))
    return redirect("technicians:bulk", bulk.pk)


def _answer(
    request: HttpRequest,
    bulk: BulkEnrolment,
    *,
    part: str = "",
    status: HTTPStatus = HTTPStatus.OK,
    shown: ShownCode | None = None,
    **said: Any,
) -> HttpResponse:
    """The part for htmx (`part`, by default the sitting with its progress), the whole page for everybody else."""
    if "HX-Request" not in request.headers:
        part = "sitting"
    bulk = _seen(request, bulk.pk)
    mine = bulk.technician_id == reader(request).pk
    now_standing = sitting_of(bulk, seen_by=None if mine else reader(request))
    context = said | {
        "bulk": bulk,
        "sitting": now_standing,
        "is_mine": mine,
        "names": [(e, app_issuer(e.account, bulk.technician)) for e in _on_it(now_standing, shown)],
        "asked": [(e, app_issuer(e.account, bulk.technician)) for e in now_standing.asked],
        "with_progress": part == "",
    }
    if shown:
        label = _("QR code %(number)d with the accounts that are listed beside it") % {"number": shown.code.number}
        context |= {
            "picture": qr_svg(shown.text, alt=label, many=bulk.accounts_per_code > 1),
            "seconds": max(1, int((shown.until - timezone.now()).total_seconds())),
        }
    return render(request, f"technicians/bulk/{part or '_sitting'}.html", context, status=status)


def _on_it(standing: Any, shown: ShownCode | None) -> list[Enrolment]:
    """The accounts of the QR code on screen, else of the next one."""
    code = standing.on_screen
    if code is not None:
        return list(standing.waiting_in(code))
    return [] if shown else list(standing.next_up)


def _number(request: HttpRequest) -> int:
    number = request.POST.get("number", "")
    return int(number) if number.isascii() and number.isdigit() and len(number) < 6 else 0


def _seen(request: HttpRequest, bulk_id: UUID) -> BulkEnrolment:
    seen = BulkEnrolment.objects.visible_to(request.user).select_related("technician", "run")
    found: BulkEnrolment = get_object_or_404(seen, pk=bulk_id)
    return found
