"""In which ways somebody may enrol on one account, and why not in the others."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.utils import timezone
from django.utils.translation import gettext as _

from msp.microsoft.ports import SLOT_KINDS
from technicians.actions.kept_code_waits import codes_in_use
from technicians.models import Assignment, Authenticator, Enrolment, EnrolmentRequest, Technician
from tenants.actions.make_registration import free_places
from tenants.enrolment_policy_queries import enrolment_policy_of
from tenants.models import EnrolmentPolicy, SharedAccount, Tenant

PROBLEM_STANDS_FOR = dt.timedelta(days=1)
"""After a refusal Latchkey's own tokens are not offered in that tenant for so long: somebody may have mended it."""


@dataclass(frozen=True)
class WayOffer:
    """One way. `why_not` is "" when it is on offer; `at_microsoft` says that the person registers on Microsoft's page.

    `best` marks the one that is chosen beforehand.
    """

    way: Enrolment.Way
    why_not: str = ""
    at_microsoft: bool = False
    best: bool = False


@dataclass(frozen=True)
class TakenPlace:
    """One of the account's five places. `holder` is "" for a method of nobody."""

    holder: str
    what: str


@dataclass(frozen=True)
class WaysPage:
    """What the page for choosing says. `stop` is why nobody can begin now, "" when somebody can.

    `places` are named when all five are taken, `open_one` is this person's enrolment that is under way already.
    """

    offers: tuple[WayOffer, ...]
    stop: str
    places: tuple[TakenPlace, ...]
    open_one: Enrolment | None

    @property
    def nothing_offered(self) -> bool:
        return all(offer.why_not for offer in self.offers)


def ways_page(account: SharedAccount, technician: Technician, *, by: Technician) -> WaysPage:
    """Call it only for an account and a person whom the reader may see."""
    now = timezone.now()
    mine = Enrolment.objects.open().filter(account=account, technician=technician)
    taken = () if free_places(account) else taken_places(account)
    return WaysPage(
        offers=ways_on(account, technician, by=by),
        stop=_stop(account, technician, full=bool(taken)),
        places=taken,
        open_one=mine.filter(expires_at__gt=now).first() or mine.filter(status=Enrolment.Status.ACTIVATING).first(),
    )


def ways_on(account: SharedAccount, technician: Technician, *, by: Technician) -> tuple[WayOffer, ...]:
    """All of them, the best first; at most one is marked as the best."""
    policy = enrolment_policy_of(account)
    no_tokens = why_no_tokens(account)
    another = "" if by.pk == technician.pk else _for_another(technician)
    offers = [
        WayOffer(Enrolment.Way.OUR_SEED, another or _by_policy(policy.our_seed) or _break_glass(account) or no_tokens),
        WayOffer(Enrolment.Way.MICROSOFT_PAGE, _by_policy(policy.microsoft_page) or _unreadable(account), True),
        WayOffer(Enrolment.Way.KEPT_HERE, another or _why_not_kept(account, technician, policy), bool(no_tokens)),
    ]
    best = next((offer.way for offer in offers if not offer.why_not), None)
    return tuple(WayOffer(o.way, o.why_not, o.at_microsoft, best=o.way == best) for o in offers)


def why_no_tokens(account: SharedAccount) -> str:
    """Why Latchkey's own tokens cannot be made there now; "" when they can, or when nobody knows better."""
    tenant = account.tenant
    if tenant.cloud != Tenant.Cloud.GLOBAL:
        return _(
            "Microsoft's interface for this exists in the global cloud alone, and %(tenant)s is in another one."
        ) % {"tenant": tenant}
    tried = tenant.tokens_tried_at
    if tenant.tokens_problem and tried and tried > timezone.now() - PROBLEM_STANDS_FOR:
        return _("Microsoft refused it in this tenant less than a day ago: %(problem)s") % {
            "problem": tenant.tokens_problem
        }
    if not account.object_id:
        return _("The account was never read at Microsoft. Read it on its page first.")
    return ""


def taken_places(account: SharedAccount) -> tuple[TakenPlace, ...]:
    """Who holds the places: by a method that is there, or by an enrolment that is under way."""
    methods = account.methods.present().filter(kind__in=SLOT_KINDS).order_by("first_seen_at")
    bound = Authenticator.objects.filter(method__in=methods).select_related("technician")
    owner = {one.method_id: str(one.technician) for one in bound}
    there = [TakenPlace(owner.get(m.pk, ""), m.label or m.get_kind_display()) for m in methods]
    under_way = account.registrations.under_way().select_related("holder")
    return tuple(there + [TakenPlace(str(one.holder), _("is enrolling right now")) for one in under_way])


def next_on_the_list(person: Technician, *, after: Enrolment) -> EnrolmentRequest | None:
    """The next account on which this person is to enrol."""
    waiting = EnrolmentRequest.objects.open().filter(technician=person).exclude(account_id=after.account_id)
    found: EnrolmentRequest | None = waiting.select_related("account__tenant").first()
    return found


def _stop(account: SharedAccount, technician: Technician, *, full: bool) -> str:
    names = {"account": account, "name": technician}
    if not technician.is_active:
        return _("%(name)s has no access to Latchkey now, so nobody can enrol for them.") % names
    if not Assignment.objects.live().filter(technician=technician, account=account).exists():
        return _("%(account)s is not assigned to %(name)s; assign it first.") % names
    if full:
        return (
            _("All five authenticator places of %(account)s are taken. Nothing can begin before one is free.") % names
        )
    others = Enrolment.objects.open().filter(account=account, registration=None, expires_at__gt=timezone.now())
    other = others.exclude(technician=technician).select_related("technician").first()
    if other is not None:
        return _(
            "%(other)s is registering on Microsoft's page for this account right now. Wait until that is done: two new "
            "methods at once could not be told apart."
        ) % {"other": other.technician}
    return ""


def _for_another(technician: Technician) -> str:
    return _("Whoever sees the code could scan it, so only %(name)s can begin this.") % {"name": technician}


def _by_policy(allowed: bool) -> str:
    return "" if allowed else _("The enrolment policy of this account does not allow it.")


def _break_glass(account: SharedAccount) -> str:
    return _("This is a break-glass account: automation never touches it.") if account.break_glass else ""


def _unreadable(account: SharedAccount) -> str:
    if account.tenant.cloud != Tenant.Cloud.CHINA:
        return ""
    return _("In this cloud Microsoft has no interface by which the methods of an account could be read.")


def _why_not_kept(account: SharedAccount, technician: Technician, policy: EnrolmentPolicy) -> str:
    if why := _by_policy(policy.kept_here) or _break_glass(account) or _unreadable(account):
        return why
    if codes_in_use(account, technician).exists():
        return _("Codes of this account are kept here for %(name)s already.") % {"name": technician}
    return ""
