"""A link that leads one person to their enrolment list: mailed where a mail server is set up, and of use once."""

from __future__ import annotations

import datetime as dt
import logging
import secrets
import smtplib
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.core import mail
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from msp.errors import BadInput, NotPermitted
from msp.ledger.record import record
from technicians.enrolment_lists import LinkState, digest_of, find_enrolment_link
from technicians.models import EnrolmentLink, EnrolmentRequest, Technician

LIFE = dt.timedelta(hours=24)
TOKEN_BYTES = 32

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SentLink:
    """`address` is shown once and never kept. `mailed` is False when no server took the mail."""

    link: EnrolmentLink
    address: str = field(repr=False)
    mailed: bool


def send_enrolment_link(technician: Technician, *, by: Technician, base: str) -> SentLink:
    """Make a link and mail it; `base` is the address that links begin with. Earlier links of this person end.

    Whoever opens it has to be signed in as this person, so it gives nobody else anything.
    Raises NotPermitted, BadInput (not active, nothing to enrol), LedgerClosed.
    """
    if not by.may("enrol") or by.reseller_id != technician.reseller_id:
        raise NotPermitted(_("Your role may not send enrolment links; nothing was sent."))
    if not technician.is_active:
        raise BadInput(_("%(name)s is not active; nothing was sent.") % {"name": technician})
    lines = EnrolmentRequest.objects.open().filter(technician=technician).count()
    if not lines:
        raise BadInput(_("Nothing is on the enrolment list of %(name)s; nothing was sent.") % {"name": technician})
    token = secrets.token_urlsafe(TOKEN_BYTES)
    now = timezone.now()
    with transaction.atomic():
        earlier = EnrolmentLink.objects.filter(technician=technician, used_at__isnull=True, expires_at__gt=now)
        earlier.update(expires_at=now)
        link = EnrolmentLink.objects.create(
            reseller_id=technician.reseller_id,
            technician=technician,
            digest=digest_of(token),
            made_by=by,
            expires_at=now + LIFE,
        )
        _record("enrolment_link.made", link, by=by, expires_at=link.expires_at)
    address = base.rstrip("/") + reverse("technicians:enrolment_link", args=[token])
    return SentLink(link, address, _mailed(link, address, lines))


def use_enrolment_link(token: str, *, by: Technician) -> None:
    """It has led its person to the list, and leads nobody there again. Raises BadInput when it does not work."""
    state, link = find_enrolment_link(token, by)
    with transaction.atomic():
        waiting = EnrolmentLink.objects.filter(pk=link.pk, used_at__isnull=True) if link else None
        if state != LinkState.WAITING or waiting is None or not waiting.update(used_at=timezone.now()):
            raise BadInput(_("This link does not work any more; nothing was changed."))
        assert link is not None
        _record("enrolment_link.used", link, by=by)


def _mailed(link: EnrolmentLink, address: str, lines: int) -> bool:
    """The link stands whatever becomes of the mail: its maker is told and can hand it over in another way."""
    if not settings.MAIL_FROM:
        return False
    until = f"{link.expires_at.astimezone(dt.UTC):%Y-%m-%d %H:%M}"
    body = _(
        "Hello %(person)s,\n\n"
        "you are asked to register an authenticator of your own on %(count)d shared accounts.\n"
        "Your list is here; sign in to Latchkey as yourself:\n\n"
        "%(link)s\n\n"
        "The link works once, until %(until)s UTC. Latchkey never asks for a password or a code by mail.\n"
    ) % {"person": link.technician.name, "count": lines, "link": address, "until": until}
    message = mail.EmailMessage(
        subject=_("Your enrolment list"),
        body=body,
        from_email=settings.MAIL_FROM,
        to=[link.technician.email],
        headers={"Auto-Submitted": "auto-generated"},
        connection=mail.get_connection(**settings.MAIL_SERVER()),
    )
    try:
        return bool(message.send())
    except (smtplib.SMTPException, OSError, UnicodeError, ValueError) as trouble:
        log.warning("The mail of enrolment link %s was not taken (%s).", link.pk, type(trouble).__name__)
        return False


def _record(verb: str, link: EnrolmentLink, *, by: Technician, **facts: Any) -> None:
    record(verb, reseller_id=link.reseller_id, actor=by, technician_id=link.technician_id, link=str(link.pk), **facts)
