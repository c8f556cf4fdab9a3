"""Somebody's decision and a worker meet on one enrolment: neither waits for ever, and nobody is left half in."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from msp.errors import LatchkeyError
from technicians.actions.assign import assign
from technicians.actions.end_enrolment import end_enrolment
from technicians.actions.open_enrolments import open_enrolments
from technicians.actions.prove_enrolment import prove_enrolment
from technicians.actions.show_seed import show_seed
from technicians.codes import SECONDS, code_at
from technicians.models import Authenticator, Enrolment
from tenants.actions.observe_account import observe_account
from tenants.actions.sweep_tokens import sweep_tokens
from tenants.models import Registration, Run
from tests.support.world import World

pytestmark = [pytest.mark.fault, pytest.mark.django_db(transaction=True)]

ROUNDS = 6


class WhenTwoMeetOnOneEnrolment:
    @pytest.fixture(autouse=True)
    def _scene(self, world: World) -> None:
        self.world = world
        self.tenant = world.tenant("Contoso")
        world.allow_tokens(self.tenant)

    def proven(self, number: int) -> tuple[Run, Enrolment]:
        account, person = self.world.account(self.tenant, f"admin{number}"), self.world.technician(f"Ana{number}")
        assign(person, account, by=self.world.owner, reason="on the team")
        observe_account(account, outside=self.world.outside)
        begun = open_enrolments(person, [account], by=person, outside=self.world.outside)
        assert begun.run is not None
        self.world.work(begun.run)
        enrolment = begun.enrolments[0]
        seed = show_seed(enrolment, by=person, outside=self.world.outside)
        code = code_at(seed.key, int(time.time() // SECONDS))
        prove_enrolment(enrolment, code, by=person, outside=self.world.outside)
        again = Enrolment.objects.select_related("account", "technician", "registration__account")
        return begun.run, again.get(pk=enrolment.pk)

    def at_once(self, *acts: Callable[[], Any]) -> list[BaseException]:
        """What went wrong besides a plain refusal, with every act in a thread of its own."""
        barrier, wrong = threading.Barrier(len(acts)), []

        def does(act: Callable[[], Any]) -> None:
            barrier.wait()
            try:
                act()
            except LatchkeyError:
                pass
            except BaseException as trouble:
                wrong.append(trouble)
            finally:
                connection.close()

        threads = [threading.Thread(target=does, args=[act]) for act in acts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=60)
        assert not any(thread.is_alive() for thread in threads)
        return wrong

    def everything_settles(self) -> None:
        for _ in range(4):
            sweep_tokens()
            for run in Run.objects.all():
                self.world.work(run)

    def tokens(self) -> set[str]:
        return {token.serial for token in self.world.cloud.tenant(str(self.tenant.directory_id)).tokens.values()}

    @pytest.mark.parametrize("number", range(ROUNDS))
    def test_who_leaves_while_the_token_is_activated_has_none_in_the_end(self, number: int):
        run, enrolment = self.proven(number)
        wrong = self.at_once(
            lambda: self.world.work(run),
            lambda: self.world.offboard(enrolment.technician),
        )
        assert wrong == []
        self.everything_settles()
        assert self.tokens() == set()
        assert not Authenticator.objects.on_the_account().exists()

    @pytest.mark.parametrize("number", range(ROUNDS))
    def test_who_cancels_while_the_token_is_activated_has_one_or_none(self, number: int):
        run, enrolment = self.proven(number)
        wrong = self.at_once(
            lambda: self.world.work(run),
            lambda: end_enrolment(enrolment, Enrolment.Status.CANCELLED, because="changed", by=enrolment.technician),
        )
        assert wrong == []
        self.everything_settles()
        enrolment.refresh_from_db()
        bound = Authenticator.objects.on_the_account().count()
        assert enrolment.status in (Enrolment.Status.ACTIVE, Enrolment.Status.CANCELLED)
        assert bound == len(self.tokens()) == (enrolment.status == Enrolment.Status.ACTIVE)

    @pytest.mark.parametrize("number", range(ROUNDS))
    def test_an_account_that_is_taken_away_meanwhile_keeps_nothing(self, number: int):
        run, enrolment = self.proven(number)
        enrolment.technician.assignments.update(until_at=timezone.now())
        wrong = self.at_once(
            lambda: self.world.work(run),
            lambda: end_enrolment(enrolment, Enrolment.Status.CANCELLED, because="moved", by=None),
        )
        assert wrong == []
        self.everything_settles()
        assert self.tokens() == set()
        assert not Registration.objects.to_clean_up().exists()
