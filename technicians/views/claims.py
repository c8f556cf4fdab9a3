"""Whose is this method? A person says so, a sign-in does, or a manager; and what was said can be taken back."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from msp.access.fresh import demand_code
from msp.access.rights import needs, reader
from msp.errors import BadInput, LatchkeyError, NotPermitted
from msp.outside import outside
from technicians.actions.claim_method import CLAIMS, claim, sign_ins_naming, unclaim
from technicians.claim_plans import LOOKED_BACK, NamedIn, why_nobody_can_claim, why_not_by_label
from technicians.models import Authenticator, Technician
from technicians.pages import assigned_now
from technicians.take_over_queries import claimed_method, holders_of
from tenants.enrolment_policy_queries import enrolment_policy_of
from tenants.models import Method

Proof = Authenticator.Proof


@require_http_methods(["GET", "HEAD", "POST"])
@needs("see_accounts")
def whose(request: HttpRequest, method_id: UUID) -> HttpResponse:
    """GET shows what is known and what can be said; with `look` in the address the log of sign-ins is read for it."""
    seen = Method.objects.visible_to(request.user).select_related("account__tenant__customer")
    method: Method = get_object_or_404(seen, pk=method_id)
    if request.method == "POST":
        return _claim(request, method)
    return _page(request, method)


def _claim(request: HttpRequest, method: Method) -> HttpResponse:
    try:
        demand_code(request, request.POST.get("code", ""))
        bound = claim(
            method,
            _person_meant(request, method),
            by=reader(request),
            proof=_proof_meant(request),
            note=request.POST.get("note", ""),
            event=request.POST.get("event"),
            outside=outside(),
        )
    except LatchkeyError as trouble:
        status = 403 if isinstance(trouble, NotPermitted) else 422
        return _page(request, method, trouble=str(trouble), status=status)
    messages.success(request, _("This method is bound to %(name)s from now on.") % {"name": bound.technician})
    return redirect("tenants:account", method.account_id)


def _page(request: HttpRequest, method: Method, *, trouble: str = "", status: int = 200) -> HttpResponse:
    person, account = reader(request), method.account
    bound = getattr(method, "authenticator", None)
    may_claim = assigned_now(person, account) and (bound is None or bound.proof == Proof.IMPORTED)
    facts = claimed_method(method)
    context: dict[str, Any] = {
        "method": method,
        "account": account,
        "bound": bound,
        "trouble": trouble,
        "note": request.POST.get("note", ""),
        "stopped": _("This method is not on the account any more.")
        if method.removed_at
        else why_nobody_can_claim(facts),
        "is_held": assigned_now(person, account),
        "may_claim": may_claim and (bound is None or bound.technician_id == person.pk),
        "why_not": why_not_by_label(facts, claims_allowed=enrolment_policy_of(account).claims),
        "people": _people(request, method, bound) if person.may("enrol") else [],
        "days": LOOKED_BACK.days,
        "looked": bool(request.GET.get("look")),
    }
    if context["looked"] and not context["stopped"] and (context["may_claim"] or context["people"]):
        context["sign_ins"], context["log_problem"] = _sign_ins(method)
    return render(request, "technicians/take_overs/whose.html", context, status=status)


def _sign_ins(method: Method) -> tuple[tuple[NamedIn, ...], str]:
    try:
        return sign_ins_naming(method, outside=outside()), ""
    except LatchkeyError as trouble:
        return (), str(trouble)


def _people(request: HttpRequest, method: Method, bound: Authenticator | None) -> list[Technician]:
    """Whom a manager may name: who holds the account, but for oneself; of an imported binding its owner alone."""
    others = [
        person for person in holders_of([method.account_id])[method.account_id] if person.pk != reader(request).pk
    ]
    if bound is None:
        return others
    return [person for person in others if bound.proof == Proof.IMPORTED and person.pk == bound.technician_id]


def _proof_meant(request: HttpRequest) -> Authenticator.Proof:
    given = request.POST.get("proof", "")
    if given not in CLAIMS:
        raise BadInput(_("Say on what it rests: your own word, a sign-in, or what you know. Nothing was bound."))
    return Proof(given)


def _person_meant(request: HttpRequest, method: Method) -> Technician:
    """Nobody named is oneself."""
    given = request.POST.get("technician", "")
    person: Technician = reader(request)
    if not given or given == str(person.pk):
        return person
    people = {str(holder.pk): holder for holder in holders_of([method.account_id])[method.account_id]}
    if given not in people:
        raise BadInput(_("Choose somebody who holds this account. Nothing was bound."))
    return people[given]


@require_http_methods(["GET", "HEAD", "POST"])
@needs("see_accounts")
def take_back(request: HttpRequest, authenticator_id: UUID) -> HttpResponse:
    """GET asks for the reason; POST makes the method unknown again."""
    seen = Authenticator.objects.visible_to(request.user).select_related("method__account__tenant", "technician")
    bound: Authenticator = get_object_or_404(seen, pk=authenticator_id)
    if bound.technician_id != reader(request).pk and not reader(request).may("enrol"):
        raise PermissionDenied(_("Your role does not open this page."))
    trouble, status = "", 200
    if request.method == "POST":
        try:
            demand_code(request, request.POST.get("code", ""))
            unclaim(bound, by=reader(request), reason=request.POST.get("reason", ""))
        except LatchkeyError as wrong:
            trouble, status = str(wrong), 403 if isinstance(wrong, NotPermitted) else 422
        else:
            messages.success(request, _("The binding is taken back; the method is nobody's again."))
            return redirect("tenants:account", bound.method.account_id)
    context = {
        "bound": bound,
        "method": bound.method,
        "account": bound.method.account,
        "trouble": trouble,
        "reason": request.POST.get("reason", ""),
        "may": bound.proof in Authenticator.ON_A_WORD,
    }
    return render(request, "technicians/take_overs/take_back.html", context, status=status)
