"""Begin enrolments whose seeds Latchkey chooses: written down as one run, which makes the tokens at Microsoft."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from msp.errors import BadInput, NotPermitted
from msp.ledger.record import record
from technicians.actions.expire_enrolments import expire_enrolments
from technicians.models import Assignment, BulkEnrolment, Enrolment, Technician
from tenants.actions.claim_seed import claim_seed
from tenants.actions.make_registration import make_registration
from tenants.actions.open_run import open_run
from tenants.enrolment_policy_queries import enrolment_policies_of
from tenants.hands_off import demand_hands_on
from tenants.models import EnrolmentPolicy, Run, SharedAccount
from tenants.plans import PlannedStep, PlannedTarget, StepKind

if TYPE_CHECKING:
    from msp.outside import Outside

WAYS_WITH_A_TOKEN = (Enrolment.Way.OUR_SEED, Enrolment.Way.KEPT_HERE)
TO_PREPARE = dt.timedelta(minutes=30)
"""For making the token at Microsoft. The minutes of the policy begin when the QR code is on the screen."""
FOR_MANY = dt.timedelta(hours=2)


@dataclass(frozen=True)
class Begun:
    """The run with its enrolments, and for each account on which none could begin the reason in words."""

    run: Run | None
    enrolments: tuple[Enrolment, ...]
    left_out: dict[SharedAccount, str]


def open_enrolments(
    technician: Technician,
    accounts: Sequence[SharedAccount],
    *,
    by: Technician,
    outside: Outside,
    way: Enrolment.Way = Enrolment.Way.OUR_SEED,
    bulk: BulkEnrolment | None = None,
) -> Begun:
    """Everything that can begin, in one transaction; `accounts` in the order of work, with `tenant` loaded.

    Only for oneself: whoever sees the QR code could scan it. With a single account its reason is raised as BadInput.
    Raises NotPermitted, LedgerClosed.
    """
    if by.pk != technician.pk:
        raise NotPermitted(
            _("Whoever sees the QR code could scan it: only %(name)s can begin this. Nothing was made.")
            % {"name": technician}
        )
    if not technician.may("see_accounts"):
        raise NotPermitted(_("Your role may not enrol; nothing was made."))
    expire_enrolments(technician=technician)
    policies = enrolment_policies_of(accounts)
    held = set(
        Assignment.objects.live()
        .filter(technician=technician, account__in=accounts)
        .values_list("account_id", flat=True)
    )
    begun: list[Enrolment] = []
    left_out: dict[SharedAccount, str] = {}
    with transaction.atomic():
        # Locked in one order by everybody, so that two sittings cannot wait for each other.
        for account in sorted(accounts, key=lambda account: account.pk):
            try:
                _demand_allowed(account, technician, policies[account.pk], way, held)
                begun.append(_begin(account, technician, way=way, by=by, bulk=bulk, outside=outside))
            except BadInput as reason:
                left_out[account] = str(reason)
        if len(accounts) == 1 and left_out:
            raise BadInput(next(iter(left_out.values())))
        places = {account.pk: place for place, account in enumerate(accounts)}
        begun.sort(key=lambda enrolment: places[enrolment.account_id])
        run = _run(technician, begun, by=by) if begun else None
    return Begun(run, tuple(begun), left_out)


def _demand_allowed(
    account: SharedAccount, technician: Technician, policy: EnrolmentPolicy, way: Enrolment.Way, held: Iterable[object]
) -> None:
    names = {"account": account, "name": technician}
    if account.pk not in held:
        raise BadInput(_("%(account)s is not assigned to %(name)s; assign it first.") % names)
    demand_hands_on(account.tenant)
    if account.break_glass:
        raise BadInput(_("%(account)s is a break-glass account: its authenticators are kept by hand.") % names)
    if not (policy.our_seed if way == Enrolment.Way.OUR_SEED else policy.kept_here):
        raise BadInput(_("The enrolment policy of %(account)s does not allow this way; choose another one.") % names)
    if not account.object_id:
        raise BadInput(_("%(account)s was never read at Microsoft; read it first.") % names)


def _begin(
    account: SharedAccount,
    technician: Technician,
    *,
    way: Enrolment.Way,
    by: Technician,
    bulk: BulkEnrolment | None,
    outside: Outside,
) -> Enrolment:
    now = timezone.now()
    try:
        with transaction.atomic():
            registration, seed = make_registration(
                account, technician, by=by, outside=outside, taken_besides=lambda: _at_microsoft(account)
            )
            claim_seed(account, seed, holder=technician, by=by, outside=outside, origin=_("made by Latchkey"))
            if way == Enrolment.Way.KEPT_HERE:
                # No phone has it, so there is nothing that a person could show.
                registration.proven_at = now
                registration.save(update_fields=["proven_at"])
            enrolment = Enrolment.objects.create(
                reseller_id=account.reseller_id,
                technician=technician,
                account=account,
                way=way,
                status=Enrolment.Status.PREPARING,
                requested_by=by,
                registration=registration,
                bulk=bulk,
                expires_at=now + (FOR_MANY if bulk else TO_PREPARE),
            )
            record(
                "enrolment.begun",
                reseller_id=account.reseller_id,
                actor=by,
                tenant_id=account.tenant_id,
                account_id=account.pk,
                technician_id=technician.pk,
                enrolment=str(enrolment.pk),
                way=str(way),
            )
    except IntegrityError as clash:
        raise BadInput(
            _("%(name)s is enrolling on %(account)s already: finish or cancel that first.")
            % {"name": technician, "account": account}
        ) from clash
    return enrolment


def _at_microsoft(account: SharedAccount) -> int:
    """Whoever is registering on Microsoft's page right now will need a place."""
    return Enrolment.objects.open().filter(account=account, registration__isnull=True).count()


def _run(technician: Technician, enrolments: Sequence[Enrolment], *, by: Technician) -> Run:
    kinds = (StepKind.CREATE_TOKEN, StepKind.ACTIVATE_TOKEN)
    return open_run(
        Run.Kind.ENROLMENT,
        reseller=technician.reseller,
        targets=[
            PlannedTarget(
                enrolment.account_id,
                tuple(PlannedStep(kind, registration_id=enrolment.registration_id) for kind in kinds),
            )
            for enrolment in enrolments
        ],
        reason=_("%(name)s enrols") % {"name": technician},
        by=by,
        about={"enrols": technician.email},
    )
