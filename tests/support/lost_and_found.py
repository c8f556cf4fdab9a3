"""A phone in somebody else's hand: it still shows its codes, whatever became of them at Microsoft."""

from __future__ import annotations

import time

from msp.simulator.totp import code_of_step, step_of
from technicians.actions.ask_to_enrol import meet_request
from technicians.models import Authenticator, Enrolment, Technician
from tenants.models import Run, SharedAccount
from tests.support.world import Phone, World


def phone_of(world: World, account: SharedAccount, person: Technician) -> Phone:
    return world.phones[account.pk, person.pk]


def lets_in(world: World, account: SharedAccount, phone: Phone) -> bool:
    """Does any code that this phone shows about now let in whoever knows the password in force?

    A code works once, so several are tried: a refusal is then never about a code that was used before.
    """
    tenant, name = world.directory_id(account), account.user_principal_name
    password = world.password_at_microsoft(account)
    now = step_of(time.time())
    codes = [code_of_step(phone.seed, now + away) for away in (0, 1, -1)]
    return any(world.cloud.sign_in(tenant, name, password, code).session for code in codes)


def enrols_anew(world: World, person: Technician, account: SharedAccount) -> Run | None:
    """The next phone is registered and bound; what that opens, if anything."""
    before = set(Run.objects.values_list("pk", flat=True))
    method = world.enrol(account, person)
    enrolment = Enrolment.objects.create(
        reseller=world.reseller,
        technician=person,
        account=account,
        status=Enrolment.Status.ACTIVE,
        requested_by=person,
        expires_at=method.first_seen_at,
        authenticator=Authenticator.objects.get(method=method),
    )
    meet_request(enrolment)
    return Run.objects.exclude(pk__in=before).first()
