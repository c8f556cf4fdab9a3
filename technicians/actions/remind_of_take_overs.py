"""Mail those who still have something to do in a take-over, and its owner once it is overdue: once a day at most.

A take-over is marked as reminded before its mails are sent, so a process that dies in between costs one day's mail.
"""

from __future__ import annotations

import datetime as dt
import logging
import smtplib
from collections import defaultdict

from django.conf import settings
from django.core import mail
from django.core.mail.backends.base import BaseEmailBackend
from django.db.models import Exists, OuterRef, Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from technicians.actions.mail_notices import REFUSED
from technicians.models import Assignment, TakeOver, TakeOverTask, Technician

BEFORE = dt.timedelta(days=7)
EVERY = dt.timedelta(days=1)
NAMED = 10
"""So many accounts stand in a mail by name; the others are counted."""

log = logging.getLogger(__name__)


def remind_of_take_overs(*, base: str) -> int:
    """How many mails the server took. `base` is the address that links begin with. Nothing without a mail server."""
    if not settings.MAIL_FROM:
        return 0
    now, today = timezone.now(), timezone.localdate()
    due = TakeOver.objects.filter(
        Q(reminded_at=None) | Q(reminded_at__lte=now - EVERY), status=TakeOver.Status.OPEN, due_on__lte=today + BEFORE
    )
    letters = [letter for take_over in due.select_related("owner") for letter in _letters(take_over, today, base)]
    if not letters:
        return 0
    line = mail.get_connection(**settings.MAIL_SERVER())
    try:
        line.open()
    except (smtplib.SMTPException, OSError) as trouble:
        log.warning(
            "The mail server does not answer (%s); %d reminders are left out.", type(trouble).__name__, len(letters)
        )
        return 0
    try:
        return _send_all(letters, line)
    finally:
        line.close()


def _letters(take_over: TakeOver, today: dt.date, base: str) -> list[mail.EmailMessage]:
    """None when another worker was faster."""
    mine = TakeOver.objects.filter(pk=take_over.pk, reminded_at=take_over.reminded_at)
    if not mine.update(reminded_at=timezone.now()):
        return []
    tasks = _waiting(take_over)
    letters = [_to_person(take_over, person, rows, base) for person, rows in tasks.items()]
    if take_over.due_on < today and take_over.owner.is_active:
        letters.append(_to_owner(take_over, sum(map(len, tasks.values())), base))
    return letters


def _waiting(take_over: TakeOver) -> dict[Technician, list[TakeOverTask]]:
    """Person -> their open tasks, on accounts that they still hold."""
    held = Assignment.objects.live().filter(
        technician=OuterRef("technician"), account=OuterRef("take_over_account__account")
    )
    tasks: defaultdict[Technician, list[TakeOverTask]] = defaultdict(list)
    for task in TakeOverTask.objects.filter(
        Exists(held),
        status=TakeOverTask.Status.OPEN,
        technician__status=Technician.Status.ACTIVE,
        take_over_account__take_over=take_over,
        take_over_account__closed_at__isnull=True,
    ).select_related("technician", "take_over_account__account"):
        tasks[task.technician].append(task)
    return tasks


def _to_person(take_over: TakeOver, person: Technician, tasks: list[TakeOverTask], base: str) -> mail.EmailMessage:
    accounts = [task.take_over_account.account for task in tasks]
    lines = [
        f"  {_one_line(str(account))}\n    {base.rstrip('/')}{reverse('tenants:account', args=[account.pk])}"
        for account in accounts[:NAMED]
    ]
    if len(accounts) > NAMED:
        lines.append(_("  and %(count)d more, which you find in Latchkey.") % {"count": len(accounts) - NAMED})
    body = _(
        "Hello %(person)s,\n\n"
        "until %(day)s you need an authenticator of your own on:\n\n%(accounts)s\n\n"
        "On the page of the account you either enrol a new one, which takes about two minutes, or say which of the\n"
        "methods there is yours. After that day the methods of nobody are removed.\n\n"
        "Why: %(reason)s\n"
    ) % {
        "person": person.name,
        "day": take_over.due_on.isoformat(),
        "accounts": "\n".join(lines),
        "reason": _one_line(take_over.reason),
    }
    subject = ngettext(
        "%(count)d account waits for your authenticator",
        "%(count)d accounts wait for your authenticator",
        len(accounts),
    ) % {"count": len(accounts)}
    return _mail(subject, body, person)


def _to_owner(take_over: TakeOver, waiting: int, base: str) -> mail.EmailMessage:
    body = _(
        "Hello %(person)s,\n\n"
        'the take-over "%(name)s" was due on %(day)s and is not finished: %(waiting)d tasks are open.\n'
        "Look at who is missing, give it more time, or remove what nobody claimed:\n\n%(link)s\n"
    ) % {
        "person": take_over.owner.name,
        "name": _one_line(take_over.name),
        "day": take_over.due_on.isoformat(),
        "waiting": waiting,
        "link": base.rstrip("/") + reverse("technicians:take_over", args=[take_over.pk]),
    }
    return _mail(_("Overdue: %(name)s") % {"name": _one_line(take_over.name)}, body, take_over.owner)


def _mail(subject: str, body: str, person: Technician) -> mail.EmailMessage:
    return mail.EmailMessage(
        subject=subject,
        body=body,
        from_email=settings.MAIL_FROM,
        to=[person.email],
        headers={"Auto-Submitted": "auto-generated"},
    )


def _send_all(letters: list[mail.EmailMessage], line: BaseEmailBackend) -> int:
    taken = 0
    for letter in letters:
        letter.connection = line
        try:
            letter.send()
        except REFUSED as trouble:
            log.warning("A reminder was refused (%s).", type(trouble).__name__)
        except (smtplib.SMTPException, OSError) as trouble:
            log.warning("The mail server broke off (%s); the other reminders are left out.", type(trouble).__name__)
            return taken
        else:
            taken += 1
    return taken


def _one_line(text: str) -> str:
    return " ".join(text.split())
