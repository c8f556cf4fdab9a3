"""A technician registers on Microsoft's page: exactly what appeared is bound, with the key as proof or without."""

from __future__ import annotations

import base64
import datetime as dt
import time
from typing import Any

import pytest
from django.utils import timezone

from msp.access.migration import MigrationAccount, codes_of
from msp.errors import BadInput, NotPermitted
from msp.ledger.models import Entry
from technicians.actions.assign import assign
from technicians.actions.choose_way import choose_way
from technicians.actions.clear_up_enrolments import clear_up_enrolments
from technicians.actions.enrol import begin_enrolment, cancel_enrolment, finish_enrolment
from technicians.actions.expire_enrolments import expire_enrolments
from technicians.actions.prove_enrolment import MOST_TRIES
from technicians.actions.prove_key import keep_pasted_key, prove_key
from technicians.actions.show_code import show_code
from technicians.codes import SECONDS, code_at
from technicians.models import Authenticator, Enrolment, KeptCode, Role, Technician
from technicians.pasted_keys import key_in
from technicians.way_queries import ways_on, ways_page
from tenants.actions.observe_account import observe_account
from tenants.models import EnrolmentPolicy, Method, SeedFingerprint
from tests.support.token_desk import TokenDesk

pytestmark = pytest.mark.django_db
WAY, STATUS = Enrolment.Way, Enrolment.Status


class PageDesk(TokenDesk):
    """Ben has an authenticator on Contoso's account, Ana goes to Microsoft's page for one."""

    def begins(self, person: Technician | None = None, **more: Any) -> Enrolment:
        person = person or self.ana
        return begin_enrolment(person, self.account, by=more.pop("by", person), outside=self.world.outside, **more)

    def registers(self, kind: str = "software_oath", label: str = "phone") -> bytes:
        """On Microsoft's page; the key of it, if its kind has one."""
        made = self.world.cloud.register(self.directory_id, self.account.object_id, kind, label)
        return base64.b32decode(made.seed) if made.seed else b""

    @property
    def directory_id(self) -> str:
        return self.world.directory_id(self.account)

    def proves(self, enrolment: Enrolment, key: bytes, code: str | None = None) -> None:
        typed = code or code_at(key, int(time.time() // SECONDS))
        prove_key(self.again(enrolment), key, typed, by=enrolment.technician, outside=self.world.outside)

    def finishes(self, enrolment: Enrolment, by: Technician | None = None) -> Enrolment:
        return finish_enrolment(self.again(enrolment), by=by or enrolment.technician, outside=self.world.outside)

    def policy(self, **facts: bool) -> None:
        EnrolmentPolicy.objects.create(reseller=self.world.reseller, **facts)

    def fill_up(self) -> None:
        for _ in range(4):
            self.world.enrol(self.account, self.ben)


class WhenOneMethodAppears(PageDesk):
    def test_with_a_proven_key_the_proof_says_so(self):
        enrolment = self.begins()
        key = self.registers()
        self.proves(enrolment, key)
        bound = self.finishes(enrolment).authenticator
        assert bound is not None
        assert (bound.technician, bound.proof) == (self.ana, Authenticator.Proof.PROVEN)

    def test_without_a_key_it_is_bound_as_observed(self):
        enrolment = self.begins()
        self.registers()
        bound = self.finishes(enrolment).authenticator
        assert bound is not None
        assert bound.proof == Authenticator.Proof.OBSERVED

    def test_the_key_itself_is_nowhere_and_its_fingerprint_is_this_persons(self):
        enrolment = self.begins()
        key = self.registers()
        self.proves(enrolment, key)
        assert SeedFingerprint.objects.get().holder == self.ana
        assert not KeptCode.objects.exists()
        text = base64.b32encode(key).decode()
        assert text not in str(list(Enrolment.objects.values())) + str(list(Entry.objects.values()))

    def test_a_token_of_ours_that_became_active_meanwhile_is_left_out(self):
        enrolment = self.begins()
        cid = self.world.technician("Cid")
        assign(cid, self.account, by=self.world.owner, reason="helps")
        self.enrolled(cid)
        with pytest.raises(BadInput, match="Nothing new"):
            self.finishes(enrolment)
        self.registers()
        assert self.finishes(enrolment).status == STATUS.ACTIVE

    def test_a_pass_is_no_authenticator(self):
        enrolment = self.begins()
        self.world.cloud.tenant(self.directory_id).policies.methods["TemporaryAccessPass"] = "enabled"
        self.world.cloud.register(self.directory_id, self.account.object_id, "temporary_access_pass", "")
        with pytest.raises(BadInput, match="Nothing new"):
            self.finishes(enrolment)

    def test_a_push_registration_is_not_the_key_that_was_proven(self):
        enrolment = self.begins()
        self.proves(enrolment, b"a key of twenty bytes")
        self.registers("microsoft_authenticator")
        with pytest.raises(BadInput, match="another kind"):
            self.finishes(enrolment)
        assert not self.ana.authenticators.exists()

    def test_whoever_lost_the_account_meanwhile_is_not_bound(self):
        enrolment = self.begins()
        self.registers()
        self.ana.assignments.update(until_at=timezone.now())
        with pytest.raises(BadInput, match="does not hold"):
            self.finishes(enrolment)
        assert not self.ana.authenticators.exists()

    def test_a_manager_beside_the_person_may_do_it(self):
        mia = self.world.technician("Mia", Role.MANAGER)
        enrolment = self.begins(by=mia)
        self.registers()
        bound = self.finishes(enrolment, by=mia).authenticator
        assert bound is not None
        assert (bound.technician, bound.bound_by) == (self.ana, mia)

    def test_a_colleague_may_not(self):
        with pytest.raises(NotPermitted):
            self.finishes(self.begins(), by=self.ben)


class WhenTwoMethodsAppear(PageDesk):
    def test_nobody_is_bound_and_both_stand_as_unknown(self):
        enrolment = self.begins()
        self.registers(label="one")
        self.registers(label="two")
        with pytest.raises(BadInput, match="2 methods appeared at once"):
            self.finishes(enrolment)
        assert Method.objects.unknown().count() == 2
        assert not self.ana.authenticators.exists()

    def test_once_one_of_them_is_deleted_the_other_is_bound(self):
        enrolment = self.begins()
        self.registers(label="one")
        made = self.world.cloud.register(self.directory_id, self.account.object_id, "software_oath", "two")
        with pytest.raises(BadInput):
            self.finishes(enrolment)
        tenant = self.world.cloud.tenant(self.directory_id)
        user = self.world.cloud.user(self.directory_id, self.account.object_id)
        self.world.cloud.drop_method(tenant, user, made, by="person")
        assert self.finishes(enrolment).status == STATUS.ACTIVE


class WhenTheKeyIsWrong(PageDesk):
    def test_a_code_of_another_entry_says_how_many_tries_are_left(self):
        enrolment = self.begins()
        with pytest.raises(BadInput, match="4 tries are left"):
            self.proves(enrolment, b"a key of twenty bytes", "000000")

    def test_a_clock_that_is_wrong_is_told(self):
        key = b"a key of twenty bytes"
        code = code_at(key, int(time.time() // SECONDS) + 14)
        with pytest.raises(BadInput, match="7 minutes ahead"):
            self.proves(self.begins(), key, code)

    def test_after_too_many_tries_it_is_over(self):
        enrolment = self.begins()
        for _ in range(MOST_TRIES):
            with pytest.raises(BadInput):
                self.proves(enrolment, b"a key of twenty bytes", "000000")
        assert self.again(enrolment).status == STATUS.FAILED

    def test_a_colleagues_key_is_refused_and_nothing_is_proven(self):
        key = b"a key of twenty bytes"
        first = self.begins(self.ben)
        self.proves(first, key)
        cancel_enrolment(self.again(first), by=self.ben, outside=self.world.outside)
        enrolment = self.begins()
        with pytest.raises(BadInput, match="Ben enrolled with this very key"):
            self.proves(enrolment, key)
        assert self.again(enrolment).key_proven_at is None

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("", "no seed here"),
            ("123 456", "one-time code"),
            ("123 456 789", "nine digits"),
            ("phonefactor://activate_account?code=123456789&url=https%3a%2f%2fx", "with notifications"),
            ("otpauth-migration://offline?data=AAAA", "bulk export"),
            ("FIDO:/0123456789", "passkey"),
            ("https://mysignins.microsoft.com", "web page"),
            ("otpauth://hotp/x?secret=GEZDGNBVGY3TQOJQ&counter=1", "another kind of code"),
            ("steam://GEZDGNBVGY3TQOJQ", "another kind of code"),
            ("otpauth://totp/x?secret=GEZDGNBVGY3TQOJQ&digits=8", "does not take"),
        ],
    )
    def test_what_is_no_key_gets_its_own_sentence_without_the_text(self, text: str, told: str):
        with pytest.raises(BadInput, match=told) as refused:
            key_in(text)
        assert not text.strip() or text not in str(refused.value)

    def test_an_export_of_one_account_is_that_accounts_key_and_of_several_is_not(self):
        one, other = (
            MigrationAccount(key, "Contoso", "admin") for key in (b"a key of twenty bytes", b"another such key")
        )
        assert key_in(codes_of([one], per_code=10, batch_id=1)[0]) == one.key
        with pytest.raises(BadInput, match="many seeds"):
            key_in(codes_of([one, other], per_code=10, batch_id=1)[0])
        with pytest.raises(BadInput, match="Still missing of this export: code 2"):
            key_in(codes_of([one, other], per_code=1, batch_id=1)[0])


class WhenThereIsNoPlace(PageDesk):
    def test_it_is_refused_before_anything_is_shown(self):
        self.fill_up()
        with pytest.raises(BadInput, match="All five"):
            self.begins()
        assert not Enrolment.objects.exists()

    def test_a_token_under_way_takes_the_last_place(self):
        for _ in range(3):
            self.world.enrol(self.account, self.ben)
        self.begin()
        with pytest.raises(BadInput, match="All five"):
            self.begins(self.ben)

    def test_the_page_names_who_holds_the_places(self):
        self.fill_up()
        Authenticator.objects.filter(technician=self.ben).order_by("bound_from").last().delete()
        page = ways_page(self.account, self.ana, by=self.ana)
        assert "All five" in page.stop
        assert sorted(place.holder for place in page.places) == ["", "Ben", "Ben", "Ben", "Ben"]


class WhenSomebodyElseIsAtMicrosoftsPage(PageDesk):
    def test_the_second_waits(self):
        self.begins(self.ben)
        with pytest.raises(BadInput, match="Somebody else is enrolling"):
            self.begins()

    def test_one_that_expired_does_not_stand_in_the_way(self):
        first = self.begins(self.ben)
        Enrolment.objects.filter(pk=first.pk).update(expires_at=timezone.now() - dt.timedelta(seconds=1))
        assert self.begins().status == STATUS.WAITING_FOR_SCAN
        assert self.again(first).status == STATUS.EXPIRED


class WhichWaysAreOffered(PageDesk):
    def offered(self, *, by: Technician | None = None) -> list[str]:
        return [o.way for o in ways_on(self.account, self.ana, by=by or self.ana) if not o.why_not]

    def best(self) -> list[str]:
        return [o.way for o in ways_on(self.account, self.ana, by=self.ana) if o.best]

    def test_our_seed_first_then_microsofts_page(self):
        assert self.offered() == [WAY.OUR_SEED, WAY.MICROSOFT_PAGE]
        assert self.best() == [WAY.OUR_SEED]

    def test_codes_kept_here_where_the_policy_says_so(self):
        self.policy(our_seed=False, microsoft_page=False, kept_here=True)
        assert self.offered() == self.best() == [WAY.KEPT_HERE]

    @pytest.mark.parametrize("cloud", ["us_gov_l4", "us_gov_l5"])
    def test_no_seed_of_ours_in_a_national_cloud(self, cloud: str):
        self.account.tenant.cloud = cloud
        assert self.best() == [WAY.MICROSOFT_PAGE]

    def test_no_seed_of_ours_for_a_day_after_microsoft_refused_one(self):
        tenant = self.account.tenant
        tenant.tokens_problem, tenant.tokens_tried_at = "not switched on", timezone.now()
        assert self.best() == [WAY.MICROSOFT_PAGE]
        assert "not switched on" in ways_on(self.account, self.ana, by=self.ana)[0].why_not
        tenant.tokens_tried_at -= dt.timedelta(days=1)
        assert self.best() == [WAY.OUR_SEED]

    def test_for_somebody_else_only_microsofts_page(self):
        assert self.offered(by=self.world.owner) == [WAY.MICROSOFT_PAGE]

    def test_what_is_not_on_offer_cannot_be_chosen(self):
        with pytest.raises(BadInput, match="policy of this account"):
            choose_way(self.account, self.ana, WAY.KEPT_HERE, by=self.ana, outside=self.world.outside)
        with pytest.raises(BadInput, match="Choose one"):
            choose_way(self.account, self.ana, "", by=self.ana, outside=self.world.outside)
        with pytest.raises(NotPermitted):
            choose_way(self.account, self.ana, WAY.MICROSOFT_PAGE, by=self.ben, outside=self.world.outside)
        assert not Enrolment.objects.exists()


class WhenMicrosoftRefusesOurToken(PageDesk):
    """Fabrikam has not given the permission for tokens."""

    def test_the_same_enrolment_goes_on_on_microsofts_page(self):
        self.account = self.world.account(self.world.tenant("Fabrikam"))
        assign(self.ana, self.account, by=self.world.owner, reason="on the team")
        observe_account(self.account, outside=self.world.outside)
        enrolment = self.begin()
        self.world.work(self.run)
        enrolment = self.again(enrolment)
        assert (enrolment.way, enrolment.status) == (WAY.MICROSOFT_PAGE, STATUS.WAITING_FOR_SCAN)
        self.proves(enrolment, self.registers())
        assert self.finishes(enrolment).status == STATUS.ACTIVE


class WhenCodesAreKeptHereByMicrosoftsPage(PageDesk):
    def kept(self) -> tuple[Enrolment, bytes]:
        self.policy(kept_here=True)
        enrolment = self.begins(way=WAY.KEPT_HERE)
        key = b"a key of twenty bytes"
        keep_pasted_key(enrolment, key, by=self.ana, outside=self.world.outside)
        return enrolment, key

    def test_latchkey_shows_the_code_at_once_and_binds_what_appears(self):
        enrolment, key = self.kept()
        kept = KeptCode.objects.get()
        now = int(time.time() // SECONDS)
        assert show_code(kept, by=self.ana, outside=self.world.outside).code in {
            code_at(key, now),
            code_at(key, now + 1),
        }
        self.registers()
        bound = self.finishes(enrolment).authenticator
        kept.refresh_from_db()
        assert kept.authenticator == bound
        assert clear_up_enrolments(outside=self.world.outside) == 0
        assert KeptCode.objects.live().exists()

    def test_nothing_is_bound_before_the_key_is_kept(self):
        self.policy(kept_here=True)
        enrolment = self.begins(way=WAY.KEPT_HERE)
        self.registers()
        with pytest.raises(BadInput, match="Paste the key"):
            self.finishes(enrolment)

    def test_when_it_is_cancelled_the_key_is_destroyed(self):
        enrolment, _key = self.kept()
        cancel_enrolment(self.again(enrolment), by=self.ana, outside=self.world.outside)
        assert bytes(KeptCode.objects.get().sealed) == b""

    def test_when_it_expires_the_key_is_destroyed_by_the_clock(self):
        enrolment, _key = self.kept()
        Enrolment.objects.filter(pk=enrolment.pk).update(expires_at=timezone.now())
        expire_enrolments()
        assert clear_up_enrolments(outside=self.world.outside) == 1
        assert bytes(KeptCode.objects.get().sealed) == b""

    def test_codes_in_use_are_never_replaced_by_a_new_try(self):
        enrolment, _key = self.kept()
        self.registers()
        self.finishes(enrolment)
        with pytest.raises(BadInput, match="already"):
            choose_way(self.account, self.ana, WAY.KEPT_HERE, by=self.ana, outside=self.world.outside)

    def test_nobody_keeps_codes_for_somebody_else(self):
        self.policy(kept_here=True)
        with pytest.raises(NotPermitted):
            self.begins(way=WAY.KEPT_HERE, by=self.world.owner)
