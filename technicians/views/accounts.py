"""One shared account: who holds it, with what, and its password for those who may have it."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from msp.access.fresh import demand_code
from msp.access.rights import needs, reader
from msp.errors import BadInput, LatchkeyError, NotPermitted
from msp.outside import outside
from technicians.actions.reveal_password import copy_password, reveal_password
from technicians.care_queries import care_of
from technicians.check_out_queries import reveal_card
from technicians.hand_over_queries import links_on
from technicians.knowledge_queries import who_knows_card
from technicians.models import Technician
from technicians.pages import account_page, assigned_now
from technicians.seed_care_queries import seed_care
from technicians.take_over_queries import take_over_card
from tenants.models import SharedAccount
from tenants.policy_pages import policy_card
from tenants.queries import runs_on
from tenants.views.tenants import say_reading

SECONDS_SHOWN = 30
"""How long a password stays on the page, and in the clipboard where the browser lets the page empty it."""

PART = "technicians/_reveal.html"


@require_safe
@needs("see_accounts")
def account(request: HttpRequest, account_id: UUID) -> HttpResponse:
    found = account_seen(request, account_id)
    return render(request, "technicians/account.html", _context(request, found))


@require_POST
@never_cache
@needs("reveal")
def reveal(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """The password, to be seen, once, in this answer only: a fragment for htmx, else the page with it."""
    found = account_seen(request, account_id)

    def show() -> HttpResponse:
        shown = reveal_password(reader(request), found, **words_of(request), outside=outside())
        return answer(request, found, {"shown": shown, "seconds": SECONDS_SHOWN})

    return guarded(request, found, show)


@require_POST
@never_cache
@needs("reveal")
def copy(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """JSON for the page's script, once: `password` for the clipboard, and `part`, what the page says without it.

    `version` in the form is the number of the one wanted. What goes wrong is said as by `reveal`.
    """
    found = account_seen(request, account_id)

    def give() -> HttpResponse:
        if not wants_json(request):
            raise BadInput(_("Copying unseen needs the script of this page, which did not run. Show it instead."))
        number = number_in(request, "version")
        copied = copy_password(reader(request), found, **words_of(request), number=number, outside=outside())
        said = {"copied": copied.version, "seconds": SECONDS_SHOWN}
        part = render_to_string(PART, _part(request, found, said), request)
        return JsonResponse({"password": copied.password, "part": part})

    return guarded(request, found, give)


@require_POST
@needs("observe")
def observe(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """Read this account from its directory, now."""
    found = account_seen(request, account_id)
    say_reading(request, [found])
    return redirect("tenants:account", found.pk)


# --- what the doors to the password share -------------------------------------------------------------------------


def guarded(request: HttpRequest, found: SharedAccount, act: Callable[[], HttpResponse]) -> HttpResponse:
    """A fresh second factor, then the act; what it refuses is said on the page of the account."""
    try:
        demand_code(request, request.POST.get("code", ""))
    except BadInput as wrong:
        return answer(request, found, {"code_error": str(wrong)}, HTTPStatus.UNPROCESSABLE_ENTITY)
    try:
        return act()
    except NotPermitted as refused:
        return answer(request, found, {"trouble": str(refused)}, HTTPStatus.FORBIDDEN)
    except LatchkeyError as trouble:
        return answer(request, found, {"trouble": str(trouble)}, HTTPStatus.UNPROCESSABLE_ENTITY)


def answer(
    request: HttpRequest, found: SharedAccount, said: dict[str, Any], status: int = HTTPStatus.OK
) -> HttpResponse:
    """The card of the password for a script, else the whole page."""
    if not by_script(request):
        return render(
            request, "technicians/account.html", _context(request, found) | _typed(request) | said, status=status
        )
    if status == HTTPStatus.FORBIDDEN:
        status = HTTPStatus.UNPROCESSABLE_ENTITY  # htmx puts no 403 into the page, and the reason must be read
    return render(request, PART, _part(request, found, said), status=status)


def by_script(request: HttpRequest) -> bool:
    """htmx asks, or the script that copies: the answer goes into the page that asked."""
    return "HX-Request" in request.headers or wants_json(request)


def wants_json(request: HttpRequest) -> bool:
    """Only the script that copies says so; whoever else asked would put the answer where it can be seen."""
    return "application/json" in request.headers.get("Accept", "")


def words_of(request: HttpRequest) -> dict[str, str]:
    return {name: request.POST.get(name, "") for name in ("reason", "ticket")}


def number_in(request: HttpRequest, name: str) -> int | None:
    """A number that was typed, None for nothing. Raises BadInput."""
    text = request.POST.get(name, "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 9):
        raise BadInput(_("%(text)s is no number; nothing was done.") % {"text": text[:20]})
    return int(text)


def account_seen(request: HttpRequest, account_id: UUID) -> SharedAccount:
    seen = SharedAccount.objects.visible_to(request.user).select_related("tenant__customer")
    found: SharedAccount = get_object_or_404(seen, pk=account_id)
    return found


def _typed(request: HttpRequest) -> dict[str, str]:
    """What stays in the form after a try."""
    return words_of(request) | {"minutes": request.POST.get("minutes", "")}


def _part(request: HttpRequest, found: SharedAccount, said: dict[str, Any]) -> dict[str, Any]:
    person = reader(request)
    card = reveal_card(found, person, assigned=assigned_now(person, found))
    context = {"account": found, "card": card, "by_script": True, **_typed(request), **said}
    if "shown" in said or "copied" in said:
        context |= {"page": account_page(found), "may_see_people": person.may("see_people")}
    return context


def _context(request: HttpRequest, found: SharedAccount) -> dict[str, Any]:
    person = reader(request)
    page = account_page(found)
    assigned = assigned_now(person, found)
    return {
        "account": found,
        "page": page,
        "care": care_of(found, person),
        "policy": policy_card(found, person),
        "hand_overs": links_on(found, person),
        "knowledge": who_knows_card(found, person),
        "findings": _findings(found, person),
        "may_see_runs": person.may("see_runs"),
        "runs": runs_on(person, account=found) if person.may("see_runs") else [],
        "may_see_people": person.may("see_people"),
        "may_observe": person.may("observe"),
        "may_classify": person.may("import"),
        "card": reveal_card(found, person, assigned=assigned),
        "may_reveal": person.may("reveal") and assigned,
        "people_to_enrol": _people_to_enrol(person, page, assigned),
        "seed_care": seed_care(found, page, person),
        "take_over_card": take_over_card(found, person),
        "may_claim": assigned or person.may("enrol"),
        "may_enrol": person.may("enrol"),
    }


def _findings(found: SharedAccount, person: Technician) -> Any:
    """Not resolved. That somebody fetched unusually much is for those to see who see people."""
    findings = found.findings.visible_to(person).exclude(status="resolved")
    return findings if person.may("see_people") else findings.exclude(kind="unusual_reveals")


def _people_to_enrol(person: Technician, page: Any, assigned: bool) -> list[Technician]:
    """Whom the reader may enrol here: oneself when assigned, every holder with the right to."""
    if person.may("enrol"):
        return [holder.assignment.technician for holder in page.holders]
    return [person] if assigned and person.may("reveal") else []
