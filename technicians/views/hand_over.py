"""The one-time link for somebody outside: made and withdrawn by those who hold the account, opened by anybody."""

from __future__ import annotations

import base64
import ipaddress
import logging
import time
from http import HTTPStatus
from typing import Any
from uuid import UUID

from axes.helpers import get_client_ip_address
from django.contrib import messages
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST
from redis.exceptions import RedisError

from msp.access.fresh import demand_code
from msp.access.rights import needs, reader
from msp.errors import BadInput, LatchkeyError, MoveLost, NotPermitted
from msp.outside import outside
from technicians.actions.hand_over import make_link, open_link, withdraw_link
from technicians.hand_over_forms import HandOverForm
from technicians.hand_over_queries import Standing, find_link, standing_of
from technicians.models import HandOverLink
from technicians.pages import assigned_now
from tenants.models import PasswordPolicy, SecretVersion, SharedAccount
from tenants.policy_queries import policy_of

LOOKS_PER_MINUTE = 120
"""From one address. This spares the database; what keeps a link from being guessed is its 128 bits."""

log = logging.getLogger(__name__)


@never_cache
@require_http_methods(["GET", "POST"])
@needs("reveal")
def hand_over(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """Make a link: it stands in this answer only."""
    seen = SharedAccount.objects.visible_to(request.user).select_related("tenant__customer")
    account: SharedAccount = get_object_or_404(seen, pk=account_id)
    if not assigned_now(reader(request), account):
        raise NotPermitted(_("This account is not assigned to you now; no link was made."))
    asks_ticket = policy_of(account).rules.asks == PasswordPolicy.Asks.TICKET
    form = HandOverForm(request.POST or None, asks_ticket=asks_ticket)
    said: dict[str, Any] = {}
    if request.method == "POST" and form.is_valid():
        try:
            demand_code(request, request.POST.get("code", ""))
        except BadInput as wrong:
            said["code_error"] = str(wrong)
        else:
            try:
                made = make_link(reader(request), account, outside=outside(), **form.cleaned_data)
            except BadInput as wrong:
                form.add_error(None, str(wrong))
            else:
                url = request.build_absolute_uri(made.link_path)
                return render(request, "hand_over/made.html", {"account": account, "made": made, "url": url})
    said |= {"account": account, "form": form, "versions": _versions(request, account)}
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.errors or "code_error" in said else HTTPStatus.OK
    return render(request, "hand_over/make.html", said, status=status)


@require_POST
@needs("reveal")
def withdraw(request: HttpRequest, link_id: UUID) -> HttpResponse:
    seen = HandOverLink.objects.visible_to(request.user).select_related("version__secret__account")
    link: HandOverLink = get_object_or_404(seen, pk=link_id)
    try:
        withdraw_link(link, by=reader(request))
    except MoveLost as lost:
        messages.error(request, str(lost))
    else:
        messages.success(request, _("The link for %(name)s does not open any more.") % {"name": link.recipient})
    return redirect("tenants:account", link.version.secret.account_id)


# HEAD is what mail scanners send: it must neither spend the link nor be refused with its address in the log.
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def open_once(request: HttpRequest, token: str) -> HttpResponse:
    """The public page. Looking at it spends nothing, because previews look; its button fetches the ciphertext."""
    address = _address(request)
    if _looks_too_often(address):
        answer = _refusal(request, "busy", HTTPStatus.TOO_MANY_REQUESTS)
    elif request.method == "POST":
        answer = _opening(request, token, address)
    else:
        answer = _page(request, token)
    # An address with a link in it goes to nobody: no other site, no search engine.
    answer["Referrer-Policy"] = "no-referrer"
    answer["X-Robots-Tag"] = "noindex, nofollow, noarchive"
    return answer


def _page(request: HttpRequest, token: str) -> HttpResponse:
    link = find_link(token)
    if link is None or standing_of(link, timezone.now()) != Standing.WAITING:
        return _gone(request, link)
    return render(request, "hand_over/open.html", {"from_whom": link.reseller.name, "until": link.expires_at})


def _opening(request: HttpRequest, token: str, address: str | None) -> HttpResponse:
    """JSON for the script of the page: `link` (its id) and `ciphertext` (Base64), or why not in the `situation`."""
    try:
        opened = open_link(token, address=address)
    except LatchkeyError:
        log.exception("A hand-over link could not be opened; it was not spent.")
        return JsonResponse({"situation": "trouble"}, status=HTTPStatus.SERVICE_UNAVAILABLE)
    if opened is None:
        return _gone(request, find_link(token))
    return JsonResponse({"link": opened.link_id, "ciphertext": base64.b64encode(opened.ciphertext).decode()})


def _gone(request: HttpRequest, link: HandOverLink | None) -> HttpResponse:
    """One answer for every link that does not open, so that nobody learns whether there was one.

    Only somebody whose link was closed by a change of the password is told so: they wait for a new one.
    """
    changed = link is not None and standing_of(link, timezone.now()) == Standing.CHANGED
    return _refusal(request, "changed" if changed else "gone", HTTPStatus.GONE)


def _refusal(request: HttpRequest, situation: str, status: HTTPStatus) -> HttpResponse:
    if request.method == "POST":
        return JsonResponse({"situation": situation}, status=status)
    return render(request, "hand_over/closed.html", {"situation": situation}, status=status)


def _address(request: HttpRequest) -> str | None:
    """Where the request came from, as the sign-in page counts it; None on a socket without addresses."""
    given = str(get_client_ip_address(request) or "")
    try:
        return str(ipaddress.ip_address(given))
    except ValueError:
        return None


def _looks_too_often(address: str | None) -> bool:
    key = f"hand-over-looks:{address}:{int(time.time() // 60)}"
    try:
        cache.add(key, 0, 120)
        return cache.incr(key) > LOOKS_PER_MINUTE
    except (RedisError, ValueError):
        # Without the counter the page still works: nothing that it protects depends on it.
        return False


def _versions(request: HttpRequest, account: SharedAccount) -> list[SecretVersion]:
    seen = SecretVersion.objects.visible_to(request.user).filter(secret__account=account)
    return list(seen.that_may_sign_in().order_by("-number"))
