"""The doors: password, second factor, one-time link, and when a code is asked for again."""

from __future__ import annotations

import base64
import re
import time
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client
from django.urls import reverse
from django_otp.oath import TOTP

from msp.access.actions import make_link, make_totp_device
from msp.access.fresh import GIVEN_AT, vault
from msp.access.models import OneTimeLink, TotpDevice
from msp.ledger.models import Entry
from tests.pages.runs_stage import Office
from tests.support.visitor import Visitor

pytestmark = pytest.mark.django_db

PASSWORD = "three plain words here"
NEW_PASSWORD = "five other plain words"
DASHBOARD = "/"


def code_of(seed: bytes, *, later: int = 0) -> str:
    totp = TOTP(seed)
    totp.time = time.time() + later
    return f"{totp.token():06d}"


class Doors:
    """Ana is a technician with a password; `browser` is nobody yet."""

    @pytest.fixture(autouse=True)
    def _doors(self, db):
        self.office = Office()
        self.ana = self.office.person("Ana")
        self.ana.set_password(PASSWORD)
        self.ana.save()
        self.browser = Client()

    def post(self, name, *args, client=None, **form):
        return (client or self.browser).post(reverse(f"access:{name}", args=args), form)

    def sign_in(self, password=PASSWORD, email=None):
        return self.post("sign_in", email=email or self.ana.email, password=password)

    def factor(self):
        _device, seed = make_totp_device(self.ana, vault=vault(), confirmed=True)
        return seed

    def is_inside(self, client=None):
        return (client or self.browser).get(DASHBOARD).status_code == 200

    def sign_ins(self):
        return [e.facts["how"] for e in Entry.objects.filter(verb="sign_in").order_by("id")]


class WhenSomebodySignsIn(Doors):
    def test_a_password_alone_opens_nothing(self):
        self.factor()
        answer = self.sign_in()
        assert answer.url == reverse("access:code")
        assert self.browser.get(DASHBOARD).url.startswith(reverse("access:code"))
        assert self.sign_ins() == []

    def test_password_and_code_open_the_page_that_was_asked_for(self):
        seed = self.factor()
        asked = self.browser.get("/tenants/?q=contoso")
        self.browser.get(asked.url)
        self.sign_in()
        answer = self.post("code", code=code_of(seed))
        assert answer.url == "/tenants/?q=contoso"
        assert self.is_inside()
        assert self.sign_ins() == ["password and code"]

    def test_a_wrong_password_and_an_unknown_address_get_the_same_answer(self):
        wrong, unknown = self.sign_in("wrong password here"), self.sign_in(email="nobody@nowhere.example")
        assert wrong.status_code == unknown.status_code == 422
        said = "That e-mail and password do not fit."
        assert said in wrong.content.decode()
        assert said in unknown.content.decode()

    def test_the_address_may_be_written_in_any_case(self):
        self.factor()
        assert self.sign_in(email=self.ana.email.upper()).url == reverse("access:code")

    def test_a_code_works_once(self):
        seed = self.factor()
        code = code_of(seed)
        self.sign_in()
        self.post("code", code=code)
        self.post("sign_out")
        self.sign_in()
        answer = self.post("code", code=code)
        assert answer.status_code == 422
        assert "wrong or was used already" in answer.content.decode()
        assert not self.is_inside()

    def test_after_a_wrong_code_the_next_one_has_to_wait(self):
        seed = self.factor()
        self.sign_in()
        self.post("code", code="000000" if code_of(seed) != "000000" else "111111")
        answer = self.post("code", code=code_of(seed))
        assert "Too many wrong codes" in answer.content.decode()
        assert not self.is_inside()

    def test_too_many_wrong_passwords_close_the_door_for_a_while(self):
        self.factor()
        for _ in range(9):
            answer = self.sign_in("wrong password here")
        assert answer.status_code == 429
        assert "Too many tries" in answer.content.decode()
        self.sign_in()
        assert not self.is_inside()

    def test_nobody_is_led_to_a_strangers_site(self):
        seed = self.factor()
        self.browser.get(reverse("access:sign_in") + "?next=https://evil.example/")
        self.sign_in()
        assert self.post("code", code=code_of(seed)).url == DASHBOARD

    def test_a_fragment_leads_the_whole_page_to_the_sign_in(self):
        answer = self.browser.get("/tenants/", headers={"HX-Request": "true"})
        assert answer.status_code == 204
        assert answer["HX-Redirect"] == reverse("access:sign_in")

    def test_the_session_gets_a_new_key_with_each_factor(self):
        seed = self.factor()
        self.sign_in()
        half = self.browser.session.session_key
        self.post("code", code=code_of(seed))
        assert self.browser.session.session_key != half

    def test_signing_out_ends_it(self):
        visitor = Visitor(self.ana)
        assert self.is_inside(visitor)
        visitor.post(reverse("access:sign_out"))
        assert not self.is_inside(visitor)

    def test_looking_at_the_way_out_does_not_end_it(self):
        visitor = Visitor(self.ana)
        assert visitor.get(reverse("access:sign_out")).status_code == 405
        assert self.is_inside(visitor)

    def test_somebody_who_left_is_out_at_once(self):
        visitor = Visitor(self.ana)
        self.office.offboard(self.ana)
        assert not self.is_inside(visitor)
        assert self.sign_in().status_code == 422


class WhenThereIsNoSecondFactorYet(Doors):
    def set_up_page(self):
        self.sign_in()
        return self.browser.get(reverse("access:second_factor")).content.decode()

    def seed_shown(self, page):
        key = re.search(r'class="seed-key">([^<]+)<', page)
        assert key
        return base64.b32decode(key[1].replace(" ", ""))

    def test_nothing_opens_before_it_is_set_up(self):
        assert self.sign_in().url == reverse("access:second_factor")
        assert self.browser.get(DASHBOARD).url.startswith(reverse("access:second_factor"))

    def test_the_page_shows_a_picture_and_the_same_key_in_groups_of_four(self):
        page = self.set_up_page()
        assert "<svg" in page
        assert "QR code" in page
        link = re.search(r'href="(otpauth://[^"]+)"', page)
        assert link
        parts = urlsplit(link[1].replace("&amp;", "&"))
        facts = parse_qs(parts.query)
        assert (parts.netloc, parts.path) == ("totp", f"/Latchkey:{self.ana.email}")
        assert facts | {"secret": []} == {
            "secret": [], "issuer": ["Latchkey"], "algorithm": ["SHA1"], "digits": ["6"], "period": ["30"],
        }  # fmt: skip
        key = re.search(r'class="seed-key">([^<]+)<', page)
        assert key
        assert {len(group) for group in key[1].split()} == {4}
        assert key[1].replace(" ", "") == facts["secret"][0]
        assert len(self.seed_shown(page)) == 20

    def test_the_right_code_confirms_it_and_lets_in(self):
        seed = self.seed_shown(self.set_up_page())
        assert self.post("second_factor", code=code_of(seed)).url == DASHBOARD
        assert self.is_inside()
        assert self.sign_ins() == ["new second factor"]

    def test_a_wrong_code_changes_nothing_and_keeps_the_picture(self):
        seed = self.seed_shown(self.set_up_page())
        answer = self.post("second_factor", code="12345")
        assert answer.status_code == 422
        assert self.seed_shown(answer.content.decode()) == seed
        assert not self.is_inside()
        assert not TotpDevice.objects.filter(confirmed=True).exists()

    def test_another_session_is_shown_another_seed(self):
        first = self.seed_shown(self.set_up_page())
        self.browser = Client()
        assert self.seed_shown(self.set_up_page()) != first

    def test_the_page_is_never_stored(self):
        self.sign_in()
        answer = self.browser.get(reverse("access:second_factor"))
        assert "no-store" in answer["Cache-Control"]


class WhenThereIsASecondFactor(Doors):
    def test_a_password_alone_cannot_replace_it(self):
        self.factor()
        self.sign_in()
        assert self.browser.get(reverse("access:second_factor")).url == reverse("access:code")
        assert self.post("second_factor", code="123456").url == reverse("access:code")
        assert TotpDevice.objects.filter(user=self.ana).count() == 1

    def test_a_password_alone_cannot_change_the_password(self):
        self.factor()
        self.sign_in()
        answer = self.post("set_password", password=NEW_PASSWORD, again=NEW_PASSWORD)
        assert answer.url == reverse("access:code")
        self.ana.refresh_from_db()
        assert self.ana.check_password(PASSWORD)

    def test_an_old_code_is_asked_again_before_a_new_password(self):
        visitor = Visitor(self.ana, fresh=False)
        assert visitor.get(reverse("access:set_password")).url == reverse("access:code")
        answer = visitor.post(reverse("access:code"), {"code": visitor.code()})
        assert answer.url == reverse("access:set_password")
        assert visitor.get(answer.url).status_code == 200
        assert self.sign_ins() == []

    def test_a_new_password_ends_every_other_session(self):
        here, elsewhere = Visitor(self.ana), Client()
        elsewhere.force_login(self.ana, backend="django.contrib.auth.backends.ModelBackend")
        here.post(reverse("access:set_password"), {"password": NEW_PASSWORD, "again": NEW_PASSWORD})
        assert self.is_inside(here)
        assert elsewhere.get(DASHBOARD).url.startswith(reverse("access:sign_in"))
        assert Entry.objects.filter(verb="sign_in.password_chosen").exists()

    @pytest.mark.parametrize(("password", "again"), [("short", "short"), (NEW_PASSWORD, PASSWORD)])
    def test_a_weak_or_mistyped_password_is_not_taken(self, password, again):
        answer = Visitor(self.ana).post(reverse("access:set_password"), {"password": password, "again": again})
        assert answer.status_code == 422
        self.ana.refresh_from_db()
        assert self.ana.check_password(PASSWORD)

    def test_a_new_one_takes_the_place_of_the_old_one(self):
        visitor = Visitor(self.ana)
        page = visitor.get(reverse("access:second_factor")).content.decode()
        key = re.search(r'class="seed-key">([^<]+)<', page)
        assert key
        seed = base64.b32decode(key[1].replace(" ", ""))
        visitor.post(reverse("access:second_factor"), {"code": code_of(seed)})
        assert self.is_inside(visitor)
        assert TotpDevice.objects.get(user=self.ana).confirmed


class WhenAFactorGetsOld(Doors):
    def test_it_is_fresh_for_the_minutes_of_the_setting_and_not_longer(self, settings):
        settings.FRESH_FACTOR_MINUTES = 10
        visitor = Visitor(self.ana)
        for minutes, asked in ((9, False), (11, True), (-5, True)):
            session = visitor.session
            session[GIVEN_AT] = time.time() - minutes * 60
            session.save()
            answer = visitor.get(reverse("access:set_password"))
            assert (answer.status_code == 302) is asked, minutes


class WhenALinkIsUsed(Doors):
    def link_for(self, person):
        return make_link(person, minutes=15)

    def test_looking_at_it_changes_nothing(self):
        token = self.link_for(self.ana)
        for _ in range(3):
            answer = self.browser.get(reverse("access:link", args=[token]))
            assert answer.status_code == 200
            assert "This link signs in Ana" in answer.content.decode()
        assert OneTimeLink.objects.get().used_at is None
        assert not self.is_inside()

    def test_with_a_second_factor_it_stands_for_it_and_is_fresh(self):
        self.factor()
        assert self.post("link", self.link_for(self.ana)).url == DASHBOARD
        assert self.is_inside()
        assert self.browser.get(reverse("access:set_password")).status_code == 200
        assert self.sign_ins() == ["one-time link"]

    def test_without_one_it_leads_to_setting_one_up_and_opens_nothing_else(self):
        assert self.post("link", self.link_for(self.ana)).url == reverse("access:second_factor")
        assert not self.is_inside()

    def test_without_a_password_it_leads_to_choosing_one_first(self):
        self.ana.set_unusable_password()
        self.ana.save()
        assert self.post("link", self.link_for(self.ana)).url == reverse("access:set_password")
        answer = self.post("set_password", password=NEW_PASSWORD, again=NEW_PASSWORD)
        assert answer.url == reverse("access:second_factor")
        self.ana.refresh_from_db()
        assert self.ana.check_password(NEW_PASSWORD)

    def test_it_works_once(self):
        self.factor()
        token = self.link_for(self.ana)
        self.post("link", token)
        second = Client()
        assert self.post("link", token, client=second).status_code == 410
        assert not self.is_inside(second)

    def test_it_does_not_work_when_it_is_old_or_mistyped(self):
        token = self.link_for(self.ana)
        OneTimeLink.objects.update(created_at="2026-01-01T00:00:00Z", expires_at="2026-01-01T00:15:00Z")
        for tried in (token, "x" * 43):
            answer = self.post("link", tried)
            assert answer.status_code == 410
            assert "does not work any more" in answer.content.decode()

    def test_it_does_not_work_for_somebody_who_left(self):
        token = self.link_for(self.ana)
        self.office.offboard(self.ana)
        assert self.post("link", token).status_code == 410

    def test_it_takes_the_place_of_whoever_was_signed_in(self):
        ben = self.office.person("Ben")
        self.factor()
        visitor = Visitor(ben)
        visitor.post(reverse("access:link", args=[self.link_for(self.ana)]))
        assert "Ana" in visitor.get(DASHBOARD).content.decode()
