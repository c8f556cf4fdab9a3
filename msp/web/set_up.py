"""The first page of an empty installation, behind a one-time link: who owns it."""

from __future__ import annotations

from http import HTTPStatus

from django.contrib.auth import login
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from msp.access.actions import choose_password, find_set_up_link, use_link
from msp.access.forms import SetUpForm
from msp.access.models import OneTimeLink
from msp.access.views import PASSWORD_ONLY, SET_UP_LINK
from msp.errors import BadInput
from technicians.actions.set_up import has_owner
from technicians.actions.set_up import set_up as make_owner
from technicians.models import Technician


@require_http_methods(["GET", "POST"])
def set_up(request: HttpRequest) -> HttpResponse:
    """The link is used up only together with the owner it makes, so a typing mistake does not cost it."""
    link = find_set_up_link(request.session.get(SET_UP_LINK))
    if link is None or has_owner():
        return render(request, "access/link_gone.html", status=HTTPStatus.GONE)
    form = SetUpForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            owner = _owner_from(form.cleaned_data, link)
        except BadInput as wrong:
            form.add_error(None, str(wrong))
        else:
            del request.session[SET_UP_LINK]
            login(request, owner, backend=PASSWORD_ONLY)
            return redirect("access:second_factor")
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.errors else HTTPStatus.OK
    return render(request, "access/set_up.html", {"form": form}, status=status)


@transaction.atomic
def _owner_from(given: dict[str, str], link: OneTimeLink) -> Technician:
    if not use_link(link):
        raise BadInput(_("This link was used a moment ago by somebody else; nothing was changed."))
    owner = make_owner(email=given["email"], name=given["name"], reseller_name=given["reseller_name"])
    choose_password(owner, given["password"])
    return owner
