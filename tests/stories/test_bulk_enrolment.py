"""Many accounts in one sitting: tokens made as a run, a few QR codes, and nothing active before codes were right."""

from __future__ import annotations

import base64
import datetime as dt
import json
import threading
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import aead
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from django.db import connection
from django.utils import timezone

from msp.errors import BadInput, NotPermitted
from msp.ledger.models import Entry
from technicians.actions.ask_to_enrol import ask_to_enrol
from technicians.actions.begin_bulk import MOST_ACCOUNTS
from technicians.actions.expire_enrolments import expire_enrolments
from technicians.actions.finish_bulks import finish_bulks
from technicians.actions.prove_bulk_code import WrongCodes
from technicians.actions.prove_enrolment import MOST_TRIES
from technicians.actions.show_bulk_code import make_app_file, show_bulk_code
from technicians.actions.split_bulk_code import cancel_bulk, leave_code_out, split_bulk_code
from technicians.models import BulkCode, Enrolment, EnrolmentRequest
from tenants.models import EnrolmentPolicy, Registration, Run, Target, Tenant
from tests.support.bulk_desk import BulkDesk

Status = Enrolment.Status


class WhenATechnicianEnrolsOnTenAccounts(BulkDesk):
    TENANTS = 10

    def test_one_scan_and_two_codes_let_her_in_everywhere_and_colleagues_stay(self):
        self.ready()
        shown = self.show()
        assert len(self.phone.seeds) == 10
        assert len(shown.code.asked) == 2
        assert self.prove() == 10
        self.work()
        assert set(self.states()) == {Status.ACTIVE}
        assert all(self.gets_in(account) for account in self.accounts)
        assert self.world.gets_in(self.accounts[0], self.ben)
        assert self.sitting().is_over

    def test_the_seeds_are_nowhere_at_the_end(self):
        self.ready()
        self.show()
        self.prove()
        assert self.seeds_left() == 10
        self.work()
        assert self.seeds_left() == 0

    def test_every_account_is_written_down_before_its_seed_leaves(self):
        self.ready()
        self.show()
        written = Entry.objects.filter(verb="enrolment.seed_shown", actor_id=self.ana.pk)
        assert {e.account_id for e in written} == {a.pk for a in self.accounts}
        assert {e.facts["code_number"] for e in written} == {1}

    def test_the_entries_have_names_of_their_own(self):
        self.ready(accounts_per_code=5)
        self.show()
        assert sorted(self.phone.seeds) == sorted(a.user_principal_name for a in self.accounts[:5])
        assert len(set(self.phone.seeds.values())) == 5

    def test_with_one_qr_code_proven_nothing_of_the_other_is_activated(self):
        self.ready(accounts_per_code=5)
        self.show()
        assert self.prove() == 5
        self.show()
        self.work()
        assert self.states() == [Status.ACTIVE] * 5 + [Status.WAITING_FOR_SCAN] * 5
        assert {s for a in self.accounts[5:] for s in self.at_microsoft(a)} == {"available"}
        assert self.sitting().scans_left == 1

    def test_the_accounts_that_are_asked_for_change_from_sitting_to_sitting(self):
        """Chosen by the system's generator: of twelve choices out of 45, two are alike only if it is none."""
        self.ready()
        seen = set()
        for _ in range(12):
            seen.add(frozenset(self.show().code.asked))
            BulkCode.objects.all().delete()
            Enrolment.objects.update(code_number=None)
        assert len(seen) > 1


class WhenACodeIsWrong(BulkDesk):
    def test_nothing_is_activated_though_the_other_one_was_right(self):
        self.ready()
        self.show()
        with pytest.raises(WrongCodes) as wrong:
            self.prove(self.wrong_codes())
        assert len(wrong.value.sentences) == 1
        assert "4 tries are left" in next(iter(wrong.value.sentences.values()))
        self.work()
        assert set(self.states()) == {Status.WAITING_FOR_SCAN}
        assert self.prove() == 3

    def test_one_of_two_is_not_enough(self):
        self.ready()
        self.show()
        only = dict([next(iter(self.codes().items()))])
        with pytest.raises(WrongCodes, match="Nothing was activated yet"):
            self.prove(only)

    def test_a_wrong_clock_is_told_in_minutes(self):
        self.ready()
        self.show()
        with pytest.raises(WrongCodes) as wrong:
            self.prove(self.codes(steps=14))
        assert all("about 7 minutes ahead" in sentence for sentence in wrong.value.sentences.values())

    def test_codes_of_accounts_that_nobody_asked_for_prove_nothing(self):
        self.ready()
        self.show()
        asked = set(self.codes())
        others = [e for e in self.sitting().waiting if str(e.pk) not in asked]
        with pytest.raises(WrongCodes):
            self.prove({str(e.pk): self.phone.code(e.account) for e in others})

    def test_too_many_end_everything_of_that_qr_code_and_nothing_is_left_at_microsoft(self):
        self.ready()
        self.show()
        for _ in range(MOST_TRIES):
            with pytest.raises(BadInput):
                self.prove(self.wrong_codes())
        assert set(self.states()) == {Status.FAILED}
        with pytest.raises(BadInput, match="too late"):
            self.prove({}, number=1)
        self.work()
        assert [self.at_microsoft(a) for a in self.accounts] == [[], [], []]
        assert self.seeds_left() == 0

    def test_a_proven_qr_code_is_not_proven_again(self):
        self.ready()
        self.show()
        codes = self.codes()
        self.prove(codes)
        with pytest.raises(BadInput, match="not waiting for codes"):
            self.prove(codes, number=1)


class WhenAQrCodeDoesNotScan(BulkDesk):
    TENANTS = 5

    def test_it_is_not_shown_a_second_time(self):
        self.ready()
        self.show()
        with pytest.raises(BadInput, match="shown once only"):
            show_bulk_code(self.bulk, by=self.ana, outside=self.world.outside)

    def test_it_comes_as_two_smaller_ones_each_with_its_own_proof(self):
        self.ready()
        first = self.show()
        assert split_bulk_code(self.bulk, first.code.number, by=self.ana) == 2
        with pytest.raises(BadInput):
            self.prove({}, number=first.code.number)
        self.phone.seeds.clear()
        self.show()
        assert len(self.phone.seeds) == 3
        assert self.prove() == 3
        self.show()
        assert self.prove() == 2
        self.work()
        assert set(self.states()) == {Status.ACTIVE}

    def test_wrong_tries_go_along_to_the_smaller_ones(self):
        self.ready()
        first = self.show()
        with pytest.raises(WrongCodes):
            self.prove(self.wrong_codes())
        split_bulk_code(self.bulk, first.code.number, by=self.ana)
        self.show()
        with pytest.raises(WrongCodes) as wrong:
            self.prove(self.wrong_codes())
        assert "3 tries are left" in next(iter(wrong.value.sentences.values()))

    def test_a_single_one_is_left_out_and_the_others_go_on(self):
        self.ready(app="microsoft")
        shown = self.show()
        with pytest.raises(BadInput, match="no smaller one"):
            split_bulk_code(self.bulk, shown.code.number, by=self.ana)
        assert leave_code_out(self.bulk, shown.code.number, by=self.ana) == 1
        self.show()
        assert self.prove() == 1


class WhenTheAppTakesOneAccountAtATime(BulkDesk):
    def test_each_qr_code_is_one_address_with_one_code(self):
        self.ready(app="authy", accounts_per_code=10)
        assert self.sitting().scans_left == 3
        for _ in self.accounts:
            assert self.show().text.startswith("otpauth://totp/")
            assert len(self.codes()) == 1
            assert self.prove() == 1
        self.work()
        assert all(self.gets_in(account) for account in self.accounts)


class WhenThePolicySaysFive(BulkDesk):
    TENANTS = 6

    def test_no_qr_code_holds_more(self):
        EnrolmentPolicy.objects.create(reseller=self.world.reseller, account=self.accounts[0], accounts_per_code=5)
        assert self.begin(accounts_per_code=10).bulk.accounts_per_code == 5
        assert self.sitting().scans_left == 2


class WhenTheTimeIsOver(BulkDesk):
    def late(self) -> None:
        Enrolment.objects.update(expires_at=timezone.now() - dt.timedelta(seconds=1))

    def test_codes_come_too_late_and_nothing_is_left(self):
        self.ready()
        self.show()
        codes = self.codes()
        self.late()
        with pytest.raises(BadInput, match="too late"):
            self.prove(codes, number=1)
        assert set(self.states()) == {Status.EXPIRED}
        self.work()
        assert [self.at_microsoft(a) for a in self.accounts] == [[], [], []]

    def test_the_page_says_so_before_the_clock_writes_it_down(self):
        self.ready()
        self.late()
        assert self.sitting().is_over
        assert len(self.sitting().failed) == 3
        with pytest.raises(BadInput, match="no QR code to show"):
            self.show()
        assert expire_enrolments() == 3
        assert finish_bulks() == 1
        assert Entry.objects.get(verb="bulk_enrolment.finished").facts["without"] == 3

    def test_a_qr_code_on_screen_has_the_minutes_of_the_policy_and_the_others_wait(self):
        EnrolmentPolicy.objects.create(reseller=self.world.reseller, minutes_on_screen=4)
        self.ready(app="other")
        shown = self.show()
        assert shown.until - timezone.now() < dt.timedelta(minutes=4, seconds=1)
        rest = Enrolment.objects.filter(code_number=None)
        assert all(e.expires_at - timezone.now() > dt.timedelta(hours=1) for e in rest)


class WhenMicrosoftRefusesSome(BulkDesk):
    def test_they_are_in_no_qr_code_and_the_others_go_on(self):
        refuses = self.account(99, takes_tokens=False)
        self.ready(accounts=[refuses, *self.accounts])
        assert self.sitting().failed[0].account == refuses
        assert "Microsoft did not take a token" in self.sitting().failed[0].note
        self.show()
        assert sorted(self.phone.seeds) == sorted(a.user_principal_name for a in self.accounts)
        assert self.prove() == 3

    def test_a_tenant_that_asks_for_patience_does_not_hold_up_the_others(self):
        Tenant.objects.filter(pk=self.accounts[1].tenant_id).update(busy_until=timezone.now() + dt.timedelta(minutes=5))
        self.ready()
        standing = self.sitting()
        assert [e.account for e in standing.preparing] == [self.accounts[1]]
        assert standing.is_short
        self.show()
        assert self.prove() == 2
        self.work()
        assert self.gets_in(self.accounts[0])
        Tenant.objects.update(busy_until=None)
        self.work()
        self.show()
        assert self.prove() == 1
        self.work()
        assert set(self.states()) == {Status.ACTIVE}


class WhenSomethingStandsInTheWayBeforehand(BulkDesk):
    def test_an_account_with_an_own_authenticator_is_left_out_with_the_reason(self):
        self.world.enrol(self.accounts[0], self.ana)
        begun = self.begin()
        assert set(begun.left_out) == {self.accounts[0]}
        assert "of your own" in begun.left_out[self.accounts[0]]
        assert len(self.states()) == 2

    def test_unless_it_is_on_her_list_because_of_a_new_phone(self):
        self.world.enrol(self.accounts[0], self.ana)
        ask_to_enrol(self.ana, [self.accounts[0]], because=EnrolmentRequest.Because.NEW_PHONE, by=self.ana)
        assert not self.begin().left_out

    def test_a_full_account_and_one_that_is_not_hers_are_left_out_before_any_qr_code(self):
        full, foreign = self.accounts[0], self.world.account(self.world.tenant("Foreign"))
        for number in range(4):
            self.world.give(full, self.world.technician(f"Person{number}"))
        begun = self.begin([*self.accounts, foreign])
        assert set(begun.left_out) == {full, foreign}
        assert len(self.states()) == 2

    def test_nothing_at_all_begins_when_none_is_possible(self):
        foreign = self.world.account(self.world.tenant("Foreign"))
        with pytest.raises(BadInput):
            self.begin([foreign])
        assert not Run.objects.filter(kind=Run.Kind.ENROLMENT).exists()
        assert not Registration.objects.exists()

    def test_too_many_and_none_are_refused(self):
        with pytest.raises(BadInput, match="at most 200"):
            self.begin(self.accounts * MOST_ACCOUNTS)
        with pytest.raises(BadInput, match="at least one"):
            self.begin([])
        with pytest.raises(BadInput, match="app"):
            self.begin(app="a notebook")

    def test_nobody_else_begins_sees_proves_or_cancels(self):
        with pytest.raises(NotPermitted):
            self.begin(by=self.world.owner)
        self.ready()
        with pytest.raises(NotPermitted):
            self.show(by=self.world.owner)
        for act in (lambda: split_bulk_code(self.bulk, 1, by=self.ben), lambda: cancel_bulk(self.bulk, by=self.ben)):
            with pytest.raises(NotPermitted):
                act()


class WhenTwoSittingsMeet(BulkDesk):
    def test_the_second_takes_only_what_the_first_has_not(self):
        self.begin(self.accounts[:2])
        begun = self.begin()
        assert set(begun.left_out) == set(self.accounts[:2])
        assert all("enrolling on" in reason for reason in begun.left_out.values())


class WhenSheCancels(BulkDesk):
    TENANTS = 4

    def test_what_is_active_stays_and_the_rest_is_given_up(self):
        self.ready(app="other")
        self.show()
        self.prove()
        self.work()
        self.show()
        assert cancel_bulk(self.bulk, by=self.ana) == 3
        self.work()
        assert sorted(self.states()) == [Status.ACTIVE, *[Status.CANCELLED] * 3]
        assert self.gets_in(self.accounts[0])
        assert [self.at_microsoft(a) for a in self.accounts[1:]] == [[], [], []]
        assert self.seeds_left() == 0
        with pytest.raises(BadInput, match="is over"):
            self.show()
        assert Entry.objects.filter(verb="bulk_enrolment.finished").count() == 1


class WhenSheIsOffboardedInTheMiddle(BulkDesk):
    def test_nothing_more_is_shown_or_activated_and_nothing_is_left(self):
        self.ready()
        self.show()
        codes = self.codes()
        departure = self.world.offboard(self.ana)
        self.ana.refresh_from_db()
        with pytest.raises((BadInput, NotPermitted)):
            self.prove(codes, number=1)
        self.work()
        self.world.work(departure.run)
        assert set(self.states()) == {Status.CANCELLED}
        assert [self.at_microsoft(a) for a in self.accounts] == [[], [], []]
        assert self.seeds_left() == 0

    def test_what_was_active_goes_with_her(self):
        for account in self.accounts[1:]:
            self.world.give(account, self.ben)
        self.ready()
        self.show()
        self.prove()
        self.work()
        departure = self.world.offboard(self.ana)
        self.world.work(departure.run)
        assert not any(self.gets_in(account) for account in self.accounts)
        assert self.world.gets_in(self.accounts[0], self.ben)


class WhenOneOfTheAskedAccountsIsTakenAway(BulkDesk):
    def test_another_one_is_asked_for_instead(self):
        self.ready()
        self.show()
        codes = self.codes()
        gone = self.sitting().asked[0]
        gone.advance(Status.CANCELLED)
        with pytest.raises(BadInput, match="asked for instead"):
            self.prove(codes)
        assert len(self.sitting().asked) == 2
        assert self.prove() == 2


class AnEncryptedFile(BulkDesk):
    TENANTS = 3
    PASSPHRASE = "seven quiet herons"

    def make(self, **more: Any) -> Any:
        facts = {"passphrase": self.PASSPHRASE, "by": self.ana, "outside": self.world.outside} | more
        return make_app_file(self.bulk, **facts)

    def allow(self) -> None:
        EnrolmentPolicy.objects.create(reseller=self.world.reseller, files=True)

    def test_is_not_made_unless_the_policy_says_so(self):
        self.ready()
        with pytest.raises(BadInput, match="policy"):
            self.make()

    def test_is_not_made_with_a_short_passphrase_and_nothing_counts_as_shown(self):
        self.allow()
        self.ready()
        with pytest.raises(BadInput, match="12 characters"):
            self.make(passphrase="short")
        assert not BulkCode.objects.exists()

    def test_holds_every_seed_once_for_whoever_has_the_passphrase_and_is_proven_like_a_qr_code(self):
        self.allow()
        self.ready()
        made = self.make()
        for entry in aegis_entries(made.content, self.PASSPHRASE):
            self.phone.seeds[entry["name"]] = entry["info"]["secret"]
        assert len(self.phone.seeds) == 3
        assert not any(seed.encode() in made.content for seed in self.phone.seeds.values())
        with pytest.raises(BadInput):
            self.make()
        assert self.prove() == 3
        self.work()
        assert all(self.gets_in(account) for account in self.accounts)
        assert {e.facts["as_what"] for e in Entry.objects.filter(verb="enrolment.seed_shown")} == {"encrypted file"}


def aegis_entries(content: bytes, passphrase: str) -> list[dict[str, Any]]:
    file = json.loads(content)
    slot, params = file["header"]["slots"][0], file["header"]["params"]
    key = Scrypt(salt=bytes.fromhex(slot["salt"]), length=32, n=slot["n"], r=slot["r"], p=slot["p"]).derive(
        passphrase.encode()
    )
    master = unseal(key, bytes.fromhex(slot["key"]), slot["key_params"])
    entries: list[dict[str, Any]] = json.loads(unseal(master, base64.b64decode(file["db"]), params))["entries"]
    return entries


def unseal(key: bytes, sealed: bytes, params: dict[str, str]) -> bytes:
    return aead.AESGCM(key).decrypt(bytes.fromhex(params["nonce"]), sealed + bytes.fromhex(params["tag"]), None)


@pytest.mark.django_db(transaction=True)
class WhenTwoTabsActAtOnce(BulkDesk):
    def test_one_qr_code_is_shown_and_the_other_tab_is_told(self):
        self.ready()
        together, came = threading.Barrier(2), []

        def show() -> None:
            together.wait()
            try:
                came.append(show_bulk_code(self.bulk, by=self.ana, outside=self.world.outside).code.number)
            except BadInput as told:
                came.append(str(told))
            finally:
                connection.close()

        tabs = [threading.Thread(target=show) for _ in range(2)]
        for tab in tabs:
            tab.start()
        for tab in tabs:
            tab.join()
        assert came.count(1) == 1
        assert any("shown once only" in str(one) for one in came)
        assert Entry.objects.filter(verb="enrolment.seed_shown").count() == 3


class WhenAWorkerDies(BulkDesk):
    def test_another_one_goes_on_where_the_rows_say(self):
        self.begin()
        died: list[str] = []

        def dies(milestone: str) -> None:
            if milestone == "create_token.call.answered" and not died:
                died.append(milestone)
                raise KeyboardInterrupt

        doomed = type(self.world.outside)(**(self.world.outside.__dict__ | {"reached": dies}))
        run = self.bulk.run
        assert run is not None
        with pytest.raises(KeyboardInterrupt):
            self.world.work(run, outside=doomed)
        assert died
        Target.objects.update(due_at=timezone.now())
        self.work()
        self.show()
        assert self.prove() == 3
        self.work()
        assert set(self.states()) == {Status.ACTIVE}
        assert [len(self.at_microsoft(a)) for a in self.accounts] == [1, 1, 1]
