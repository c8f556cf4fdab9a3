"""Tokens of ours that are of no use any more are taken away, and those that nobody knows are found."""

from __future__ import annotations

import io
import json

import pytest
from django.core.management import call_command

from msp.microsoft.enrolment_ports import NewToken
from msp.ops.management.commands import sweep_tokens as sweep_tokens_command
from technicians.actions.end_enrolment import end_enrolment
from technicians.models import Enrolment
from tenants.actions.sweep_tokens import look_for_strays, sweep_tokens
from tenants.models import Finding, Run
from tenants.plans import StepKind, StepState
from tests.support.token_desk import TokenDesk


class WhenSomethingWasLeftBehind(TokenDesk):
    def test_a_sweep_finds_nothing_to_do_after_an_ordinary_day(self):
        self.enrolled()
        assert sweep_tokens() == 0
        assert look_for_strays(self.tenant, outside=self.world.outside) == []

    def test_what_is_given_up_is_swept_once(self):
        self.enrolled()
        departure = self.world.offboard(self.ana)
        self.world.work(departure.run)
        assert sweep_tokens() == 1
        assert sweep_tokens() == 0
        assert Run.objects.filter(kind=Run.Kind.CLEAN_UP).count() == 1

    def test_an_object_of_ours_that_nobody_here_knows_is_a_finding_and_is_not_touched(self):
        registrar = self.world.outside.registrar_for(*self.tenant.way)
        registrar.create_token(NewToken("LK-AAAAAA-BBBBBB-CCCCCCCC", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"))
        assert look_for_strays(self.tenant, outside=self.world.outside) == ["LK-AAAAAA-BBBBBB-CCCCCCCC"]
        finding = Finding.objects.open().get(kind=Finding.Kind.TOKEN_LEFT_OVER)
        assert "LK-AAAAAA-BBBBBB-CCCCCCCC" in finding.detail
        assert len(self.inventory) == 1

    def test_the_finding_goes_with_the_object(self):
        registrar = self.world.outside.registrar_for(*self.tenant.way)
        made = registrar.create_token(NewToken("LK-AAAAAA-BBBBBB-CCCCCCCC", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"))
        look_for_strays(self.tenant, outside=self.world.outside)
        registrar.delete_token(made.device_id)
        assert look_for_strays(self.tenant, outside=self.world.outside) == []
        assert not Finding.objects.open().exists()

    def test_somebody_elses_tokens_are_none_of_our_business(self):
        registrar = self.world.outside.registrar_for(*self.tenant.way)
        registrar.create_token(NewToken("YK-1", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", manufacturer="Yubico"))
        assert look_for_strays(self.tenant, outside=self.world.outside) == []

    def test_a_token_that_somebody_assigned_to_another_user_is_left_to_a_person(self):
        enrolment, _seed = self.ready()
        self.inventory[0].assigned_to = self.world.cloud.add_user(str(self.tenant.directory_id), "other").id
        self.inventory[0].status = "assigned"
        end_enrolment(self.again(enrolment), Enrolment.Status.CANCELLED, because="changed my mind", by=self.ana)
        self.world.work(self.run)
        step = self.world.step(self.run, StepKind.DELETE_TOKEN)
        assert step.status == StepState.BLOCKED
        assert "another user" in step.problem
        assert len(self.inventory) == 1


@pytest.mark.django_db(transaction=True)
class TheCommand(TokenDesk):
    def told(self, *arguments: str) -> str:
        out = io.StringIO()
        call_command("sweep_tokens", *arguments, "--as", self.world.owner.email, stdout=out)
        return out.getvalue()

    @pytest.fixture(autouse=True)
    def _ports(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sweep_tokens_command, "outside", lambda: self.world.outside)

    def test_counts_none_after_an_ordinary_day(self):
        self.enrolled()
        told = json.loads(self.told("--json"))
        assert told == {
            "tenants": 1, "being_taken_away": 0, "still_to_be_taken_away": 0, "unknown": 0, "not_read": {},
        }  # fmt: skip

    def test_names_what_nobody_knows(self):
        registrar = self.world.outside.registrar_for(*self.tenant.way)
        registrar.create_token(NewToken("LK-AAAAAA-BBBBBB-CCCCCCCC", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"))
        assert "LK-AAAAAA-BBBBBB-CCCCCCCC" in self.told()
