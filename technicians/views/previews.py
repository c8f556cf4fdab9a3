"""What every page with a preview shows of it: figures, the rows of one page, and the filters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest, QueryDict
from django.utils.translation import gettext as _

from msp.access.rights import reader
from technicians.plans import DeparturePlan
from technicians.preview_plans import FILTERS, MEANS, Hindrance, Knows, Preview, shown
from tenants.plans import StepKind
from tenants.run_queries import Size

ACCOUNTS_PER_PAGE = 50
OF_THE_LIST = ("q", "only", "page")
"""The words of the address that narrow the list; what else is in it says what the preview is about."""


def preview_context(request: HttpRequest, preview: Preview, *, is_exit: bool = False) -> dict[str, Any]:
    """For `technicians/offboarding/_will_happen.html`, `_figures.html`, `_first.html` and `_blast.html`.

    When a customer goes (`is_exit`) nobody stays, and it does not matter who knows what.
    """
    only = request.GET.get("only", "")
    only = only if only in FILTERS else ""
    words = request.GET.get("q", "")
    return {
        "preview": preview,
        "size": size_of_plan(DeparturePlan(tuple(account.plan for account in preview.accounts))),
        "figures": _figures(request, preview, is_exit),
        "hindrances": _hindrances(preview),
        "rows": Paginator(shown(preview, only=only, words=words), ACCOUNTS_PER_PAGE).get_page(request.GET.get("page")),
        "only": only,
        "words": words,
        "choices": _choices(is_exit),
        "is_exit": is_exit,
        "kept": [(name, value) for name, values in request.GET.lists() if name not in OF_THE_LIST for value in values],
        "everything": _address(request),
        "whose": _("Authenticators to go"),
        "may_ask_to_enrol": reader(request).may("enrol"),
    }


def size_of_plan(plan: DeparturePlan) -> Size:
    """How much the plan has to do, counted as `size_of` counts a run."""
    removals = sum(step.kind == StepKind.REMOVE_METHOD for account in plan.accounts for step in account.steps)
    return Size(accounts=len(plan.accounts), tenants=plan.tenants, methods=removals)


def _figures(request: HttpRequest, preview: Preview, is_exit: bool) -> Sequence[dict[str, Any]]:
    if not preview.accounts:
        return []
    why = ", ".join(f"{count} {unread.label}" for unread, count in preview.unread.items())
    held, alone, hindered = preview.held_back, preview.without_colleague, preview.hindered
    in_the_way = _figure(
        request, "hindered", _("Something in the way"), hindered, _("accounts, as last observed"), "yellow"
    )
    if is_exit:
        return [in_the_way] if hindered else []
    seen, could, unread = (preview.knowledge[group] for group in Knows)
    return [
        _figure(request, "held", _("A guard holds"), held, _("accounts; see what lifts it"), "red"),
        _figure(request, "seen", Knows.SEEN.label, seen, _("passwords"), "yellow"),
        _figure(request, "could", Knows.COULD.label, could, _("had access, never fetched it")),
        _figure(request, "unread", Knows.NOT_READABLE.label, unread, why),
        _figure(request, "enrol", _("Not enrolled yet"), alone, _("accounts; somebody who stays"), "yellow"),
        in_the_way,
    ]


def _figure(request: HttpRequest, only: str, label: Any, number: int, note: Any = "", tone: str = "") -> dict[str, Any]:
    return {"label": label, "number": number, "note": note, "tone": tone, "url": f"{_address(request, only)}#accounts"}


def _address(request: HttpRequest, only: str = "") -> str:
    """This page without the narrowing of its list, or narrowed to one of FILTERS."""
    asked = QueryDict(mutable=True)
    for name, values in request.GET.lists():
        if name not in OF_THE_LIST:
            asked.setlist(name, values)
    if only:
        asked["only"] = only
    return f"{request.path}?{asked.urlencode()}" if asked else request.path


def _choices(is_exit: bool) -> dict[str, Any]:
    every, in_the_way = {"": _("Every account")}, {"hindered": _("Something in the way")}
    if is_exit:
        return every | in_the_way
    return {
        **every,
        "held": _("A guard holds"),
        "seen": Knows.SEEN.label,
        "could": Knows.COULD.label,
        "unread": Knows.NOT_READABLE.label,
        "enrol": _("Somebody who stays is not enrolled, or nobody stays"),
        **in_the_way,
    }


def _hindrances(preview: Preview) -> list[dict[str, Any]]:
    told = {
        Hindrance.NO_CONNECTION: _("The tenant does not let Latchkey in, or did not answer: check the tenant first."),
        Hindrance.GONE: _("Deleted, or deleted and created again: nothing is done there until a person has looked."),
    }
    return [
        {"kind": kind.value, "label": kind.label, "number": count, "means": MEANS.get(kind) or told[kind]}
        for kind, count in preview.hindrances.items()
    ]
