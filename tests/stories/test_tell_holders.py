"""After a rotation every remaining holder is told: in Latchkey at once, and by mail when there is a server."""

from __future__ import annotations

import datetime as dt
import itertools
from typing import Any

import pytest
import time_machine
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from msp import env
from msp.errors import LedgerClosed
from msp.ledger.models import Entry
from msp.ops import mail_setup
from msp.ops.services import free_port
from technicians import tasks
from technicians.actions import tell_holders as telling
from technicians.actions.assign import assign, end_assignment
from technicians.actions.mail_notices import RETRY_AFTER, mail_notices
from technicians.actions.reveal_password import reveal_password
from technicians.actions.tell_holders import read_notices, tell_holders
from technicians.knowledge_queries import open_notices
from technicians.models import PasswordNotice, Role
from tenants.actions.rotate import rotate
from tenants.models import SecretVersion
from tests.support.mail_server import mail_server
from tests.support.world import World

pytestmark = pytest.mark.django_db(transaction=True)

BASE = "https://latchkey.example"


class Story:
    """Ana, Ben and Cid hold Contoso's account."""

    @pytest.fixture(autouse=True)
    def _story(self, world: World):
        self.world = world
        self.account = world.account(world.tenant("Contoso"))
        self.ana, self.ben, self.cid = (world.technician(name) for name in ("Ana", "Ben", "Cid"))
        world.give(self.account, self.ana, self.ben, self.cid)

    def rotate(self):
        run = rotate([self.account], by=self.world.owner, reason="it is time")
        self.world.work(run)
        return run

    def fetch(self, person):
        reveal_password(person, self.account, reason="ticket 42", outside=self.world.outside)

    def in_force(self) -> SecretVersion:
        return SecretVersion.objects.in_force().select_related("secret__account").get(secret__account=self.account)

    def told(self) -> set[str]:
        return {notice.technician.name for notice in PasswordNotice.objects.all() if notice.version == self.in_force()}

    def news(self, person) -> int:
        return open_notices(person).count()


class WhenAPasswordWasChanged(Story):
    def test_every_holder_is_told(self):
        self.rotate()
        assert self.told() == {"Ana", "Ben", "Cid"}
        assert [self.news(p) for p in (self.ana, self.ben, self.world.owner)] == [1, 1, 0]

    def test_the_leaver_is_not(self):
        self.world.work(self.world.offboard(self.ana).run)
        assert self.told() == {"Ben", "Cid"}

    def test_whoever_lost_the_account_before_is_not(self):
        end_assignment(self.cid.assignments.get(), by=self.world.owner)
        self.rotate()
        assert self.told() == {"Ana", "Ben"}

    def test_somebody_whose_role_fetches_no_password_is_not(self):
        auditor = self.world.technician("Aud", Role.AUDITOR)
        assign(auditor, self.account, by=self.world.owner, reason="looks")
        self.rotate()
        assert "Aud" not in self.told()

    def test_whoever_fetched_it_while_it_was_not_proven_is_not(self):
        version = self.on_its_way()
        self.fetch(self.ana)
        version.advance(SecretVersion.Status.RETIRED)
        self.world.outside.tell_holders(version)
        assert {n.technician.name for n in PasswordNotice.objects.filter(version=version)} == {"Ben", "Cid"}

    def test_it_is_written_down_who_was_told(self):
        self.rotate()
        entry = Entry.objects.get(verb="password.holders_told")
        assert str(self.ana.pk) in bytes(entry.body).decode()

    def test_telling_twice_tells_nobody_twice(self):
        self.rotate()
        tell_holders(self.in_force())
        assert PasswordNotice.objects.count() == 3

    def test_a_change_that_is_not_proven_tells_nobody(self):
        self.world.cloud.faults.plan(kind="lie", method="PATCH", path=r"/v1\.0/users/[^/]+$", times=20)
        self.rotate()
        assert not PasswordNotice.objects.exists()

    def test_if_it_cannot_be_written_down_the_version_does_not_come_into_force(self, monkeypatch: Any):
        """One transaction: nobody is told of a password that is not in force, and none comes into force untold."""

        def closed(*_: Any, **__: Any) -> None:
            raise LedgerClosed("The ledger is full.")

        monkeypatch.setattr(telling, "record", closed)
        with pytest.raises(LedgerClosed):
            self.rotate()
        assert not PasswordNotice.objects.exists()
        assert SecretVersion.objects.get(status="unverified")

    def on_its_way(self) -> SecretVersion:
        version = SecretVersion(reseller=self.world.reseller, secret=self.account.secret, number=2, status="unverified")
        with transaction.atomic():
            version.sealed = self.world.outside.vault.seal(b"On-Its-Way-2026!", version.place)
            version.save()
        return version


class WhenANoticeIsNewsNoMore(Story):
    @pytest.fixture(autouse=True)
    def _rotated(self, _story):
        self.rotate()

    def test_fetching_the_password_reads_it(self):
        self.fetch(self.ana)
        assert (self.news(self.ana), self.news(self.ben)) == (0, 1)

    def test_marking_all_as_read_reads_only_ones_own_and_is_written_down(self):
        assert read_notices(self.ana) == 1
        assert (self.news(self.ana), self.news(self.ben)) == (0, 1)
        assert read_notices(self.ana) == 0
        assert Entry.objects.filter(verb="password.notices_read").count() == 1

    def test_a_newer_password_replaces_it(self):
        self.rotate()
        assert self.news(self.ana) == 1
        assert open_notices(self.ana).get().version == self.in_force()

    def test_who_loses_the_account_hears_no_more_of_it(self):
        end_assignment(self.ana.assignments.get(), by=self.world.owner)
        assert self.news(self.ana) == 0


class Mailed(Story):
    """There is a mail server, and the password was changed."""

    @pytest.fixture(autouse=True)
    def _mailed(self, _story, settings: Any):
        with mail_server() as self.server:
            settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
            settings.MAIL_FROM = "Latchkey <latchkey@reseller.example>"
            settings.MAIL_SERVER = lambda: self.server.reach
            self.rotate()
            yield

    def mail(self, *, after: dt.timedelta = dt.timedelta()) -> int:
        with time_machine.travel(timezone.now() + after):
            return mail_notices(base=BASE)

    def notice(self, person) -> PasswordNotice:
        return PasswordNotice.objects.get(technician=person)


class WhenThereIsAMailServer(Mailed):
    def test_each_holder_gets_one_mail_with_a_link_and_no_password(self):
        password = self.world.passwords_known(self.account)["current"]
        assert self.mail() == 3
        (message,) = self.server.to("ana@reseller.example")
        text = message.get_content()
        assert BASE + reverse("tenants:account", args=[self.account.pk]) in text
        assert self.account.user_principal_name in text and self.account.user_principal_name in message["Subject"]
        assert password not in message.as_string()
        assert message["From"] == "Latchkey <latchkey@reseller.example>"
        assert self.notice(self.ana).mailed_at is not None

    def test_a_second_round_mails_nobody_again(self):
        self.mail()
        assert self.mail(after=dt.timedelta(days=3)) == 0
        assert len(self.server.taken) == 3

    def test_beat_sends_links_to_where_the_pages_are(self, monkeypatch: Any):
        monkeypatch.setenv("LATCHKEY_URL", "https://keys.example/")
        tasks.mail_notices()
        link = "https://keys.example" + reverse("tenants:account", args=[self.account.pk])
        assert link in self.server.taken[0].get_content()

    def test_whoever_fetched_it_meanwhile_is_not_mailed(self):
        self.fetch(self.ana)
        assert self.mail() == 2
        assert self.server.to("ana@reseller.example") == []

    def test_whoever_lost_the_account_or_left_meanwhile_is_not_mailed(self):
        end_assignment(self.ana.assignments.get(), by=self.world.owner)
        self.world.offboard(self.ben)
        assert self.mail() == 1

    def test_a_password_that_was_replaced_meanwhile_is_mailed_once_as_the_newest(self):
        self.rotate()
        assert self.mail() == 3
        assert len(self.server.to("ana@reseller.example")) == 1


class WhenTheServerSaysNo(Mailed):
    @pytest.mark.parametrize("mood", ["busy", "refuses"])
    def test_it_is_tried_again_later_and_arrives_once(self, mood: str):
        self.server.mood = mood
        assert self.mail() == 0
        self.server.mood = "takes"
        assert self.mail() == 0
        assert self.mail(after=RETRY_AFTER[0] * 2) == 3
        assert len(self.server.to("ana@reseller.example")) == 1

    def test_the_intervals_grow_and_end(self):
        self.server.mood = "busy"
        tried: list[dt.datetime] = []
        while (due_at := self.notice(self.ana).mail_due_at) is not None:
            tried.append(due_at)
            self.mail(after=due_at - timezone.now() + dt.timedelta(seconds=1))
        waits = [later - earlier for earlier, later in itertools.pairwise(tried)]
        assert len(waits) == len(RETRY_AFTER)
        assert all(longer > shorter for shorter, longer in itertools.pairwise(waits))
        assert self.news(self.ana) == 1

    def test_a_server_that_nobody_reaches_costs_a_delay(self, settings: Any):
        settings.MAIL_SERVER = lambda: {"host": "127.0.0.1", "port": free_port(), "timeout": 20}
        assert self.mail() == 0
        settings.MAIL_SERVER = lambda: self.server.reach
        assert self.mail(after=RETRY_AFTER[0] * 2) == 3

    def test_a_mail_whose_answer_was_lost_is_never_sent_a_second_time(self):
        self.server.mood = "drops"
        self.mail()
        self.server.mood = "takes"
        self.mail(after=dt.timedelta(days=3))
        assert sorted(message["To"] for message in self.server.taken) == [
            f"{name}@reseller.example" for name in ("ana", "ben", "cid")
        ]


class WhenThereIsNoMailServer(Story):
    def test_people_are_told_in_latchkey_only(self):
        self.rotate()
        assert mail_notices(base=BASE) == 0
        assert self.news(self.ana) == 1
        assert not PasswordNotice.objects.exclude(mail_due_at=None).exists()

    def test_the_doctor_says_so(self):
        found = mail_setup.mail_server()
        assert found.well is True
        assert "in Latchkey only" in found.words


class WhenTheDoctorLooksAtTheMailServer(Mailed):
    def test_all_is_well_when_it_answers(self, monkeypatch: Any):
        monkeypatch.setenv("LATCHKEY_URL", BASE)
        assert mail_setup.mail_server().well is True

    def test_links_that_may_lead_nowhere_are_a_fault(self, monkeypatch: Any):
        monkeypatch.delenv("LATCHKEY_URL", raising=False)
        found = mail_setup.mail_server()
        assert (found.well, "LATCHKEY_URL" in found.words) == (False, True)

    def test_one_that_does_not_answer_is_a_fault(self, settings: Any):
        settings.MAIL_SERVER = lambda: {"host": "127.0.0.1", "port": free_port(), "timeout": 20}
        found = mail_setup.mail_server()
        assert (found.well, "LATCHKEY_SMTP_URL" in found.words) == (False, True)


class WhenTheMailServerIsNamed:
    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            ("smtp+tls://ana%40x:p%2Fw@mail.example", ("mail.example", 587, "ana@x", "p/w", True, False)),
            ("smtps://u:p@mail.example:4650", ("mail.example", 4650, "u", "p", False, True)),
            ("smtp://relay.example", ("relay.example", 25, "", "", False, False)),
        ],
    )
    def test_the_address_says_how_it_is_reached(self, given: str, expected: tuple[Any, ...], monkeypatch: Any):
        monkeypatch.setenv("LATCHKEY_SMTP_URL", given)
        found = env.mail_server()
        names = ("host", "port", "username", "password", "use_tls", "use_ssl")
        assert tuple(found[name] for name in names) == expected

    @pytest.mark.parametrize(
        ("given", "words"),
        [
            ("smtp://u:Planted-Secret-7@mail.example", "must begin with smtp"),
            ("http://u:Planted-Secret-7@mail.example", "must name a mail server"),
            ("smtps://u:Planted-Secret-7@mail.example:port", "port"),
            ("smtps://:Planted-Secret-7@", "must name a mail server"),
        ],
    )
    def test_a_wrong_one_is_refused_without_being_quoted(self, given: str, words: str, monkeypatch: Any):
        monkeypatch.setenv("LATCHKEY_SMTP_URL", given)
        with pytest.raises(ImproperlyConfigured, match="LATCHKEY_SMTP_URL") as trouble:
            env.mail_server()
        assert words in str(trouble.value)
        assert "Planted" not in str(trouble.value)

    def test_a_server_without_a_sender_stops_the_start(self, monkeypatch: Any):
        monkeypatch.setenv("LATCHKEY_SMTP_URL", "smtp://relay.example")
        monkeypatch.delenv("LATCHKEY_MAIL_FROM", raising=False)
        with pytest.raises(ImproperlyConfigured, match="LATCHKEY_MAIL_FROM"):
            env.mail_from()
        monkeypatch.setenv("LATCHKEY_MAIL_FROM", "Latchkey <latchkey@reseller.example>")
        assert env.mail_from() == "Latchkey <latchkey@reseller.example>"
