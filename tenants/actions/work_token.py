"""Bring one token of our own to an account, or take it away: each step is sent, answered and read back like any other.

The inventory says where a token stands, found by its serial number; the account says whether it is a method there.
Assumption: both listings show the status, and a method's id is its device's id (see `enrolment_ports.as_method`).
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.utils import timezone
from django.utils.translation import gettext as _
from django_otp.oath import totp

from msp.errors import AnswerLost, CodeRefused, DuplicateSerial, NoConnection, NotSent, Refused
from msp.microsoft.enrolment_ports import HardwareToken, NewToken, Registrar, TokenStatus
from msp.microsoft.ports import Answer, MethodKind
from tenants.actions.connection import give_connection_back
from tenants.actions.look import take_look
from tenants.actions.work import Later, Work, block, nothing_more, refuse
from tenants.models import Method, Registration, Step
from tenants.plans import StepKind, StepState, hands_off
from tenants.token_plans import DIGITS, MAKER, SECONDS

OPEN = (StepState.PLANNED, StepState.SENDING, StepState.ACCEPTED, StepState.UNVERIFIED)


TO_MAKE = (StepKind.CREATE_TOKEN, StepKind.ACTIVATE_TOKEN)


class WaitsForAPerson(Exception):
    """Nothing is to be done until somebody shows a code of this token."""


class TokenWork:
    """The steps of one token in the hands of one worker."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.registrar: Registrar = work.outside.registrar_for(*work.account.tenant.way)

    def next_step(self) -> Step | None:
        """The first that is not settled, with its registration as it is now.

        One that a guard stopped is open again once its token is given up: then there is nothing left to guard.
        """
        steps = self.work.target.steps.select_related("registration__account__tenant").order_by("position")
        for step in steps:
            given_up = step.registration is not None and step.registration.given_up_at is not None
            if step.status in OPEN or (step.status == StepState.BLOCKED and given_up and step.kind in TO_MAKE):
                return step
        return None

    def make(self, step: Step) -> None:
        registration = _of(step)
        if step.status in (StepState.PLANNED, StepState.BLOCKED) and registration.given_up_at:
            self.needless(step)
        elif step.status == StepState.PLANNED:
            self.send(step, lambda: self._made(registration))
        elif token := self.in_inventory(registration):
            with self.proof(step):
                Registration.objects.filter(pk=registration.pk).update(device_id=token.device_id)
                if not registration.given_up_at:
                    self.work.outside.token_news.made(registration)
        else:
            self.not_seen(step)

    def _made(self, registration: Registration) -> Answer | None:
        work = self.work
        seed = work.outside.vault.open(bytes(registration.sealed or b""), registration.place)
        try:
            self.registrar.create_token(
                NewToken(
                    registration.serial,
                    base64.b32encode(seed).decode(),
                    display_name=registration.display_name,
                    manufacturer=MAKER,
                    interval=SECONDS,
                )
            )
        except DuplicateSerial as twice:
            # Ours, of a try whose answer was lost: nobody else makes such a serial number.
            return Answer(twice.request_id, "", timezone.now(), already=True)
        return None

    def activate(self, step: Step) -> None:
        registration = _of(step)
        if step.status in (StepState.PLANNED, StepState.BLOCKED) and registration.given_up_at:
            self.needless(step)
        elif step.status == StepState.PLANNED:
            self._begin_activation(step, registration)
        else:
            self._prove_activation(step, registration)

    def _begin_activation(self, step: Step, registration: Registration) -> None:
        if registration.proven_at is None:
            raise WaitsForAPerson
        if because := self.work.outside.token_news.unwanted(registration):
            self.work.outside.token_news.give_up(registration, because)
            return
        take_look(self.work)
        self.send(
            step, lambda: self._activated(registration), another_way=lambda no: self._with_the_next_code(step, no)
        )

    def _activated(self, registration: Registration) -> Answer:
        # A code of this very moment: the one that the person typed may be minutes old by now.
        seed = self.work.outside.vault.open(bytes(registration.sealed or b""), registration.place)
        code = str(totp(seed, SECONDS, digits=DIGITS)).zfill(DIGITS)
        return self.registrar.activate_token(
            self.work.account.ref, registration.device_id, code, display_name=registration.display_name
        )

    def _with_the_next_code(self, step: Step, trouble: Refused) -> bool:
        """A refused code may leave the token assigned: take it off the account, and try again with another code."""
        if not isinstance(trouble, CodeRefused) or step.refusals + 1 >= self.work.outside.patience.codes:
            return False
        self.registrar.unassign_token(self.work.account.ref, _of(step).device_id)
        with self.work.commit():
            step.advance(StepState.PLANNED, refusals=step.refusals + 1, problem=str(trouble))
            self.work.record("step.code_refused", step, request_id=trouble.request_id)
        raise Later(self.work.outside.patience.next_code)

    def _prove_activation(self, step: Step, registration: Registration) -> None:
        token = self.in_inventory(registration)
        ours = token is not None and token.assigned_to == self.work.account.object_id
        method = self._method_of(token) if token and ours and token.status == TokenStatus.ACTIVATED else None
        if method is not None:
            self._active(step, registration, method)
        elif self.not_seen(step) and token and ours:
            # It was assigned and not activated: as it is, Microsoft takes no second try.
            self.registrar.unassign_token(self.work.account.ref, token.device_id)

    def _method_of(self, token: HardwareToken) -> Method | None:
        look = take_look(self.work)
        if not look.has(token.device_id, MethodKind.HARDWARE_OATH):
            return None
        present = self.work.account.methods.present()
        found: Method | None = present.filter(kind=MethodKind.HARDWARE_OATH, directory_id=token.device_id).first()
        return found

    def _active(self, step: Step, registration: Registration, method: Method) -> None:
        because = ""
        with self.proof(step):
            # Somebody may be giving it up right now: one of us waits for the other, and sees what was done.
            self.work.outside.token_news.hold(registration)
            registration = Registration.objects.select_for_update().select_related("account__tenant").get(
                pk=registration.pk
            )  # fmt: skip
            if not registration.given_up_at:
                because = self.work.outside.token_news.active(registration, method, self.work.outside)
                if not because:
                    Registration.objects.filter(pk=registration.pk).update(
                        sealed=None, activated_at=timezone.now(), method=method
                    )
        if because:
            self.work.outside.token_news.give_up(registration, because)

    def take_away(self, step: Step) -> None:
        registration = _of(step)
        token = self.in_inventory(registration)
        if token is None:
            with self.proof(step):
                Registration.objects.filter(pk=registration.pk).update(cleaned_at=timezone.now())
        elif step.status != StepState.PLANNED:
            self.not_seen(step)
        elif token.assigned_to not in ("", self.work.account.object_id):
            block(self.work, step, _assigned_elsewhere(registration))
        else:
            self.send(step, lambda: self._taken_away(token))

    def _taken_away(self, token: HardwareToken) -> Answer:
        if token.assigned_to:
            self.registrar.unassign_token(self.work.account.ref, token.device_id)
        return self.registrar.delete_token(token.device_id)

    # The cycle of one step

    def send(
        self, step: Step, act: Callable[[], Answer | None], *, another_way: Callable[[Refused], bool] | None = None
    ) -> None:
        """Intent, act, answer. What was not sent is planned again; a lost answer leaves the step as it is."""
        work = self.work
        if work.account.tenant.hands_off:
            block(work, step, hands_off())
            return
        with work.commit():
            step.advance(StepState.SENDING, sent_at=timezone.now(), problem="", looks=0)
            work.record("step.sent", step, registration=str(step.registration_id))
            work.reached(f"{step.kind}.intent.uncommitted")
        work.reached(f"{step.kind}.intent.committed")
        give_connection_back()
        try:
            answer = act()
            work.reached(f"{step.kind}.call.answered")
        except AnswerLost as lost:
            self._write(step, "step.answer_lost", problem=str(lost))
            raise Later(work.outside.patience.read_back[0]) from None
        except (NotSent, NoConnection) as trouble:
            with work.commit():
                step.advance(StepState.PLANNED, problem=str(trouble))
                work.record("step.not_sent", step, problem=str(trouble))
            raise
        except Refused as trouble:
            if another_way is None or not another_way(trouble):
                refuse(work, step, trouble, also=self._told(step, trouble))
            return
        with work.commit():
            ids = [*step.request_ids, answer.request_id] if answer else step.request_ids
            step.advance(StepState.ACCEPTED, accepted_at=timezone.now(), request_ids=ids)
            work.record("step.accepted", step, request_id=answer.request_id if answer else "")
            work.reached(f"{step.kind}.answer.uncommitted")
        work.reached(f"{step.kind}.answer.committed")

    def _told(self, step: Step, trouble: Refused) -> Callable[[], None]:
        registration = _of(step)
        if step.kind == StepKind.DELETE_TOKEN or registration.given_up_at:
            return nothing_more
        return lambda: self.work.outside.token_news.refused(registration, str(trouble), self.work.outside)

    @contextmanager
    def proof(self, step: Step) -> Iterator[None]:
        """The transaction in which a step becomes verified, with whatever else is true from then on."""
        with self.work.commit():
            step.advance(StepState.VERIFIED, verified_at=timezone.now(), problem="")
            self.work.record("step.verified", step, registration=str(step.registration_id))
            yield
            self.work.reached(f"{step.kind}.proof.uncommitted")
        self.work.reached(f"{step.kind}.proof.committed")

    def not_seen(self, step: Step) -> bool:
        """Late, or it did not happen. True when it is planned again; otherwise it is waited for (raises Later)."""
        looks, patience = step.looks + 1, self.work.outside.patience
        if step.status == StepState.SENDING and looks >= patience.looks_before_resending:
            with self.work.commit():
                step.advance(StepState.PLANNED, looks=0, problem=_("Read back: it had not happened. It is sent again."))
                self.work.record("step.had_not_happened", step)
            return True
        seconds = patience.next_read_back(looks)
        if step.status == StepState.ACCEPTED and seconds is None:
            with self.work.commit():
                step.advance(StepState.UNVERIFIED, looks=looks, problem=_not_visible())
                self.work.record("step.unverified", step)
        else:
            Step.objects.filter(pk=step.pk).update(looks=looks)
        raise Later(patience.next_unverified(looks) if seconds is None else seconds)

    def needless(self, step: Step) -> None:
        with self.work.commit():
            if step.status == StepState.BLOCKED:
                step.advance(StepState.PLANNED)
            step.advance(StepState.NEEDLESS, problem=_("The enrolment was given up before this was done."))
            self.work.record("step.needless", step)

    def in_inventory(self, registration: Registration) -> HardwareToken | None:
        give_connection_back()
        return next(iter(self.registrar.tokens(serial=registration.serial)), None)

    def _write(self, step: Step, verb: str, *, problem: str) -> None:
        with self.work.commit():
            step.problem = problem
            step.save(update_fields=["problem"])
            self.work.record(verb, step, problem=problem)


def work_on_token(work: Work) -> float | None:
    """Seconds until the next look; None: nothing is left, or a person has to show a code first."""
    token = TokenWork(work)
    do = {
        StepKind.CREATE_TOKEN: token.make,
        StepKind.ACTIVATE_TOKEN: token.activate,
        StepKind.DELETE_TOKEN: token.take_away,
    }
    while step := token.next_step():
        try:
            do[StepKind(step.kind)](step)
        except WaitsForAPerson:
            return None
    return None


def _of(step: Step) -> Registration:
    assert step.registration is not None
    return step.registration


def _not_visible() -> str:
    return _(
        "Microsoft accepted this, but it is not visible when read back. Latchkey keeps looking; look at the tenant's "
        "hardware OATH tokens in the Entra admin center."
    )


def _assigned_elsewhere(registration: Registration) -> str:
    return _(
        "The token %(serial)s is assigned to another user of the tenant, which Latchkey did not do. Nothing was "
        "changed: look at it in the Entra admin center, unassign it there, then try again."
    ) % {"serial": registration.serial}
