"""What becomes of an enrolment when its token is made, active or refused at Microsoft."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from msp.errors import BadInput, MoveLost
from msp.ledger.record import record
from technicians.actions.ask_to_enrol import meet_request
from technicians.actions.bind_authenticator import bind_authenticator
from technicians.actions.do_take_over_task import task_done_by_enrolment
from technicians.actions.end_enrolment import end_enrolment
from technicians.actions.keep_code import keep_code, keep_for_later
from technicians.models import Assignment, Authenticator, Enrolment, Technician
from tenants.actions.give_up_registration import give_up_registration
from tenants.enrolment_policy_queries import enrolment_policy_of
from tenants.models import Method, Registration, Tenant

if TYPE_CHECKING:
    from msp.outside import Outside


class EnrolmentNews:
    """`TokenNews` for people: each call comes in the transaction that says the same about the token."""

    def made(self, registration: Registration) -> None:
        enrolment = _of(registration)
        kept_here = enrolment.way == Enrolment.Way.KEPT_HERE
        Tenant.objects.filter(pk=registration.account.tenant_id).update(
            tokens_problem="", tokens_tried_at=timezone.now()
        )
        if enrolment.status == Enrolment.Status.PREPARING:
            enrolment.advance(Enrolment.Status.ACTIVATING if kept_here else Enrolment.Status.WAITING_FOR_SCAN)

    def unwanted(self, registration: Registration) -> str:
        holder = registration.holder
        held = Assignment.objects.live().filter(technician_id=holder.pk, account_id=registration.account_id)
        if not holder.is_active or not held.exists():
            return _("%(name)s does not hold the account any more.") % {"name": holder}
        return ""

    def give_up(self, registration: Registration, because: str) -> None:
        with transaction.atomic():
            enrolment = _of(registration)
            if enrolment.is_open:
                end_enrolment(enrolment, Enrolment.Status.FAILED, because=because, by=None)
            else:
                give_up_registration(registration, because, by=None)

    def hold(self, registration: Registration) -> None:
        """The person first, then the registration, then the enrolment: as a departure does."""
        Technician.objects.select_for_update(no_key=True).only("pk").get(pk=registration.holder_id)

    def active(self, registration: Registration, method: Method, outside: Outside) -> str:
        """Bind it. Whoever ends the person's access waits for us, or we for them (`hold`)."""
        enrolment = _of(registration)
        technician = Technician.objects.get(pk=registration.holder_id)
        registration.holder = technician
        if because := self.unwanted(registration):
            return because
        try:
            with transaction.atomic():
                bound = bind_authenticator(
                    method, technician, by=technician, proof=Authenticator.Proof.ACTIVATED, label=registration.serial
                )
                enrolment.advance(Enrolment.Status.ACTIVE, authenticator=bound)
        except (BadInput, MoveLost) as trouble:
            return str(trouble)
        seed = outside.vault.open(bytes(registration.sealed or b""), registration.place)
        _keep(enrolment, bound, seed, outside)
        finished(enrolment)
        return ""

    def refused(self, registration: Registration, problem: str, outside: Outside) -> None:
        """The enrolment goes on on Microsoft's page where that is allowed, and fails where it is not."""
        Registration.objects.select_for_update(no_key=True).only("pk").get(pk=registration.pk)
        enrolment = _of(registration)
        Tenant.objects.filter(pk=registration.account.tenant_id).update(
            tokens_problem=problem, tokens_tried_at=timezone.now()
        )
        because = _("Microsoft did not take a token of ours: %(problem)s") % {"problem": problem}
        go_on = enrolment.way == Enrolment.Way.OUR_SEED and not enrolment.bulk_id
        if (
            go_on
            and enrolment_policy_of(enrolment.account).microsoft_page
            and _goes_on_at_microsoft(enrolment, because)
        ):
            status = None
        else:
            enrolment.advance(Enrolment.Status.FAILED, note=because)
            status = Enrolment.Status.FAILED
        if registration.device_id:
            give_up_registration(registration, problem, by=None)
        else:
            # Not even made, so there is nothing to be taken away.
            now = timezone.now()
            Registration.objects.filter(pk=registration.pk).update(
                sealed=None, given_up_at=now, given_up_because=problem, cleaned_at=now
            )
        record(
            "enrolment.refused",
            reseller_id=enrolment.reseller_id,
            actor=None,
            tenant_id=enrolment.account.tenant_id,
            account_id=enrolment.account_id,
            technician_id=enrolment.technician_id,
            enrolment=str(enrolment.pk),
            goes_on=status is None,
            problem=problem,
        )


def finished(enrolment: Enrolment) -> None:
    """The person has an authenticator of their own there: whatever waited for that goes on. In the same transaction."""
    record(
        "enrolment.finished",
        reseller_id=enrolment.reseller_id,
        actor=enrolment.technician,
        tenant_id=enrolment.account.tenant_id,
        account_id=enrolment.account_id,
        technician_id=enrolment.technician_id,
        enrolment=str(enrolment.pk),
        way=enrolment.way,
    )
    meet_request(enrolment)
    task_done_by_enrolment(enrolment)


def _keep(enrolment: Enrolment, bound: Authenticator, seed: bytes, outside: Outside) -> None:
    """The seed stays where the person or the policy wants it to, for use or for some days; else nowhere."""
    account, technician = enrolment.account, enrolment.technician
    if enrolment.way == Enrolment.Way.KEPT_HERE:
        keep_code(account, technician, seed, authenticator=bound, outside=outside)
    else:
        keep_for_later(account, technician, seed, authenticator=bound, outside=outside)


def _goes_on_at_microsoft(enrolment: Enrolment, because: str) -> bool:
    """False when somebody else registers there right now: what appears could not be told apart."""
    present = [str(pk) for pk in enrolment.account.methods.present().values_list("pk", flat=True)]
    minutes = enrolment_policy_of(enrolment.account).minutes_on_screen
    changes = {
        "way": Enrolment.Way.MICROSOFT_PAGE,
        "registration": None,
        "seen_before": present,
        "note": because,
        "shown_at": None,
        "expires_at": timezone.now() + dt.timedelta(minutes=max(minutes, 30)),
    }
    try:
        with transaction.atomic():
            enrolment.advance(Enrolment.Status.WAITING_FOR_SCAN, **changes)
    except IntegrityError:
        return False
    return True


def _of(registration: Registration) -> Enrolment:
    return Enrolment.objects.select_related("account__tenant", "technician").get(registration=registration)
