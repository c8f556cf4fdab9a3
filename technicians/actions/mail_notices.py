"""Mail the notices of new passwords: at most one mail per notice, and later again when the server said no.

A notice is claimed before its mail is sent. If the answer is lost, or the process dies in between, it is not known
whether the mail went out, and it is not sent again: the notice is in Latchkey all the same.
"""

from __future__ import annotations

import datetime as dt
import logging
import smtplib
from email.utils import parseaddr

from django.conf import settings
from django.core import mail
from django.core.mail.backends.base import BaseEmailBackend
from django.db.models import Exists, F, OuterRef, QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from technicians.models import Assignment, PasswordNotice, Reveal, Technician
from tenants.models import SecretVersion

RETRY_AFTER = tuple(dt.timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 240, 720, 1440))
"""How long to wait after the first refusal, the second, ...; after the last nothing more is tried."""
AT_ONCE = 200
REFUSED = (
    smtplib.SMTPResponseException,
    smtplib.SMTPRecipientsRefused,
    smtplib.SMTPNotSupportedError,
    UnicodeError,
    ValueError,
)
"""The server said no, or the mail could not even be written down: nothing was sent."""

log = logging.getLogger(__name__)


def mail_notices(*, base: str) -> int:
    """Send what is due; how many mails the server took. `base` is the address that links begin with."""
    if not settings.MAIL_FROM:
        return 0
    now = timezone.now()
    due = PasswordNotice.objects.filter(mail_due_at__lte=now)
    wanted = _wanted(due)
    due.exclude(pk__in=wanted.values("pk")).update(mail_due_at=None)
    notices = list(
        wanted.select_related("technician", "version__secret__account__tenant__customer")
        .defer("version__sealed")
        .order_by("mail_due_at")[:AT_ONCE]
    )
    if not notices:
        return 0
    line = mail.get_connection(**settings.MAIL_SERVER())
    try:
        line.open()
    except (smtplib.SMTPException, OSError) as trouble:
        log.warning("The mail server does not answer (%s); %d mails wait.", type(trouble).__name__, len(notices))
        for notice in notices:
            if _claim(notice):
                _later(notice)
        return 0
    try:
        return _send_all(notices, line, base)
    finally:
        line.close()


def _wanted(due: QuerySet[PasswordNotice]) -> QuerySet[PasswordNotice]:
    """Not yet read or fetched, of a password in force, to somebody whose account it still is."""
    held = Assignment.objects.live().filter(
        technician=OuterRef("technician"), account=OuterRef("version__secret__account")
    )
    fetched = Reveal.objects.filter(technician=OuterRef("technician"), version=OuterRef("version"))
    return due.filter(
        Exists(held),
        ~Exists(fetched),
        read_at=None,
        technician__status=Technician.Status.ACTIVE,
        version__status__in=SecretVersion.IN_FORCE,
    )


def _send_all(notices: list[PasswordNotice], line: BaseEmailBackend, base: str) -> int:
    taken = 0
    for notice in notices:
        if not _claim(notice):
            continue
        try:
            _written(notice, base, line).send()
        except REFUSED as trouble:
            log.warning("The mail of notice %s was refused (%s).", notice.pk, type(trouble).__name__)
            _later(notice)
        except (smtplib.SMTPException, OSError) as trouble:
            log.warning(
                "It is not known whether the mail of notice %s went out (%s).", notice.pk, type(trouble).__name__
            )
            return taken
        else:
            PasswordNotice.objects.filter(pk=notice.pk).update(mailed_at=timezone.now())
            taken += 1
    return taken


def _claim(notice: PasswordNotice) -> bool:
    """Of two workers at once, one gets it."""
    mine = PasswordNotice.objects.filter(pk=notice.pk, mail_due_at=notice.mail_due_at)
    return bool(mine.update(mail_due_at=None, mail_tries=F("mail_tries") + 1))


def _later(notice: PasswordNotice) -> None:
    if notice.mail_tries < len(RETRY_AFTER):
        due_at = timezone.now() + RETRY_AFTER[notice.mail_tries]
        PasswordNotice.objects.filter(pk=notice.pk).update(mail_due_at=due_at)


def _written(notice: PasswordNotice, base: str, line: BaseEmailBackend) -> mail.EmailMessage:
    account = notice.version.secret.account
    name = " ".join(account.user_principal_name.split())
    body = _(
        "Hello %(person)s,\n\n"
        "%(account)s (%(customer)s) has a new password since %(when)s UTC.\n"
        "Fetch it in Latchkey when you need it:\n\n"
        "%(link)s\n\n"
        "Latchkey never sends a password by mail, and never asks for one.\n"
    ) % {
        "person": notice.technician.name,
        "account": name,
        "customer": account.tenant.customer.name,
        "when": f"{notice.created_at.astimezone(dt.UTC):%Y-%m-%d %H:%M}",
        "link": base.rstrip("/") + reverse("tenants:account", args=[account.pk]),
    }
    return mail.EmailMessage(
        subject=_("New password: %(account)s") % {"account": name},
        body=body,
        from_email=settings.MAIL_FROM,
        to=[notice.technician.email],
        headers={
            "Message-ID": f"<{notice.pk}@{parseaddr(settings.MAIL_FROM)[1].rpartition('@')[2]}>",
            "Auto-Submitted": "auto-generated",
        },
        connection=line,
    )
