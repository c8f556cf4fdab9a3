"""The pages of a bulk enrolment: what they say, what they keep to themselves, and what survives a reload."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse

from technicians.models import BulkEnrolment, Enrolment, Role
from tenants.models import EnrolmentPolicy, TenantGroup
from tests.pages.cast import installed
from tests.support.bulk_desk import BulkDesk
from tests.support.visitor import Visitor
from tests.support.world import World

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}


class Desk(BulkDesk):
    @pytest.fixture(autouse=True)
    def _pages(self, world: World, credential: Path, tmp_path: Path, settings: Any, _scene: None) -> Iterator[None]:
        for person in (self.ana, self.ben):
            person.set_password("only for today")
            person.save()
        with installed(settings, world, credential, tmp_path):
            self.visitor = Visitor(self.ana)
            yield

    def url(self, name: str) -> str:
        return reverse(f"technicians:{name}", args=[self.bulk.pk])

    def post(self, name: str, *, visitor: Visitor | None = None, htmx: bool = True, **form: str) -> Any:
        return (visitor or self.visitor).post(self.url(name), form, headers=HTMX if htmx else {})

    def page(self, name: str = "bulk", *, visitor: Visitor | None = None) -> str:
        return str((visitor or self.visitor).get(self.url(name)).content.decode())

    def shows(self, **more: Any) -> str:
        """The QR code is on screen, and the phone reads it as it left the vault."""
        answer = self.post("bulk_show", **more)
        assert answer.status_code == 200, answer.content.decode()
        return str(answer.content.decode())

    def takes_the_seeds(self) -> None:
        """Past the page, because its picture is read in tests/browser."""
        waiting = Enrolment.objects.filter(bulk=self.bulk).select_related("registration__account", "account")
        for enrolment in waiting:
            registration = enrolment.registration
            assert registration is not None and registration.sealed is not None
            seed = self.world.outside.vault.open(bytes(registration.sealed), registration.place)
            self.phone.takes(enrolment.account, seed)

    def typed(self, codes: dict[str, str]) -> dict[str, str]:
        return {f"code-{pk}": code for pk, code in codes.items()}

    def number(self) -> str:
        on_screen = self.sitting().on_screen
        assert on_screen is not None
        return str(on_screen.number)


class ThePageToChooseOn(Desk):
    TENANTS = 12

    def begin_page(self, query: str = "") -> str:
        return str(self.visitor.get(reverse("technicians:bulk_begin") + query).content.decode())

    def test_ticks_what_is_still_to_enrol_and_says_how_many_scans_each_app_takes(self):
        page = self.begin_page()
        assert len(re.findall(r'name="account"[^>]*checked', page)) == 12
        assert "many from one QR code: 2 scans" in page
        assert "one from each QR code: 12 scans" in page

    def test_says_what_a_policy_of_five_makes_of_that(self):
        EnrolmentPolicy.objects.create(reseller=self.world.reseller, accounts_per_code=5)
        assert "many from one QR code: 3 scans" in self.begin_page()

    def test_leaves_out_where_there_is_an_authenticator_already_unless_all_are_wanted(self):
        self.world.enrol(self.accounts[3], self.ana)
        name = self.accounts[3].user_principal_name
        assert name not in self.begin_page()
        assert name in self.begin_page("?from=all")

    def test_narrows_to_a_group(self):
        group = TenantGroup.objects.create(reseller=self.world.reseller, name="North")
        group.tenants.add(self.accounts[2].tenant)
        page = self.begin_page(f"?from={group.pk}")
        assert "Group North (1)" in page
        assert page.count('type="checkbox"') == 1

    def begin_with(self, visitor: Visitor | None = None, **form: Any) -> Any:
        facts = {"account": [str(a.pk) for a in self.accounts], "app": "aegis", "accounts_per_code": "10"} | form
        return (visitor or self.visitor).post(reverse("technicians:bulk_begin"), facts)

    def test_begins_with_what_was_chosen(self):
        answer = self.begin_with()
        bulk = BulkEnrolment.objects.get()
        assert answer.url == reverse("technicians:bulk", args=[bulk.pk])
        assert bulk.enrolments.count() == 12

    def test_asks_for_a_fresh_code_first(self):
        stale = Visitor(self.ana, fresh=False)
        assert self.begin_with(stale).status_code == 422
        assert not BulkEnrolment.objects.exists()
        assert self.begin_with(stale, code=stale.code()).status_code == 302

    @pytest.mark.parametrize(
        ("wrong", "said"),
        [
            ({"app": ""}, "Choose the app"),
            ({"account": []}, "Choose at least one account"),
            ({"account": ["no-id"]}, "is not yours to enrol on"),
            ({"accounts_per_code": "500"}, "Select a valid choice"),
        ],
    )
    def test_says_what_is_missing_and_begins_nothing(self, wrong: dict[str, Any], said: str):
        answer = self.begin_with(**wrong)
        assert answer.status_code == 422
        assert said in answer.content.decode()
        assert not BulkEnrolment.objects.exists()

    def test_says_which_accounts_were_left_out_and_why(self):
        self.world.enrol(self.accounts[3], self.ana)
        self.begin_with()
        self.bulk = BulkEnrolment.objects.get()
        assert "1 account was left out" in (page := self.page())
        assert self.accounts[3].user_principal_name in page


class TheSitting(Desk):
    def test_waits_by_itself_while_tokens_are_made(self):
        self.begin()
        page = self.page()
        assert "makes your tokens ready" in page
        assert re.search(r'<div id="sitting" hx-get=', page)

    def test_has_no_picture_before_the_button_and_none_after_a_reload(self):
        self.ready()
        assert "qr-code" not in self.page()
        assert "qr-code" in self.shows()
        page = self.page()
        assert "qr-code" not in page
        assert "is shown once only" in page
        assert "Prove it" in page

    def test_is_not_stored_anywhere(self):
        self.ready()
        assert "no-store" in self.post("bulk_show").headers["Cache-Control"]

    def test_holds_no_seed_in_letters(self):
        self.ready()
        shown = self.shows(htmx=False)
        self.takes_the_seeds()
        for text in (shown, self.page()):
            assert "otpauth" not in text
            assert not any(seed in text for seed in self.phone.seeds.values())

    def test_works_without_script(self):
        self.ready()
        assert "<html" in self.shows(htmx=False)
        self.takes_the_seeds()
        answer = self.post("bulk_prove", htmx=False, number=self.number(), **self.typed(self.codes()))
        assert "The codes are right: 3 accounts." in answer.content.decode()

    def test_asks_for_a_fresh_code_before_the_picture(self):
        self.ready()
        stale = Visitor(self.ana, fresh=False)
        answer = self.post("bulk_show", visitor=stale)
        assert answer.status_code == 422
        assert "qr-code" not in answer.content.decode()
        assert "qr-code" in self.post("bulk_show", visitor=stale, code=stale.code()).content.decode()

    def test_names_the_entries_and_asks_for_two_codes(self):
        self.ready()
        page = self.shows()
        assert page.count('class="form-control code"') == 2
        assert all(a.user_principal_name in page for a in self.accounts)
        assert re.search(r"Customer 00 \([A-Z2-7]{4}\)", page)

    def test_changes_only_the_form_after_a_wrong_code(self):
        self.ready()
        self.shows()
        self.takes_the_seeds()
        answer = self.post("bulk_prove", number=self.number(), **self.typed(self.wrong_codes()))
        text = answer.content.decode()
        assert answer.status_code == 422
        assert answer.headers["HX-Retarget"] == "#codes"
        assert "4 tries are left" in text
        assert text.count("is-invalid") == 1
        assert 'id="sitting"' not in text

    def test_brings_the_progress_along_and_goes_on_by_itself_afterwards(self):
        self.ready()
        self.shows()
        self.takes_the_seeds()
        text = self.post("bulk_prove", number=self.number(), **self.typed(self.codes())).content.decode()
        assert "The codes are right: 3 accounts." in text
        assert re.search(r'id="progress"[^>]*hx-swap-oob="true"', text)
        self.work()
        assert "All 3 accounts have an authenticator of your own" in self.page()

    def test_says_what_failed_and_why_with_a_way_to_do_it_singly(self):
        refuses = self.account(99, takes_tokens=False)
        self.ready(accounts=[refuses, *self.accounts])
        self.shows()
        self.takes_the_seeds_of_the_rest()
        self.post("bulk_prove", number=self.number(), **self.typed(self.codes()))
        self.work()
        page = self.page()
        assert "3 of 4 accounts are active" in page
        assert "Microsoft did not take a token of ours" in page
        assert reverse("tenants:account", args=[refuses.pk]) in page

    def takes_the_seeds_of_the_rest(self) -> None:
        waiting = [e for e in self.sitting().waiting if e.registration is not None]
        for enrolment in waiting:
            registration = enrolment.registration
            assert registration is not None
            seed = self.world.outside.vault.open(bytes(registration.sealed or b""), registration.place)
            self.phone.takes(enrolment.account, seed)

    def test_answers_its_parts_by_themselves(self):
        self.begin()
        for part in ("progress", "sitting"):
            answer = self.visitor.get(self.url("bulk"), headers=HTMX | {"HX-Target": part})
            assert answer.content.decode().strip().startswith(("<section id=", "<div id="))

    def test_shows_it_smaller_leaves_it_out_and_gives_up(self):
        self.ready()
        self.shows()
        assert self.post("bulk_smaller", htmx=False, number="1").status_code == 302
        self.shows()
        assert self.post("bulk_leave_out", htmx=False, number="1").status_code == 422
        assert self.post("bulk_leave_out", htmx=False, number=self.number()).status_code == 302
        assert self.post("bulk_cancel", htmx=False).status_code == 302
        assert "0 of 3 accounts are active" in self.page()


class WhenTheAppTakesOneAtATime(Desk):
    def test_the_next_qr_code_comes_by_itself_after_a_right_code(self):
        self.ready(app="microsoft")
        self.shows()
        self.takes_the_seeds()
        for left in (True, True, False):
            text = self.post("bulk_prove", number=self.number(), **self.typed(self.codes())).content.decode()
            assert ("qr-code" in text) is left

    def test_it_does_not_when_the_second_factor_is_not_fresh_any_more(self):
        self.ready(app="microsoft")
        self.shows()
        self.takes_the_seeds()
        stale = Visitor(self.ana, fresh=False)
        answer = self.post("bulk_prove", visitor=stale, number=self.number(), **self.typed(self.codes()))
        assert "qr-code" not in answer.content.decode()
        assert "Show the QR code" in answer.content.decode()


class WhoElseLooks(Desk):
    def test_sees_how_far_it_is_and_can_do_nothing(self):
        self.ready()
        owner = Visitor(self.world.owner)
        assert "are shown to Ana alone" in self.page(visitor=owner)
        for name in ("bulk_show", "bulk_prove", "bulk_smaller", "bulk_leave_out", "bulk_cancel", "bulk_file"):
            form = {"number": "1", "passphrase": "seven quiet herons", "again": "seven quiet herons"}
            assert self.post(name, visitor=owner, **form).status_code == 403, name
        assert self.sitting().next_up

    def test_sees_no_account_outside_their_groups(self):
        self.ready()
        group = TenantGroup.objects.create(reseller=self.world.reseller, name="North")
        group.tenants.add(self.accounts[0].tenant)
        page = self.page(visitor=Visitor(self.world.technician("Sia", Role.MANAGER, groups=[group])))
        assert self.accounts[0].user_principal_name in page
        assert self.accounts[1].user_principal_name not in page

    def test_a_colleague_finds_no_such_page(self):
        self.ready()
        assert Visitor(self.ben).get(self.url("bulk")).status_code == 404


class TheFile(Desk):
    FORM = {"passphrase": "seven quiet herons", "again": "seven quiet herons"}

    def test_is_offered_only_where_the_policy_allows_it(self):
        self.ready()
        assert "encrypted file" not in self.page()
        EnrolmentPolicy.objects.create(reseller=self.world.reseller, files=True)
        assert "encrypted file" in self.page()

    def test_comes_once_and_the_page_then_asks_for_codes(self):
        EnrolmentPolicy.objects.create(reseller=self.world.reseller, files=True)
        self.ready(app="two_fas")
        answer = self.post("bulk_file", htmx=False, **self.FORM)
        assert "attachment" in answer.headers["Content-Disposition"]
        assert "no-store" in answer.headers["Cache-Control"]
        assert "Prove it" in self.page()
        assert self.post("bulk_file", htmx=False, **self.FORM).status_code == 422

    def test_is_not_made_of_two_passphrases_that_differ(self):
        EnrolmentPolicy.objects.create(reseller=self.world.reseller, files=True)
        self.ready()
        answer = self.post("bulk_file", htmx=False, **self.FORM | {"again": "another one here"})
        assert answer.status_code == 422
        assert "differ" in answer.content.decode()
