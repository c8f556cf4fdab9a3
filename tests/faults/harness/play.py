"""One run from its first page to its last look, while whatever was drawn happens to it."""

from __future__ import annotations

import datetime as dt
import time
import traceback
from dataclasses import dataclass, field
from typing import Any

import httpx
from django.db import close_old_connections, connection
from django.utils import timezone

from msp.errors import BadInput, LatchkeyError, NotSent
from msp.outside import outside
from msp.simulator.remote import ControlRefused
from technicians.actions.bind_authenticator import bind_authenticator
from technicians.models import Authenticator
from tenants.actions.control_run import cancel_run, pause_run, resume_run
from tenants.actions.mend import retry_target
from tenants.actions.observe_account import observe_account
from tenants.models import Run, Step, Target
from tenants.models.run import FOR_A_PERSON, UNDER_WAY
from tenants.plans import StepKind, StepState
from tests.faults.harness import scene as stage
from tests.faults.harness.draw import PLACES, Draw, Happening
from tests.faults.harness.laws import Broken, judge
from tests.faults.harness.patience import Stuck, patiently
from tests.faults.harness.processes import STRIKE, House, Misfortune
from tests.faults.harness.scene import Phone, Place, Scene
from tests.faults.harness.web_door import offboard

LOOK_EVERY = 0.6
SILENCE = 240.0
"""Seconds without any move after which a run that is not at rest is called stuck. A generous guess: nothing that the
harness turns waits longer than a lease and a few time-outs."""
SOON = dt.timedelta(seconds=3)
MOST_RETRIES = 2
MOST_BUILDS = 4
A_SECOND = 1.1
"""Microsoft's times have whole seconds: a change by somebody else within the second of ours cannot be told from it."""


@dataclass
class Played:
    """What came of one run: the laws it broke, and the state that Latchkey gives its runs at the end.

    `left` is what still needs a person then, in the words of the steps. `trouble` says why there was no verdict.
    """

    draw: Draw
    broken: list[Broken] = field(default_factory=list)
    states: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    seconds: float = 0.0
    trouble: str = ""
    trace: list[str] = field(default_factory=list)


class Play:
    """`Play(draw, house).to_its_end()`."""

    def __init__(self, draw: Draw, house: House) -> None:
        self.draw, self.house = draw, house
        self.played = Played(draw)
        self.waiting = list(draw.happenings)
        self.runs: list[Run] = []
        self.resume_at: float | None = None
        self.scene: Scene
        self._began = time.monotonic()
        self._seen: Any = None
        self._moved_at = time.monotonic()

    def to_its_end(self) -> Played:
        try:
            self.scene = self._build()
            self._leave(0)
            self._until_at_rest(stop_at_second_look=True)
            self._judge("when the acts were over")
            self._heal()
            self._until_at_rest()
            self._judge("after the second look")
            self._try_again()
            self.played.left = patiently(self._left)
        except Stuck as stuck:
            self.played.trouble = str(stuck)
        except Exception:
            # One play that fails must not take the verdict from the others.
            self.played.trouble = traceback.format_exc()
        finally:
            self.played.seconds = time.monotonic() - self._began
            if hasattr(self, "scene") and (self.played.broken or self.played.trouble):
                patiently(self._tell)
            close_old_connections()
        return self.played

    def _build(self) -> Scene:
        """Anew under another name when a misfortune of the others struck in the middle of it."""
        for _ in range(MOST_BUILDS - 1):
            try:
                return stage.build(self.draw, self.house.cloud)
            except (Stuck, LatchkeyError, httpx.TransportError, ControlRefused) as trouble:
                self._say(f"built anew: {trouble!r}")
                connection.close()
        return stage.build(self.draw, self.house.cloud)

    # --- what happens -----------------------------------------------------------------------------------------

    def _leave(self, number: int) -> None:
        leaver = self.scene.people[number]
        self.scene.leavers.add(number)
        self._say(f"person {number} leaves")
        self.runs.append(offboard(leaver, by=self.scene.owner, web_url=self.house.web_url))

    def _let_happen(self, moved: int) -> bool:
        """Whatever is due by now. Says whether anything happened: what was read before is old then."""
        said = len(self.played.trace)
        if self.draw.both_leave and len(self.runs) == 1 and moved >= self.draw.second_after:
            self._leave(1)
        due = [happening for happening in self.waiting if happening.after <= moved]
        self.waiting = [happening for happening in self.waiting if happening.after > moved]
        for happening in due:
            self._say(f"{happening.what} ({happening.amount:g} s)")
            self._happen(happening)
        if self.resume_at is not None and time.monotonic() >= self.resume_at:
            self.resume_at = None
            self._say("resumed")
            self._asked(lambda: resume_run(self.runs[0], by=self.scene.owner))
        return len(self.played.trace) > said

    def _happen(self, happening: Happening) -> None:
        if happening.what in STRIKE:
            self.house.wished.put(Misfortune(happening.what, happening.amount))
        elif happening.what == "paused and resumed":
            self._asked(lambda: pause_run(self.runs[0], by=self.scene.owner, reason="let us look first"))
            self.resume_at = time.monotonic() + happening.amount
        elif happening.what == "cancelled":
            self._asked(lambda: cancel_run(self.runs[0], by=self.scene.owner, reason="it was the wrong person"))
        else:
            self._enrol(stranger=happening.what == "a stranger enrols")

    def _asked(self, act: Any) -> None:
        """A person asks; that it is too late, or was done by a try whose answer was lost, is an answer too."""
        try:
            patiently(act)
        except LatchkeyError as answer:
            self._say(f"answered: {answer}")

    def _enrol(self, *, stranger: bool) -> None:
        """Somebody who stays gets an authenticator at Microsoft's page and says so here; a stranger says nothing."""
        found = self._place_of_a_stayer()
        if found is None:
            return
        place, owner = found
        made = patiently(
            lambda: self.house.cloud.register(place.directory_id, place.upn, "software_oath", "in the middle")
        )
        place.phones.append(Phone(made["method_id"], made["seed"], None if stranger else owner))
        if stranger:
            self.scene.strangers_came = True
        else:
            try:
                patiently(lambda: self._bind(place, made["method_id"], owner), tries=15, pause=3)
            except Stuck as stuck:
                # Then nobody here knows whose it is, and that is what Latchkey has to say of it.
                self._say(f"not bound: {stuck}")

    def _place_of_a_stayer(self) -> tuple[Place, int] | None:
        """An account with a place left, and somebody of those who stay and use it."""
        stay = set(range(2 if self.draw.both_leave else 1, self.draw.people))
        for place in self.scene.places:
            owners = [phone.owner for phone in place.phones if phone.owner in stay]
            if owners and len(place.phones) < PLACES:
                return place, owners[0]
        return None

    def _bind(self, place: Place, method_id: str, owner: int) -> None:
        """A reading that lags does not show it yet, and then this waits as the product does."""
        observe_account(place.account, outside=outside())
        method = place.account.methods.present().filter(directory_id=method_id).first()
        if method is None:
            raise NotSent("The reading does not show the new method yet.")
        person, proof = self.scene.people[owner], Authenticator.Proof.IMPORTED
        try:
            bind_authenticator(method, person, by=self.scene.owner, proof=proof)
        except BadInput as not_there:
            # The reading of a worker came from a replica that is behind.
            raise NotSent(str(not_there)) from None

    def _heal(self) -> None:
        """The directory works again; what was drawn for later and has not come, comes now; an hour goes by."""
        for directory_id, knobs in zip(self.scene.directory_ids, self.draw.knobs, strict=True):
            if knobs:
                self.house.cloud.knobs(directory_id, read_lag=0, lies=False, throttle=0, latency_ms=0)
        self._let_happen(1000)
        if self.draw.changed_outside:
            place = self.scene.places[0]
            place.changed_outside = True
            time.sleep(A_SECOND)
            self._say(f"somebody changes the password of {place.upn}")
            patiently(
                lambda: self.house.cloud.control(
                    "password", tenant=place.directory_id, upn=place.upn, password="Of-Somebody-Else-1!"
                )
            )

    def _try_again(self) -> None:
        """A person tries again what stopped; once the directory works, that is enough, or a guard says why not."""
        for _ in range(MOST_RETRIES):
            stopped = patiently(lambda: list(self._targets().filter(steps__status__in=FOR_A_PERSON).distinct()))
            stopped = [target for target in stopped if target.run.cancelled_at is None]
            if not stopped:
                return
            for target in stopped:
                self._say(f"tried again: {target}")
                self._asked(lambda target=target: retry_target(target, by=self.scene.owner))
            self._until_at_rest()
            self._judge("after it was tried again")

    # --- waiting ----------------------------------------------------------------------------------------------

    def _targets(self) -> Any:
        return Target.objects.filter(run__in=self.runs).select_related("run", "account__tenant")

    def _steps(self) -> Any:
        return Step.objects.filter(target__run__in=self.runs)

    def _until_at_rest(self, *, stop_at_second_look: bool = False) -> None:
        self._moved_at = time.monotonic()
        while True:
            steps = patiently(
                lambda: list(self._steps().values_list("pk", "kind", "status", "looks", "target__due_at"))
            )
            if self._let_happen(sum(status != StepState.PLANNED for _pk, _kind, status, _looks, _due in steps)):
                continue
            under_way = [kind for _pk, kind, status, _looks, _due in steps if status in UNDER_WAY]
            if stop_at_second_look:
                under_way = [kind for kind in under_way if kind != StepKind.SECOND_LOOK]
            if not under_way and self.resume_at is None and not self._second_leaver_to_come():
                return
            if steps != self._seen:
                self._seen, self._moved_at = steps, time.monotonic()
            elif time.monotonic() - self._moved_at > SILENCE:
                self.played.broken.append(Broken("stuck", f"nothing moved for {SILENCE:.0f} s"))
                raise Stuck("the run is stuck")
            patiently(lambda: self._hurry(second_look=not stop_at_second_look))
            time.sleep(LOOK_EVERY)

    def _second_leaver_to_come(self) -> bool:
        return self.draw.both_leave and len(self.runs) == 1 and bool(self.waiting)

    def _hurry(self, *, second_look: bool) -> None:
        """Whatever waits for minutes is due in a moment: the times in the rows are moved, nothing else."""
        now = timezone.now()
        late = self._targets().filter(due_at__gt=now + SOON, run__paused_at=None)
        if second_look:
            self._steps().filter(kind=StepKind.SECOND_LOOK, due_at__gt=now).update(due_at=now)
            late.update(due_at=now)
        else:
            late.filter(steps__status__in=UNDER_WAY).exclude(
                pk__in=self._targets().filter(
                    steps__kind=StepKind.SECOND_LOOK, steps__status=StepState.PLANNED, steps__due_at__isnull=False
                )
            ).update(due_at=now + SOON)

    # --- verdict ----------------------------------------------------------------------------------------------

    def _judge(self, when: str) -> None:
        found = patiently(lambda: judge(self.scene, self.runs))
        self._say(f"{when}: {', '.join(found.states)}; {len(found.broken)} laws broken")
        self.played.broken += [Broken(b.law, f"{when}: {b.what}") for b in found.broken]
        self.played.states = found.states

    def _left(self) -> list[str]:
        stopped = self._steps().filter(status__in=FOR_A_PERSON).order_by("target", "position")
        return [f"{step.kind} {step.status}: {step.problem.partition('.')[0]}" for step in stopped]

    def _say(self, words: str) -> None:
        self.played.trace.append(f"{time.monotonic() - self._began:6.1f} s  {words}")

    def _tell(self) -> None:
        """Everything that helps to understand a broken law: steps with their words, and what the cloud was asked."""
        self.played.trace += [
            f"{step.target.account} {step.kind}: {step.status} {step.problem} sent {step.sent_at} {step.was}"
            for step in self._steps()
            .select_related("target__account")
            .order_by("target__account", "target", "position")
        ]
        for entry in self.house.cloud.control("asked", tenants=self.scene.directory_ids)["entries"]:
            if entry["fault"] or (entry["method"] != "GET" and not entry["path"].endswith(("$batch", "token"))):
                self.played.trace.append(
                    f"{entry['at']} {entry['method']} {entry['path']} {entry['status']} {entry['fault']}"
                )
        for effect in self.scene.truth()["effects"]:
            if effect["kind"] == "method_added":
                continue
            self.played.trace.append(
                f"{effect['at']} {effect['kind']} {effect['upn']} by {effect['by']} {effect['method_id']}"
            )
