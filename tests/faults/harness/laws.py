"""What Latchkey says against what is true at the cloud. The truth is asked at the sign-in, where a person stands."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from msp.ledger.models import Entry
from msp.outside import outside
from tenants.models import Run, SecretVersion, SharedAccount, Step
from tenants.models.run import FOR_A_PERSON
from tenants.plans import RunState, StepKind, StepState
from tests.faults.harness.scene import Phone, Place, Scene

MOST_WRONG_TRIES = 3
"""Of ten that lock an account: one of the product's own an hour, and those of the negative proof."""
CODES_COUNT_FOR = 90.0
"""Seconds. Who got in so short a time ago has used up the codes of now; then a right password is all that is asked."""
CLEAN = (RunState.CLEAN, RunState.CLEAN_SO_FAR, RunState.CLEAN_WITH_EXCEPTIONS)
EFFECT_OF = {
    "password_changed": StepKind.ROTATE_PASSWORD,
    "method_removed": StepKind.REMOVE_METHOD,
    "sessions_revoked": StepKind.REVOKE_SESSIONS,
}


class Broken(NamedTuple):
    """A law of `draw.LAWS`, and how it was broken."""

    law: str
    what: str


@dataclass(frozen=True)
class Verdict:
    states: list[str]
    broken: list[Broken]


@dataclass(frozen=True)
class Facts:
    """Both sides of one account, read while nothing works on it."""

    place: Place
    user: dict[str, Any]
    effects: list[dict[str, Any]]
    passwords: dict[str, str]
    steps: list[Step]


def judge(scene: Scene, runs: Sequence[Run]) -> Verdict:
    """Call it when the runs are at rest. It signs people in, so each code is used up."""
    states = {run.pk: Run.objects.with_counts().get(pk=run.pk).state for run in runs}
    truth = scene.truth()
    broken: list[Broken] = []
    for place in scene.places:
        facts = _facts(scene, place, truth, runs)
        for law in (_locked_out, _lost_password, _colleague_touched, _false_success, _not_recorded, _stuck):
            broken += [Broken(law.__name__[1:].replace("_", " "), f"{place.upn}: {what}") for what in law(scene, facts)]
        if facts.steps and all(states[step.target.run_id] in CLEAN for step in facts.steps):
            broken += [Broken("false success", f"{place.upn}: {what}") for what in _not_clean(scene, facts, states)]
    broken += [
        Broken("stuck", f"at rest, and {state}")
        for state in states.values()
        if state in (RunState.RUNNING, RunState.PAUSED)
    ]
    return Verdict([str(state) for state in states.values()], broken)


def _facts(scene: Scene, place: Place, truth: dict[str, Any], runs: Sequence[Run]) -> Facts:
    steps = Step.objects.filter(target__run__in=runs, target__account=place.account)
    return Facts(
        place,
        truth["users"][place.object_id],
        [effect for effect in truth["effects"] if effect["user_id"] == place.object_id and effect["by"] == "graph"],
        passwords_of(place.account),
        list(steps.select_related("method", "version", "target__run").order_by("sent_at", "position")),
    )


def passwords_of(account: SharedAccount) -> dict[str, str]:
    """state -> value of the versions that Latchkey says may sign in."""
    versions = SecretVersion.objects.filter(secret__account=account).that_may_sign_in()
    vault = outside().vault
    return {v.status: vault.open(bytes(v.sealed), v.place).decode() for v in versions.select_related("secret__account")}


def _lost_password(_scene: Scene, facts: Facts) -> Iterator[str]:
    if facts.user["password"] not in facts.passwords.values() and not facts.place.changed_outside:
        yield f"the password in force is none of those that Latchkey holds as {', '.join(facts.passwords) or 'nothing'}"


def _colleague_touched(scene: Scene, facts: Facts) -> Iterator[str]:
    theirs = {phone.method_id for phone in facts.place.phones if phone.owner not in scene.leavers}
    if gone := theirs - facts.user["methods"].keys():
        yield f"the methods {gone} of those who stay are gone"
    removed = {effect["method_id"] for effect in facts.effects if effect["kind"] == "method_removed"}
    if touched := removed & theirs:
        yield f"the methods {touched} of those who stay were removed"


def _locked_out(scene: Scene, facts: Facts) -> Iterator[str]:
    place, user = facts.place, facts.user
    if user["lockouts"] or user["wrong_tries"] > MOST_WRONG_TRIES:
        yield f"{user['wrong_tries']} wrong tries, {user['lockouts']} lockouts"
    if place.phones and not user["methods"]:
        yield "no method of anybody is left"
    if place.changed_outside:
        return
    for phone in place.phones_of(scene.stayers):
        if phone.seed and phone.method_id in user["methods"]:
            tried = {state: _sign_in(scene, place, password, phone) for state, password in facts.passwords.items()}
            if "signed_in" in tried.values():
                phone.got_in_at = time.monotonic()
            elif time.monotonic() - phone.got_in_at > CODES_COUNT_FOR or "wrong_code" not in tried.values():
                yield f"person {phone.owner} stays and does not get in: {tried}"
            return


def _sign_in(scene: Scene, place: Place, password: str, phone: Phone) -> str:
    """The sign-in page's answer. A code serves once, so of three that count at this moment each is tried."""
    result = ""
    for ahead in (0, 1, -1):
        code = scene.cloud.code(seed=phone.seed, ahead=ahead)
        result = scene.cloud.sign_in(place.directory_id, place.upn, password, code)[0]
        if result != "wrong_code":
            break
    return result


def _false_success(scene: Scene, facts: Facts) -> Iterator[str]:
    """Whatever a step calls verified is so."""
    place = facts.place
    verified = [step for step in facts.steps if step.status == StepState.VERIFIED]
    for step in verified:
        if step.kind == StepKind.REMOVE_METHOD and step.method.directory_id in facts.user["methods"]:
            yield f"the removal of {step.method.directory_id} is called verified, and it is there"
    rotated = [step for step in verified if step.kind == StepKind.ROTATE_PASSWORD]
    if rotated and not place.changed_outside and facts.passwords.get("current") != facts.user["password"]:
        yield "a password change is called verified, and the current version does not sign in"
    revoked = any(step.kind == StepKind.REVOKE_SESSIONS for step in verified)
    if revoked and place.session and scene.cloud.session_alive(place.directory_id, place.session):
        yield "the end of the sessions is called verified, and the leaver's session lives"
    if facts.passwords.get("current") not in (None, facts.user["password"]) and not (
        place.changed_outside or "unverified" in facts.passwords
    ):
        yield "a version is called current, no other is open, and it does not sign in"


def _not_clean(scene: Scene, facts: Facts, states: dict[Any, str]) -> Iterator[str]:
    """The run is called clean so far, or clean: then nobody who left gets in here, by any way."""
    place = facts.place
    for phone in place.phones_of(scene.leavers):
        if phone.method_id in facts.user["methods"]:
            yield f"clean, and the method {phone.method_id} of person {phone.owner} is there"
        elif phone.seed and _sign_in(scene, place, facts.user["password"], phone) == "signed_in":
            yield f"clean, and the phone of person {phone.owner} still opens"
    if facts.user["password"] == place.first_password:
        yield "clean, and the password that the leaver has seen is in force"
    if place.session and scene.cloud.session_alive(place.directory_id, place.session):
        yield "clean, and the leaver's session lives"
    looked_twice = all(states[step.target.run_id] != RunState.CLEAN_SO_FAR for step in facts.steps)
    if looked_twice and place.changed_outside:
        yield "clean, and somebody else has changed the password"
    known = {phone.method_id for phone in place.phones if phone.owner is not None}
    if looked_twice and (strange := facts.user["methods"].keys() - known):
        yield f"clean, and nobody knows whose the methods {strange} are"


def _not_recorded(scene: Scene, facts: Facts) -> Iterator[str]:
    """No record, no act: whatever was sent has its entry, and whatever happened was sent."""
    entries = Entry.objects.filter(account_id=facts.place.account.pk, verb="step.sent")
    recorded = {(entry.facts["kind"], entry.facts["step"]) for entry in entries}
    for step in facts.steps:
        if step.sent_at is not None and (step.kind, str(step.pk)) not in recorded:
            yield f"{step.kind} was sent, and the ledger has no entry of it"
    kinds = {kind for kind, _step in recorded}
    for effect in facts.effects:
        if effect["kind"] in EFFECT_OF and EFFECT_OF[effect["kind"]] not in kinds:
            yield f"{effect['kind']} happened, and the ledger has no entry of it"


def _stuck(_scene: Scene, facts: Facts) -> Iterator[str]:
    for step in facts.steps:
        if step.status in FOR_A_PERSON and not step.problem:
            yield f"{step.kind} is {step.status} and does not say why"
