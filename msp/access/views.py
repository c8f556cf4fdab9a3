"""The doors to Latchkey: password, second factor, one-time link. Each checks, calls an action, and leads on."""

from __future__ import annotations

import base64
from http import HTTPStatus
from typing import Any

import django_otp
from django.conf import settings
from django.contrib.auth import authenticate, login, logout, update_session_auth_hash
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from msp.access.actions import (
    check_code,
    choose_password,
    confirm_device,
    find_link,
    make_totp_device,
    otpauth_uri,
    record_sign_in,
    use_link,
)
from msp.access.forms import CodeForm, NewPasswordForm, SignInForm
from msp.access.fresh import is_fresh, remember_factor, vault
from msp.access.middleware import has_both_factors, next_door
from msp.access.models import TotpDevice
from msp.access.rights import reader
from msp.errors import BadInput
from msp.web.qr import qr_svg

PASSWORD_ONLY = "django.contrib.auth.backends.ModelBackend"
NEXT = "next"
PENDING_DEVICE = "pending_device"
SET_UP_LINK = "set_up_link"


@require_http_methods(["GET", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """The first factor. A wrong address and a wrong password get the same answer."""
    _keep_next(request)
    if request.user.is_authenticated:
        return _onwards(request)
    form = SignInForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        email, password = form.cleaned_data["email"].lower(), form.cleaned_data["password"]
        person = authenticate(request, username=email, password=password)
        if person is not None:
            _open_session(request, person)
            return _onwards(request)
        form.add_error(None, _("That e-mail and password do not fit. Check both and try again."))
    return render(request, "access/sign_in.html", {"form": form}, status=_status(form))


@require_http_methods(["GET", "POST"])
def code(request: HttpRequest) -> HttpResponse:
    """The second factor: to come in, and again before something sensitive."""
    _keep_next(request)
    inside = _is_inside(request.user)
    if is_fresh(request) if inside else next_door(request.user) != "access:code":
        return _onwards(request)
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            device = check_code(reader(request), form.cleaned_data["code"], vault=vault())
        except BadInput as wrong:
            form.add_error("code", str(wrong))
        else:
            if not inside:
                return _let_in(request, device, how="password and code")
            remember_factor(request)
            return _onwards(request)
    return render(request, "access/code.html", {"form": form}, status=_status(form))


@require_http_methods(["GET", "POST"])
def second_factor(request: HttpRequest) -> HttpResponse:
    """Set up the second factor: the first one after a password, a new one with a fresh old one, never otherwise."""
    if not _may_change_own_keys(request, "access:second_factor"):
        return _asked_again(request)
    device, seed = _pending_device(request)
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            confirm_device(device, form.cleaned_data["code"], vault=vault())
        except BadInput as wrong:
            form.add_error("code", str(wrong))
        else:
            del request.session[PENDING_DEVICE]
            return _let_in(request, device, how="new second factor")
    uri = otpauth_uri(reader(request), seed)
    picture = qr_svg(uri, alt=_("QR code that adds Latchkey to an authenticator app. The key below says the same."))
    shown = {"form": form, "qr": picture, "otpauth": uri, "key": _in_fours(seed)}
    return render(request, "access/second_factor.html", shown, status=_status(form))


@require_http_methods(["GET", "POST"])
def set_password(request: HttpRequest) -> HttpResponse:
    """Choose a password: after a one-time link when there is none yet, or a new one with a fresh second factor."""
    if not _may_change_own_keys(request, "access:set_password"):
        return _asked_again(request)
    person = reader(request)
    form = NewPasswordForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            choose_password(person, form.cleaned_data["password"])
        except BadInput as weak:
            form.add_error("password", str(weak))
        else:
            update_session_auth_hash(request, person)
            return _onwards(request)
    return render(request, "access/set_password.html", {"form": form, "person": person}, status=_status(form))


# HEAD is what mail scanners send: it must neither burn the link nor be refused with its address in the log.
@require_http_methods(["GET", "HEAD", "POST"])
def link(request: HttpRequest, token: str) -> HttpResponse:
    """A one-time link. Looking at it changes nothing, because mail scanners look; pressing the button uses it."""
    found = find_link(token)
    if found is None:
        return render(request, "access/link_gone.html", status=HTTPStatus.GONE)
    if request.method == "GET":
        return render(request, "access/link.html", {"person": found.person})
    person: Any = found.person
    if person is None:
        request.session[SET_UP_LINK] = str(found.pk)
        return redirect("access:set_up")
    if not person.is_active or not use_link(found):
        return render(request, "access/link_gone.html", status=HTTPStatus.GONE)
    logout(request)
    _open_session(request, person)
    device = TotpDevice.objects.filter(user=person, confirmed=True).first()
    if device is None:
        return _onwards(request)
    # Whoever made the link has the server's command line, so for this one session it stands for the second factor.
    return _let_in(request, device, how="one-time link")


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    logout(request)
    return redirect("access:sign_in")


def _open_session(request: HttpRequest, person: Any) -> None:
    """Half a session: it leads to the second factor and nowhere else."""
    going_to = request.session.get(NEXT)
    login(request, person, backend=PASSWORD_ONLY)
    if going_to:
        request.session[NEXT] = going_to


def _let_in(request: HttpRequest, device: TotpDevice, *, how: str) -> HttpResponse:
    record_sign_in(reader(request), how=how)
    request.session.cycle_key()
    django_otp.login(request, device)
    remember_factor(request)
    return _onwards(request)


def _onwards(request: HttpRequest) -> HttpResponse:
    """To the next door, or inside: to the page that was asked for in the first place."""
    if not _is_inside(request.user):
        return redirect(next_door(request.user))
    return redirect(request.session.pop(NEXT, None) or settings.LOGIN_REDIRECT_URL)


def _keep_next(request: HttpRequest) -> None:
    going_to = request.GET.get(NEXT, "")
    if going_to and url_has_allowed_host_and_scheme(
        going_to, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    ):
        request.session[NEXT] = going_to


def _is_inside(person: Any) -> bool:
    return has_both_factors(person) and person.has_usable_password()


def _may_change_own_keys(request: HttpRequest, door: str) -> bool:
    """Somebody for whom this is the next door, or somebody inside who has just given the second factor."""
    return is_fresh(request) if _is_inside(request.user) else next_door(request.user) == door


def _asked_again(request: HttpRequest) -> HttpResponse:
    """Somebody inside gives a code and comes back here; everybody else goes to the next door."""
    if _is_inside(request.user):
        request.session[NEXT] = request.path
        return redirect("access:code")
    return _onwards(request)


def _pending_device(request: HttpRequest) -> tuple[TotpDevice, bytes]:
    """The seed that this session is shown. Another session gets another one: nobody confirms a seed others saw."""
    person = reader(request)
    pending = TotpDevice.objects.filter(pk=request.session.get(PENDING_DEVICE), user=person, confirmed=False).first()
    if pending is not None:
        return pending, vault().open(bytes(pending.sealed), pending.place)
    device, seed = make_totp_device(person, vault=vault())
    request.session[PENDING_DEVICE] = str(device.pk)
    return device, seed


def _in_fours(seed: bytes) -> str:
    key = base64.b32encode(seed).decode().rstrip("=")
    return " ".join(key[at : at + 4] for at in range(0, len(key), 4))


def _status(form: Any) -> int:
    return HTTPStatus.UNPROCESSABLE_ENTITY if form.errors else HTTPStatus.OK
