"""Send what `tell` wrote down: mails at most once, webhooks until they are taken or too often refused.

A mail whose answer is lost is not sent again, as nobody wants it twice; a webhook is, because its receiver knows the
delivery's id.
"""

from __future__ import annotations

import datetime as dt
import logging
import smtplib
from email.utils import parseaddr
from typing import Any

from django.conf import settings
from django.core import mail
from django.core.mail.backends.base import BaseEmailBackend
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from msp.errors import LatchkeyError
from msp.ledger.canonical import rfc3339
from msp.microsoft.transport import trusted_authorities
from msp.vault.signing import evidence_key
from msp.webhooks import envelope, post
from tenants.models import Delivery

RETRY_AFTER = tuple(dt.timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 240, 720, 1440))
"""How long to wait after the first failure, the second, ...; after the last nothing more is tried."""
DIED_MEANWHILE = dt.timedelta(minutes=5)
"""When a webhook is tried again whose sender did not live to write down what became of it."""
TOO_OLD = dt.timedelta(days=4)
AT_ONCE = 100
REFUSED = (
    smtplib.SMTPResponseException,
    smtplib.SMTPRecipientsRefused,
    smtplib.SMTPNotSupportedError,
    UnicodeError,
    ValueError,
)
"""The server said no, or the mail could not even be written down: nothing was sent."""

log = logging.getLogger(__name__)


def send_deliveries(*, base: str) -> int:
    """Send what is due; how many were taken. `base` is the address that links begin with."""
    now = timezone.now()
    due = Delivery.objects.filter(due_at__lte=now)
    due.filter(made_at__lt=now - TOO_OLD).update(due_at=None, problem=_("It was not sent in time."))
    return _mail(due, base) + _call(due, base)


# --- mail --------------------------------------------------------------------------------------------------------


def _mail(due: Any, base: str) -> int:
    if not settings.MAIL_FROM:
        return 0
    waiting = list(due.filter(way=Delivery.Way.MAIL).select_related("to", "run").order_by("due_at")[:AT_ONCE])
    if not waiting:
        return 0
    line = mail.get_connection(**settings.MAIL_SERVER())
    try:
        line.open()
    except (smtplib.SMTPException, OSError) as trouble:
        for delivery in waiting:
            if _claim(delivery, again_at=None):
                _later(delivery, _("The mail server does not answer (%s).") % type(trouble).__name__)
        return 0
    try:
        return sum(_mailed(delivery, line, base) for delivery in waiting if _claim(delivery, again_at=None))
    finally:
        line.close()


def _mailed(delivery: Delivery, line: BaseEmailBackend, base: str) -> bool:
    if delivery.to is None or not delivery.to.is_active:
        _over(delivery, _("The person is not active any more."))
        return False
    try:
        _written(delivery, base, line).send()
    except REFUSED as trouble:
        _later(delivery, _("The mail server refused it (%s).") % type(trouble).__name__)
        return False
    except (smtplib.SMTPException, OSError) as trouble:
        _over(delivery, _("It is not known whether the mail went out (%s).") % type(trouble).__name__)
        return False
    _taken(delivery)
    return True


def _written(delivery: Delivery, base: str, line: BaseEmailBackend) -> mail.EmailMessage:
    facts: dict[str, Any] = delivery.facts
    title = " ".join(str(facts.get("title") or delivery.about).split())
    paragraphs = [
        _("Hello %(person)s,") % {"person": delivery.to},
        f"{title}.",
        str(facts.get("text", "")),
        _link(delivery, base),
        _("Latchkey never sends a password by mail, and never asks for one."),
    ]
    return mail.EmailMessage(
        subject=f"Latchkey: {title}",
        body="\n\n".join(part for part in paragraphs if part) + "\n",
        from_email=settings.MAIL_FROM,
        to=[delivery.address],
        headers={
            "Message-ID": f"<{delivery.pk}@{parseaddr(settings.MAIL_FROM)[1].rpartition('@')[2]}>",
            "Auto-Submitted": "auto-generated",
        },
        connection=line,
    )


# --- webhooks ----------------------------------------------------------------------------------------------------


def _call(due: Any, base: str) -> int:
    waiting = list(due.filter(way=Delivery.Way.WEBHOOK).select_related("reseller").order_by("due_at")[:AT_ONCE])
    if not waiting:
        return 0
    try:
        key = evidence_key(settings.KEY_DIRECTORY)
        trusted = trusted_authorities(settings.MICROSOFT["ca_bundle"], "LATCHKEY_CA_BUNDLE")
    except LatchkeyError as trouble:
        log.warning("No webhook can be sent: %s", trouble)
        return 0
    taken = 0
    for delivery in waiting:
        if not _claim(delivery, again_at=timezone.now() + DIED_MEANWHILE):
            continue
        try:
            body = envelope(_event(delivery, base), key)
            headers = {"Latchkey-Event": delivery.about, "Latchkey-Delivery": str(delivery.pk)}
            post(delivery.address, body, headers=headers, trusted=trusted, inside=settings.WEBHOOKS_INSIDE)
        except LatchkeyError as trouble:
            _later(delivery, str(trouble))
        else:
            _taken(delivery)
            taken += 1
    return taken


def _event(delivery: Delivery, base: str) -> dict[str, Any]:
    """What the receiver reads once the signature is checked; "delivery" is the same at every try."""
    return {
        "event": delivery.about,
        "delivery": str(delivery.pk),
        "made_at": rfc3339(delivery.made_at),
        "reseller": str(delivery.reseller),
        "run": str(delivery.run_id) if delivery.run_id else None,
        "link": _link(delivery, base) or None,
        "facts": delivery.facts,
    }


# --- the row -----------------------------------------------------------------------------------------------------


def _link(delivery: Delivery, base: str) -> str:
    path = str(delivery.facts.get("path", ""))
    return base.rstrip("/") + path if path.startswith("/") else ""


def _claim(delivery: Delivery, *, again_at: dt.datetime | None) -> bool:
    """Of two workers at once, one gets it."""
    mine = Delivery.objects.filter(pk=delivery.pk, due_at=delivery.due_at)
    return bool(mine.update(due_at=again_at, tries=F("tries") + 1))


def _taken(delivery: Delivery) -> None:
    Delivery.objects.filter(pk=delivery.pk).update(taken_at=timezone.now(), due_at=None, problem="")


def _over(delivery: Delivery, problem: str) -> None:
    log.warning("Delivery %s (%s): %s", delivery.pk, delivery.about, problem)
    Delivery.objects.filter(pk=delivery.pk).update(due_at=None, problem=problem)


def _later(delivery: Delivery, problem: str) -> None:
    """`tries` is what it was before this one."""
    if delivery.tries >= len(RETRY_AFTER):
        _over(delivery, problem)
        return
    log.warning("Delivery %s (%s) waits: %s", delivery.pk, delivery.about, problem)
    due_at = timezone.now() + RETRY_AFTER[delivery.tries]
    Delivery.objects.filter(pk=delivery.pk).update(due_at=due_at, problem=problem)
