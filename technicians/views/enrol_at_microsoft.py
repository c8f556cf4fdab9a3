"""A person registers on Microsoft's page: a pass to come in, the key from there, its codes, and then looking again."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from msp.access.fresh import demand_code
from msp.access.pictures import MAX_BYTES
from msp.access.rights import needs, reader
from msp.errors import BadInput, LatchkeyError, NotPermitted
from msp.outside import outside
from technicians.actions.enrol import demand_open, finish_enrolment
from technicians.actions.issue_pass import issue_pass
from technicians.actions.kept_code_waits import kept_and_waiting
from technicians.actions.prove_key import keep_pasted_key, prove_key
from technicians.actions.show_code import show_code
from technicians.models import Enrolment
from technicians.pasted_keys import key_in
from technicians.views.enrolment import answer, by_script, enrolment_seen


@require_POST
@never_cache
@sensitive_post_parameters("seed")
@needs("see_accounts")
def key(request: HttpRequest, enrolment_id: UUID) -> HttpResponse:
    """The key that Microsoft's page shows, pasted or as a picture: proven by a code of it, or kept for its codes."""
    found = enrolment_seen(request, enrolment_id)
    person, ports = reader(request), outside()

    def take() -> dict[str, Any]:
        demand_open(found, by=person)
        given = key_in(request.POST.get("seed", ""), _picture(request))
        if found.way == Enrolment.Way.KEPT_HERE:
            keep_pasted_key(found, given, by=person, outside=ports)
        else:
            prove_key(found, given, request.POST.get("app_code", ""), by=person, outside=ports)
        return {}

    return _acted(request, enrolment_id, take, trouble_in="key_error")


@require_POST
@never_cache
@needs("see_accounts")
def code(request: HttpRequest, enrolment_id: UUID) -> HttpResponse:
    """The code to type on Microsoft's page, of a key that is kept here."""
    found = enrolment_seen(request, enrolment_id)

    def show() -> dict[str, Any]:
        if found.technician_id != reader(request).pk:
            raise NotPermitted(_("These codes are for %(name)s alone.") % {"name": found.technician})
        kept = kept_and_waiting(found.account, found.technician)
        if kept is None:
            raise BadInput(_("No key is kept here yet: paste the one that Microsoft's page shows."))
        return {"shown_code": show_code(kept, by=reader(request), outside=outside())}

    return _with_fresh_factor(request, enrolment_id, show)


@require_POST
@never_cache
@needs("see_accounts")
def give_pass(request: HttpRequest, enrolment_id: UUID) -> HttpResponse:
    """A Temporary Access Pass, in this one answer."""
    found = enrolment_seen(request, enrolment_id)
    return _with_fresh_factor(
        request, enrolment_id, lambda: {"issued": issue_pass(found, by=reader(request), outside=outside())}
    )


@require_POST
@needs("see_accounts")
def finish(request: HttpRequest, enrolment_id: UUID) -> HttpResponse:
    """Look at the directory: exactly one new method is bound, anything else binds nobody."""
    found = enrolment_seen(request, enrolment_id)
    try:
        finish_enrolment(found, by=reader(request), outside=outside())
    except NotPermitted:
        raise
    except LatchkeyError as trouble:
        messages.error(request, str(trouble))
    else:
        messages.success(request, _("The new authenticator is bound to %(name)s.") % {"name": found.technician})
    return redirect("technicians:enrolment", found.pk)


def _with_fresh_factor(request: HttpRequest, enrolment_id: UUID, act: Callable[[], dict[str, Any]]) -> HttpResponse:
    try:
        demand_code(request, request.POST.get("code", ""))
    except BadInput as wrong:
        found = enrolment_seen(request, enrolment_id)
        return answer(request, found, {"code_error": str(wrong)}, HTTPStatus.UNPROCESSABLE_ENTITY)
    return _acted(request, enrolment_id, act)


def _acted(
    request: HttpRequest, enrolment_id: UUID, act: Callable[[], dict[str, Any]], *, trouble_in: str = "trouble"
) -> HttpResponse:
    """What the act gave, on the page as it is after it."""
    try:
        said, status = act(), HTTPStatus.OK
    except NotPermitted:
        raise
    except LatchkeyError as trouble:
        said, status = {trouble_in: str(trouble)}, HTTPStatus.UNPROCESSABLE_ENTITY
    if not said and not by_script(request):
        return redirect("technicians:enrolment", enrolment_id)
    return answer(request, enrolment_seen(request, enrolment_id), said, status)


def _picture(request: HttpRequest) -> bytes:
    """One byte more than is taken is enough to see that it is too large."""
    sent = request.FILES.get("picture")
    return sent.read(MAX_BYTES + 1) if sent is not None else b""
