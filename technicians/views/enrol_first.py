"""Somebody who stays is asked to enrol, before a departure takes the last way in."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from msp.access.rights import needs, reader
from msp.errors import LatchkeyError, NotPermitted
from technicians.actions.ask_to_enrol import ask_to_enrol
from technicians.models import EnrolmentRequest, Technician
from technicians.preview_queries import accounts_without_authenticator


@require_POST
@needs("enrol")
def ask(request: HttpRequest, technician_id: UUID) -> HttpResponse:
    """Every account of this person without an authenticator of theirs goes on their enrolment list."""
    person: Technician = get_object_or_404(Technician.objects.visible_to(request.user), pk=technician_id)
    accounts = accounts_without_authenticator(person, reader(request))
    try:
        lines = ask_to_enrol(person, accounts, because=EnrolmentRequest.Because.ASSIGNED, by=reader(request))
    except NotPermitted as stopped:
        raise PermissionDenied(str(stopped)) from stopped
    except LatchkeyError as trouble:
        messages.error(request, str(trouble))
        return redirect("technicians:enrolment_list_of", person.pk)
    said = ngettext(
        "%(count)d account is on the list of %(name)s. Send the link, so that they know.",
        "%(count)d accounts are on the list of %(name)s. Send the link, so that they know.",
        len(lines),
    )
    messages.success(request, said % {"count": len(lines), "name": person} if lines else _("Nothing is missing there."))
    return redirect("technicians:enrolment_list_of", person.pk)
