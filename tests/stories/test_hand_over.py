"""A password for somebody outside: a link that opens once, and what becomes of it otherwise."""

from __future__ import annotations

import datetime as dt
import logging
import threading
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from django.db import connections
from django.test import Client
from django.utils import timezone

from msp.errors import BadInput, LedgerClosed, MoveLost, NotPermitted
from msp.ledger.models import Entry
from technicians.actions import hand_over as handing_over
from technicians.actions.assign import end_assignment
from technicians.actions.hand_over import MadeLink, Opened, close_links, make_link, open_link, withdraw_link
from technicians.hand_over_queries import Standing, find_link, links_on, standing_of
from technicians.models import CheckOut, HandOverLink, Reveal, Role
from technicians.tasks import tidy
from tenants.models import ChangeDemand, PasswordPolicy, SecretVersion
from tests.support.closed_ledger import close_the_ledger
from tests.support.recipient import decrypted, finder_of, from_base64, key_of
from tests.support.scan import Scan, answer_of, database_dump
from tests.support.world import World

HOUR = dt.timedelta(hours=1)


class Scene:
    """Ana and Ben hold Contoso's account; Carla works at Contoso."""

    @pytest.fixture(autouse=True)
    def _scene(self, world: World) -> None:
        self.world = world
        self.ana, self.ben = world.technician("Ana"), world.technician("Ben")
        self.account = world.account(world.tenant("Contoso"))
        world.give(self.account, self.ana, self.ben)
        self.password = world.passwords_known(self.account)["current"]

    def link(self, **facts: Any) -> MadeLink:
        said = {"recipient": "Carla of Contoso", "reason": "she takes over", "life": HOUR} | facts
        return make_link(said.pop("by", self.ana), self.account, outside=self.world.outside, **said)

    def opens(self, made: MadeLink, address: str = "203.0.113.7") -> Opened | None:
        return open_link(finder_of(made.link_path), address=address)

    def reads(self, made: MadeLink) -> Any:
        opened = self.opens(made)
        assert opened is not None
        return decrypted(made.link_path, opened.link_id, opened.ciphertext)

    def standing(self, made: MadeLink) -> Standing:
        link = find_link(finder_of(made.link_path))
        assert link is not None
        return standing_of(link, timezone.now())

    def is_empty(self, made: MadeLink) -> bool:
        return bytes(HandOverLink.objects.get(pk=made.link.pk).ciphertext) == b""

    def time_passes(self, made: MadeLink) -> None:
        HandOverLink.objects.filter(pk=made.link.pk).update(expires_at=timezone.now() - dt.timedelta(seconds=1))

    def password_changes(self) -> None:
        SecretVersion.objects.filter(secret__account=self.account).that_may_sign_in().update(
            status=SecretVersion.Status.RETIRED, retired_at=timezone.now()
        )

    def entries(self) -> list[str]:
        said = Entry.objects.filter(account_id=self.account.pk).order_by("id").values_list("verb", flat=True)
        return [verb for verb in said if verb.startswith(("password.handed_over", "hand_over"))]


class WhenALinkIsMade(Scene):
    def test_whoever_has_it_reads_user_name_and_password(self):
        said = self.reads(self.link())
        assert said["account"] == self.account.user_principal_name
        assert said["passwords"] == [{"password": self.password, "state": "current"}]

    def test_it_is_written_down_with_recipient_and_reason_and_counts_as_revealed_to_its_maker(self):
        made = self.link()
        [entry] = Entry.objects.filter(verb="password.handed_over")
        assert (entry.actor_id, entry.facts["recipient"]) == (self.ana.pk, "Carla of Contoso")
        assert (entry.facts["reason"], entry.facts["link"]) == ("she takes over", str(made.link.pk))
        [reveal] = Reveal.objects.all()
        assert (reveal.technician, reveal.act, reveal.reason) == (self.ana, "handed_over", "she takes over")

    def test_the_password_must_change_but_not_before_the_recipient_could_use_it(self):
        made = self.link()
        [demand] = ChangeDemand.objects.open()
        assert (demand.because, demand.detail) == (ChangeDemand.Because.HAND_OVER, "Carla of Contoso")
        assert demand.due_at == made.changes_from > made.link.expires_at

    def test_it_has_128_bits_to_be_found_by_and_256_to_be_read_by_each_time_others(self):
        made = [self.link() for _ in range(3)]
        assert {len(from_base64(finder_of(m.link_path))) for m in made} == {16}
        assert {len(key_of(m.link_path)) for m in made} == {32}
        assert len({m.link_path for m in made}) == 3

    def test_it_ends_with_its_makers_assignment_when_that_is_sooner(self):
        until = timezone.now() + dt.timedelta(minutes=20)
        self.ana.assignments.update(until_at=until)
        assert self.link(life=HOUR).link.expires_at == until

    def test_it_says_nothing_of_itself_where_it_may_be_printed(self):
        made = self.link()
        for secret in (finder_of(made.link_path), made.link_path.partition("#")[2], self.password):
            assert secret not in f"{made!r} {made.link!r} {made.link}"

    @pytest.mark.parametrize(
        "wrong",
        [
            {"recipient": "  "},
            {"recipient": "x" * 201},
            {"reason": ""},
            {"reason": "x" * 501},
            {"life": dt.timedelta(hours=72, seconds=1)},
            {"life": dt.timedelta(0)},
        ],
        ids=["nobody", "a novel of a name", "no reason", "a novel of a reason", "too long", "no time"],
    )
    def test_what_is_missing_or_too_much_makes_none(self, wrong: dict[str, Any]):
        with pytest.raises(BadInput):
            self.link(**wrong)
        assert not HandOverLink.objects.exists()
        assert not Reveal.objects.exists()


class WhenThePolicyAsksForATicketNumber(Scene):
    def test_none_makes_no_link_and_a_given_one_is_written_down(self):
        PasswordPolicy.objects.create(reseller=self.world.reseller, asks=PasswordPolicy.Asks.TICKET)
        with pytest.raises(BadInput, match="ticket"):
            self.link()
        assert not HandOverLink.objects.exists()
        self.link(ticket=" INC0042 ")
        assert Reveal.objects.get().ticket == "INC0042"
        assert Entry.objects.get(verb="password.handed_over").facts["ticket"] == "INC0042"

    def test_one_of_another_form_makes_none(self):
        asks = PasswordPolicy.Asks.TICKET
        PasswordPolicy.objects.create(reseller=self.world.reseller, asks=asks, ticket_pattern="INC####")
        with pytest.raises(BadInput, match="no ticket number"):
            self.link(ticket="0042")
        assert not HandOverLink.objects.exists()


class WhenAPersonHasFetchedAllThatThePolicyAllows(Scene):
    def test_a_link_is_refused_like_a_reveal(self):
        PasswordPolicy.objects.create(reseller=self.world.reseller, reveals_per_hour=1)
        self.link()
        with pytest.raises(BadInput, match="allows no more"):
            self.link()
        assert HandOverLink.objects.count() == 1


class WhenTwoVersionsMaySignIn(Scene):
    def test_both_go_in_the_newest_first_each_with_its_state(self):
        new = self.change_is_not_proven()
        said = self.reads(self.link())
        assert said["passwords"] == [
            {"password": new, "state": "unverified"},
            {"password": self.password, "state": "current"},
        ]
        assert Reveal.objects.filter(act="handed_over").count() == 2

    def test_a_doubtful_one_says_so(self):
        SecretVersion.objects.update(status=SecretVersion.Status.DOUBTFUL)
        assert [one["state"] for one in self.reads(self.link())["passwords"]] == ["doubtful"]

    def change_is_not_proven(self) -> str:
        secret = self.account.secret
        version = SecretVersion(reseller=self.world.reseller, secret=secret, number=2, status="unverified")
        version.sealed = self.world.outside.vault.seal(b"Another-Password-1", version.place)
        version.save()
        return "Another-Password-1"


class WhenALinkIsOpened(Scene):
    def test_it_opens_once(self):
        made = self.link()
        assert self.opens(made) is not None
        assert self.opens(made) is None
        assert self.standing(made) == Standing.OPENED

    def test_when_and_from_where_is_written_down_and_nothing_is_kept(self):
        made = self.link()
        self.opens(made, "2001:db8::7")
        link = HandOverLink.objects.get()
        assert (link.opened_from, bytes(link.ciphertext)) == ("2001:db8::7", b"")
        assert link.opened_at is not None
        assert Entry.objects.get(verb="hand_over.opened").facts["opened_from"] == "2001:db8::7"

    def test_another_row_does_not_decrypt_with_its_key(self):
        one, other = self.link(), self.link()
        mine, its = self.opens(one), self.opens(other)
        assert mine is not None and its is not None
        for link_id, ciphertext in ((its.link_id, mine.ciphertext), (mine.link_id, its.ciphertext)):
            with pytest.raises(InvalidTag):
                decrypted(one.link_path, link_id, ciphertext)

    def test_one_that_never_was_does_not_open(self):
        assert open_link("A" * 22, address=None) is None


class WhenItIsNotOpenedInTime(Scene):
    def test_it_does_not_open_any_more(self):
        made = self.link()
        self.time_passes(made)
        assert self.opens(made) is None
        assert self.standing(made) == Standing.EXPIRED

    def test_the_clock_empties_it_and_says_so_once(self):
        made, waiting = self.link(), self.link()
        self.time_passes(made)
        tidy()
        tidy()
        assert self.is_empty(made)
        assert not self.is_empty(waiting)
        assert self.entries().count("hand_over.expired") == 1
        assert self.standing(made) == Standing.EXPIRED


class WhenItIsWithdrawn(Scene):
    def test_by_its_maker_it_does_not_open_and_nothing_is_kept(self):
        made = self.link()
        withdraw_link(self.seen(made), by=self.ana)
        assert self.opens(made) is None
        assert self.is_empty(made)
        assert Entry.objects.get(verb="hand_over.withdrawn").actor_id == self.ana.pk

    def test_by_a_manager_too(self):
        made = self.link()
        withdraw_link(self.seen(made), by=self.world.technician("Mia", Role.MANAGER))
        assert self.standing(made) == Standing.WITHDRAWN

    def test_a_colleague_may_not(self):
        made = self.link()
        with pytest.raises(NotPermitted):
            withdraw_link(self.seen(made), by=self.ben)
        assert self.opens(made) is not None

    def test_after_it_was_opened_it_is_said_that_there_was_nothing_to_withdraw(self):
        made = self.link()
        seen = self.seen(made)
        self.opens(made)
        with pytest.raises(MoveLost, match="opened"):
            withdraw_link(seen, by=self.ana)
        assert self.standing(made) == Standing.OPENED
        assert "hand_over.withdrawn" not in self.entries()

    def seen(self, made: MadeLink) -> HandOverLink:
        return HandOverLink.objects.get(pk=made.link.pk)


class WhenItsMakerMayDoNothingAnyMore(Scene):
    def test_leaving_closes_her_links_in_the_same_moment_and_nobody_elses(self):
        hers, his = self.link(), self.link(by=self.ben)
        self.world.offboard(self.ana)
        assert self.is_empty(hers)
        assert self.opens(hers) is None
        assert self.standing(hers) == Standing.WITHDRAWN
        assert not self.is_empty(his)
        assert self.opens(his) is not None

    def test_losing_the_account_closes_it_and_the_clock_empties_it(self):
        made = self.link()
        end_assignment(self.ana.assignments.select_related("account__tenant").get(), by=self.world.owner)
        assert self.opens(made) is None
        close_links()
        assert self.is_empty(made)
        assert Entry.objects.get(verb="hand_over.withdrawn").facts["because"] == "its maker lost the account"


class WhenThePasswordChangesMeanwhile(Scene):
    def test_it_does_not_open_and_says_why(self):
        made = self.link()
        self.password_changes()
        assert self.opens(made) is None
        assert self.standing(made) == Standing.CHANGED

    def test_the_clock_empties_it_and_the_reason_stays(self):
        made = self.link()
        self.password_changes()
        close_links()
        assert self.is_empty(made)
        assert self.standing(made) == Standing.CHANGED
        assert self.entries()[-1] == "hand_over.withdrawn"


class WhoMayNotHandOver(Scene):
    def test_somebody_without_the_account_gets_no_link(self):
        self.refuses(self.world.technician("Dora"))

    def test_somebody_whose_assignment_is_over_gets_no_link(self):
        self.ana.assignments.update(until_at=timezone.now())
        self.refuses(self.ana)

    @pytest.mark.parametrize("role", [Role.AUDITOR, Role.CUSTOMER_CONTACT])
    def test_an_auditor_and_a_customers_contact_get_none_whatever_they_are_assigned(self, role: str):
        facts = {"customer": self.account.tenant.customer} if role == Role.CUSTOMER_CONTACT else {}
        person = self.world.technician("Rob", role, **facts)
        self.world.give(self.account, person)
        self.refuses(person)

    def test_while_a_colleague_has_it_checked_out_nobody_else_gets_one(self):
        self.checks_out(self.ben)
        self.refuses(self.ana, match="Ben")
        assert self.link(by=self.ben)

    def test_where_the_policy_asks_for_a_check_out_it_comes_first(self):
        PasswordPolicy.objects.create(reseller=self.world.reseller, check_out_required=True)
        self.refuses(self.ana, match="checked the account out")
        self.checks_out(self.ana)
        assert self.link()

    def checks_out(self, person: Any) -> None:
        CheckOut.objects.create(
            reseller=self.world.reseller, technician=person, account=self.account, until_at=timezone.now() + HOUR
        )

    def refuses(self, person: Any, match: str = "no link was made") -> None:
        with pytest.raises(NotPermitted, match=match):
            self.link(by=person)
        assert not HandOverLink.objects.exists()
        assert not Reveal.objects.filter(technician=person).exists()


class WhoSeesALink(Scene):
    def test_its_maker_and_managers_do_and_a_colleague_does_not(self):
        self.link()
        mia = self.world.technician("Mia", Role.MANAGER)
        assert [row.may_withdraw for row in links_on(self.account, self.ana)] == [True]
        assert [row.may_withdraw for row in links_on(self.account, mia)] == [True]
        assert links_on(self.account, self.ben) == []

    def test_an_auditor_looks_and_withdraws_nothing(self):
        self.link()
        auditor = self.world.technician("Aud", Role.AUDITOR)
        assert [row.may_withdraw for row in links_on(self.account, auditor)] == [False]


class IfTheLedgerCannotBeWritten(Scene):
    """No record, no act."""

    def test_no_link_is_made(self, monkeypatch: pytest.MonkeyPatch):
        self.closes(monkeypatch)
        with pytest.raises(LedgerClosed):
            self.link()
        assert not HandOverLink.objects.exists()
        assert not Reveal.objects.exists()

    def test_none_is_opened_and_the_one_opening_is_not_spent(self, monkeypatch: pytest.MonkeyPatch):
        made = self.link()
        with monkeypatch.context() as patch:
            self.closes(patch)
            with pytest.raises(LedgerClosed):
                self.opens(made)
        assert self.reads(made)["passwords"][0]["password"] == self.password

    def closes(self, patch: pytest.MonkeyPatch) -> None:
        close_the_ledger(patch)


@pytest.mark.django_db(transaction=True)
class WhenSeveralOpenItAtOnce(Scene):
    def test_exactly_one_gets_it(self, monkeypatch: pytest.MonkeyPatch):
        made = self.link()
        all_have_looked, got = threading.Barrier(8), []

        def looks(finder: str) -> HandOverLink | None:
            found = find_link(finder)
            all_have_looked.wait(timeout=60)
            return found

        def opens() -> None:
            got.append(self.opens(made))
            connections.close_all()

        monkeypatch.setattr(handing_over, "find_link", looks)
        together = [threading.Thread(target=opens) for _ in range(8)]
        for one in together:
            one.start()
        for one in together:
            one.join(timeout=60)
        assert len(got) == 8
        assert len([one for one in got if one is not None]) == 1
        assert self.entries().count("hand_over.opened") == 1


@pytest.mark.django_db(transaction=True)
class WhenSomebodyHasEverythingThatLatchkeyKeeps(Scene):
    """The database, the ledger in it, the logs and the answers: none of them tells the password or opens the link."""

    def test_neither_password_nor_key_nor_link_is_in_it(self, caplog: pytest.LogCaptureFixture):
        caplog.set_level(logging.DEBUG)
        made, spent, old = self.link(), self.link(), self.link()
        before = database_dump()
        browser = Client(REMOTE_ADDR="198.51.100.20")
        seen = [browser.get(made.link_path.partition("#")[0])]
        seen += [browser.post(spent.link_path.partition("#")[0]) for _ in range(2)]
        self.time_passes(old)
        seen += [browser.get(old.link_path.partition("#")[0])]
        close_links()
        kept = {"database": before + database_dump(), "log": self.said_by(caplog), "answers": self.said(seen)}

        scan = Scan()
        scan.plant("password", self.password)
        for name, link in (("waiting", made), ("spent", spent), ("old", old)):
            scan.plant(f"key of the {name} link", key_of(link.link_path))
            scan.plant(f"fragment of the {name} link", link.link_path.partition("#")[2])
            scan.plant(f"finder of the {name} link", finder_of(link.link_path))
        findings = [found for place, content in kept.items() for found in scan.findings(place, content)]
        assert findings == []
        assert b"Carla of Contoso" in kept["database"]
        assert b"[withheld]" in kept["log"]

    def test_the_finder_alone_is_all_that_is_missing_in_the_log(self, caplog: pytest.LogCaptureFixture):
        """So that the scan above cannot pass because nobody writes a log."""
        Client(REMOTE_ADDR="198.51.100.21").get("/hand-over/not-a-link")
        assert b"/hand-over/[withheld]" in self.said_by(caplog)

    def said_by(self, caplog: pytest.LogCaptureFixture) -> bytes:
        return "\n".join([caplog.text, *(record.getMessage() for record in caplog.records)]).encode()

    def said(self, answers: list[Any]) -> bytes:
        return b"\n".join(answer_of(answer) for answer in answers)
