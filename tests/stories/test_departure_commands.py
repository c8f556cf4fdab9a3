"""The same requests from a terminal."""

from __future__ import annotations

import datetime as dt

from django.utils import timezone

from technicians.models import DepartureRequest, Technician
from tests.stories.test_commands import Said
from tests.support.departures import Scene

Status = DepartureRequest.Status


class WhenSomebodySitsAtTheTerminal(Scene):
    def later(self) -> str:
        return (timezone.now().date() + dt.timedelta(days=3)).isoformat()

    def test_several_are_previewed_together_and_nothing_changes(self):
        said = Said("offboard", self.ana.email, self.ben.email, "--preview", "--json").json
        assert (said["accounts"], said["methods_to_go"], said["held_back"]) == (2, 0, 2)
        assert said["technicians"] == [self.ana.email, self.ben.email]
        assert "Ana, Ben: 2 accounts in 2 tenants" in Said("offboard", self.ana.email, self.ben.email, "--preview").out
        assert not DepartureRequest.objects.exists()

    def test_several_leave_in_one_run(self):
        said = Said(
            "offboard", self.ana.email.upper(), self.ben.email, self.ana.email, "--reason", "the team is closed"
        )
        assert not said.error
        assert DepartureRequest.objects.get().run.offboardings.count() == 2

    def test_a_last_day_somewhere_else_is_scheduled_and_said(self):
        said = Said("offboard", self.ana.email, "--reason", "end of contract", "--at", f"{self.later()} 16:00",
                    "--zone", "Asia/Tokyo", "--successor", self.nia.email)  # fmt: skip
        request = DepartureRequest.objects.get()
        assert (request.status, request.successor) == (Status.SCHEDULED, self.nia)
        assert request.starts_at.hour == 7
        assert "16:00 Asia/Tokyo" in said.out
        assert "Nothing was changed at Microsoft yet" in said.out

    def test_the_zone_is_that_of_the_person_unless_one_is_named(self):
        Technician.objects.filter(pk=self.ana.pk).update(time_zone="Asia/Tokyo")
        said = Said(
            "offboard", self.ana.email, "--reason", "x", "--at", self.later(), "--end-access-now", "--json"
        ).json
        assert said["starts_at"].endswith("T15:00:00.000000Z")
        assert self.now(self.ana).status == Technician.Status.SUSPENDED

    def test_it_says_how_many_have_to_agree(self):
        self.policy(approvals=2)
        said = Said("offboard", self.ana.email, "--reason", "resigned")
        assert "2 other people have to agree before it starts" in said.out
        assert self.now(self.ana).is_active

    def test_it_can_wait_until_the_person_is_disabled(self):
        said = Said("offboard", self.ana.email, "--reason", "resigned", "--when-disabled", "--json").json
        assert (said["status"], said["starts"], said["starts_at"]) == ("scheduled", "when_disabled", None)

    def test_what_makes_no_sense_is_said(self):
        for arguments, words in (
            (["--at", "tomorrow"], "tomorrow is no time"),
            (["--at", "2020-01-01"], "That time is past"),
            (["--at", self.later(), "--zone", "Mars/Olympus"], "no time zone called"),
            (["--successor", "nobody@reseller.example"], "Nobody active has the address"),
        ):
            assert words in Said("offboard", self.ana.email, "--reason", "x", *arguments).error
        assert "nobody with the address" in Said("offboard", self.ana.email, "nobody@x.example", "--reason", "x").error
        assert not DepartureRequest.objects.exists()
