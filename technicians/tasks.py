"""Celery's doors: each wakes one action."""

from __future__ import annotations

from celery import shared_task

from msp.access.actions import forget_links
from msp.ops.people import address_of_pages
from technicians.actions.check_out import end_overdue_check_outs as end_overdue
from technicians.actions.ended_assignments import look_for_ended_assignments as look_for_ended
from technicians.actions.hand_over import close_links
from technicians.actions.keep_upload import forget_uploads
from technicians.actions.mail_notices import mail_notices as mail_due_notices


@shared_task(name="technicians.tasks.tidy")
def tidy() -> None:
    forget_uploads()
    forget_links()
    close_links()


@shared_task(name="technicians.tasks.look_for_ended_assignments")
def look_for_ended_assignments() -> None:
    look_for_ended()


@shared_task(name="technicians.tasks.end_overdue_check_outs")
def end_overdue_check_outs() -> None:
    end_overdue()


@shared_task(name="technicians.tasks.mail_notices")
def mail_notices() -> None:
    mail_due_notices(base=address_of_pages())
