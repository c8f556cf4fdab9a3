"""What a preview promised, kept small, and what is different when the run starts. Facts in, words out; no database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from django.utils.translation import gettext as _

from technicians.plans import AccountPlan, DeparturePlan
from technicians.preview_plans import AccountPreview, Preview

VERSION = 1
Difference = dict[str, Any]
"""{"kind", "account_id", "account", "tenant", "words", "stops"}; `kind` is one of KINDS, `words` are one sentence."""
RECREATED, MISSING = "recreated", "missing"
RENAMED, ADDED, GONE = "renamed", "account_added", "account_gone"
METHOD_APPEARED, METHOD_GONE, GUARD_CHANGED = "method_appeared", "method_gone", "guard_changed"
KINDS = (RECREATED, MISSING, RENAMED, ADDED, GONE, METHOD_APPEARED, METHOD_GONE, GUARD_CHANGED)
"""In the order in which they are told: what stops comes first."""


def snapshot(preview: Preview) -> dict[str, Any]:
    """What a request keeps of its preview, as JSON.

    {"version", "minutes", "requests", "measured_on", "tenants", "methods", "rotated", "held", "knowledge": {group: n},
    "holds": [sentence], "accounts": [{"id", "object_id", "account", "tenant", "methods": [[id, kind, label]],
    "holds": [place in the list of sentences], "knows"}]}. No secret is in it.
    """
    sentences = list(dict.fromkeys(hold for account in preview.accounts for hold in account.holds))
    places = {sentence: place for place, sentence in enumerate(sentences)}
    return {
        "version": VERSION,
        "minutes": preview.expected.minutes,
        "requests": preview.expected.requests,
        "measured_on": preview.pace.measured_on,
        "tenants": preview.tenants,
        "methods": preview.methods_to_go,
        "rotated": preview.passwords_to_rotate,
        "held": preview.held_back,
        "knowledge": {str(group.value): count for group, count in preview.knowledge.items()},
        "holds": sentences,
        "accounts": [_kept(account, places) for account in preview.accounts],
    }


def _kept(account: AccountPreview, places: Mapping[str, int]) -> dict[str, Any]:
    return {
        "id": str(account.holding.account_id),
        "object_id": account.standing.object_id,
        "account": account.holding.account,
        "tenant": account.holding.tenant,
        "methods": [[str(m.id), str(m.kind), m.label] for m in account.holding.methods],
        "holds": [places[hold] for hold in account.holds],
        "knows": str(account.standing.knows.value),
    }


def differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[Difference]:
    """Between two snapshots, what stops first. Nothing to compare with (an empty `then`) is no difference.

    An account is the same as long as its object id is. One that bears the name of another is that one made anew:
    Latchkey knows neither its methods nor its password, so the run stops there.
    """
    if not then or not now:
        return []
    before, after = _by_id(then), _by_id(now)
    gone = {_name(account): account for pk, account in before.items() if pk not in after}
    found: list[Difference] = []
    for pk, account in after.items():
        old = before.get(pk)
        if old is None and (replaced := gone.pop(_name(account), None)) is not None:
            found.append(_recreated(replaced, account))
        elif old is None:
            found.append(_told(ADDED, account, _("%(account)s is concerned now and was not before.")))
        else:
            found += _changed(old, account, then.get("holds", ()), now.get("holds", ()))
    found += [_told(GONE, account, _("%(account)s is not concerned any more.")) for account in gone.values()]
    return sorted(found, key=lambda one: KINDS.index(one["kind"]))


def _by_id(taken: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {account["id"]: account for account in taken.get("accounts", ())}


def _name(account: Mapping[str, Any]) -> tuple[str, str]:
    return account["tenant"], account["account"].lower()


def _changed(old: dict[str, Any], new: dict[str, Any], held: Sequence[str], holds: Sequence[str]) -> list[Difference]:
    """Of one and the same row."""
    if old["object_id"] and new["object_id"] and old["object_id"] != new["object_id"]:
        return [_recreated(old, new)]
    found = []
    if old["account"].lower() != new["account"].lower():
        words = _("%(old)s is called %(account)s now. It is the same user, so the run goes on.")
        found.append(_told(RENAMED, new, words, old=old["account"]))
    had, has = {m[0]: m for m in old["methods"]}, {m[0]: m for m in new["methods"]}
    for pk in has.keys() - had.keys():
        words = _("An authenticator of the leaver is on %(account)s now: %(method)s. It goes too.")
        found.append(_told(METHOD_APPEARED, new, words, method=_method(has[pk])))
    for pk in had.keys() - has.keys():
        words = _("An authenticator is not to go from %(account)s any more: %(method)s.")
        found.append(_told(METHOD_GONE, new, words, method=_method(had[pk])))
    was, is_now = [held[place] for place in old["holds"]], [holds[place] for place in new["holds"]]
    if was and not is_now:
        found.append(_told(GUARD_CHANGED, new, _("A guard held on %(account)s, and does not any more.")))
    elif is_now and set(was) != set(is_now):
        words = _("A guard holds on %(account)s now: %(reason)s")
        found.append(_told(GUARD_CHANGED, new, words, reason=" ".join(is_now)))
    return found


def _recreated(old: Mapping[str, Any], new: Mapping[str, Any]) -> Difference:
    words = _(
        "%(account)s was deleted and created again (%(new)s instead of %(old)s). Nothing is done there: its "
        "methods and its password are not the ones known here. If it is meant, put the account in anew."
    )
    return _told(RECREATED, new, words, old=old["object_id"] or _("unknown"), new=new["object_id"] or _("unknown"))


def _told(kind: str, account: Mapping[str, Any], words: str, **facts: str) -> Difference:
    return {
        "kind": kind,
        "account_id": account["id"],
        "account": account["account"],
        "tenant": account["tenant"],
        "words": words % {"account": account["account"], **facts},
        "stops": kind in (RECREATED, MISSING),
    }


def _method(kept: Sequence[str]) -> str:
    _id, kind, label = kept
    return f"{kind} “{label}”" if label else kind


def stopped_where_recreated(plan: DeparturePlan, found: Iterable[Difference]) -> DeparturePlan:
    """The same plan, in which every step is held on an account that is another user now."""
    stops = {one["account_id"]: one["words"] for one in found if one["stops"]}
    return DeparturePlan(tuple(_stopped(account, stops) for account in plan.accounts)) if stops else plan


def _stopped(account: AccountPlan, stops: Mapping[str, str]) -> AccountPlan:
    reason = stops.get(str(account.holding.account_id))
    if reason is None:
        return account
    return replace(account, steps=tuple(replace(step, hold=reason) for step in account.steps))


# --- what the run found when it looked first -----------------------------------------------------------------------


def differences_at_first_look(
    then: Mapping[str, Any], looks: Mapping[str, Mapping[str, Any]], missing: Mapping[str, str]
) -> list[Difference]:
    """What the directory said at the run's first look and the preview did not know.

    `looks` are the first readings by account id, in the shape of `tenants.facts.as_evidence`; `missing` says, by
    account id, why there was none: the user is gone, or is another one of the same name.
    """
    found = []
    for pk, account in _by_id(then).items():
        name = looks.get(pk, {}).get("user_principal_name", "")
        if pk in missing:
            found.append(_told(MISSING, account, missing[pk].replace("%", "%%")))
        elif name and name.lower() != account["account"].lower():
            words = _("%(old)s is called %(account)s now. It is the same user, so the run goes on.")
            found.append(_told(RENAMED, {**account, "account": name}, words, old=account["account"]))
    return found
