"""Celery's doors: each wakes one action."""

from __future__ import annotations

from celery import shared_task

from msp.access.actions import forget_links
from msp.ops.people import address_of_pages
from msp.ops.rehearsing import play_apart
from msp.outside import outside
from technicians.actions.ask_for_rehearsal import ask_for_due_rehearsals
from technicians.actions.check_out import end_overdue_check_outs as end_overdue
from technicians.actions.clear_up_enrolments import clear_up_enrolments
from technicians.actions.compare_codes import close_late_checks
from technicians.actions.ended_assignments import look_for_ended_assignments as look_for_ended
from technicians.actions.expire_enrolments import expire_enrolments as expire
from technicians.actions.finish_bulks import finish_bulks
from technicians.actions.finish_take_over import mind_take_overs as mind
from technicians.actions.hand_over import close_links
from technicians.actions.keep_code import end_stale_kept_codes
from technicians.actions.keep_upload import forget_uploads
from technicians.actions.mail_notices import mail_notices as mail_due_notices
from technicians.actions.rehearse import rehearse_next
from technicians.actions.remind_of_take_overs import remind_of_take_overs as remind
from technicians.actions.start_departure import start_due_departures as start_due
from tenants.actions.send_deliveries import send_deliveries as send_due_deliveries
from tenants.actions.tell_run_ends import tell_run_ends


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


@shared_task(name="technicians.tasks.empty_stale_codes")
def empty_stale_codes() -> None:
    end_stale_kept_codes()
    close_late_checks()


@shared_task(name="technicians.tasks.mail_notices")
def mail_notices() -> None:
    mail_due_notices(base=address_of_pages())


@shared_task(name="technicians.tasks.mind_take_overs")
def mind_take_overs() -> None:
    mind()


@shared_task(name="technicians.tasks.remind_of_take_overs")
def remind_of_take_overs() -> None:
    remind(base=address_of_pages())


@shared_task(name="technicians.tasks.expire_enrolments")
def expire_enrolments() -> None:
    expire()
    clear_up_enrolments(outside=outside())
    finish_bulks()


@shared_task(name="technicians.tasks.send_deliveries")
def send_deliveries() -> None:
    tell_run_ends()
    send_due_deliveries(base=address_of_pages())


@shared_task(name="technicians.tasks.start_due_departures")
def start_due_departures() -> None:
    start_due()


@shared_task(acks_late=True, name="technicians.tasks.rehearse")
def rehearse() -> None:
    ask_for_due_rehearsals()
    rehearse_next(play=play_apart)
