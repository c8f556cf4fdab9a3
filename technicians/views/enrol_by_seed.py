"""Latchkey chose the seed: its QR code is shown once, and a code from the phone proves that it arrived."""

from __future__ import annotations

import base64
from http import HTTPStatus
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from msp.access.fresh import demand_code
from msp.access.rights import needs, reader
from msp.errors import BadInput, LatchkeyError, NotPermitted
from msp.outside import outside
from msp.web.qr import qr_svg
from technicians.actions.prove_enrolment import prove_enrolment
from technicians.actions.show_seed import ShownSeed, show_seed
from technicians.views.enrolment import answer, by_script, enrolment_seen


@require_POST
@never_cache
@needs("see_accounts")
def show(request: HttpRequest, enrolment_id: UUID) -> HttpResponse:
    """The QR code in this one answer, to the one person whose it is."""
    found = enrolment_seen(request, enrolment_id)
    try:
        demand_code(request, request.POST.get("code", ""))
    except BadInput as wrong:
        return answer(request, found, {"code_error": str(wrong)}, HTTPStatus.UNPROCESSABLE_ENTITY)
    try:
        shown = show_seed(found, by=reader(request), outside=outside())
    except NotPermitted:
        raise
    except LatchkeyError as trouble:
        found.refresh_from_db()
        return answer(request, found, {"trouble": str(trouble)}, HTTPStatus.UNPROCESSABLE_ENTITY)
    found.refresh_from_db()
    return answer(request, found, {"shown": shown, "qr": _picture(shown), "key": in_groups(shown.key)})


@require_POST
@never_cache
@needs("see_accounts")
def prove(request: HttpRequest, enrolment_id: UUID) -> HttpResponse:
    """A code from the phone. A wrong one replaces the form alone, so that the QR code stays where it is."""
    found = enrolment_seen(request, enrolment_id)
    wrong = ""
    try:
        prove_enrolment(found, request.POST.get("app_code", ""), by=reader(request), outside=outside())
    except NotPermitted:
        raise
    except LatchkeyError as trouble:
        wrong = str(trouble)
    found = enrolment_seen(request, enrolment_id)
    if not wrong and not by_script(request):
        return redirect("technicians:enrolment", found.pk)
    said = {"app_code_error": wrong, "after_a_try": True} if wrong else {}
    status = HTTPStatus.UNPROCESSABLE_ENTITY if wrong else HTTPStatus.OK
    replied = answer(request, found, said, status)
    if wrong and found.is_open and by_script(request):
        replied["HX-Reselect"] = replied["HX-Retarget"] = "#prove"
    return replied


def _picture(shown: ShownSeed) -> str:
    return qr_svg(shown.address, alt=_("QR code for an authenticator app: %(name)s") % {"name": shown.issuer})


def in_groups(key: bytes) -> str:
    """Base32 in groups of four, to be typed."""
    letters = base64.b32encode(key).decode().rstrip("=")
    return " ".join(letters[at : at + 4] for at in range(0, len(letters), 4))
