"""What stands between a person and a password on the page of its account: the policy's questions and a check-out."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse

from technicians.models import CheckOut
from tenants.models import PasswordPolicy
from tests.pages.test_account_pages import HTMX, Desk
from tests.support.visitor import Visitor

pytestmark = pytest.mark.django_db


class ThePolicysQuestion(Desk):
    def policy(self, **facts):
        PasswordPolicy.objects.create(reseller=self.world.reseller, **facts)

    def field(self, name):
        found = re.search(rf'<input class="form-control" id="reveal-{name}"[^>]*>', self.page())
        return found.group() if found else ""

    def test_is_a_reason_unless_it_says_otherwise(self):
        assert "required" in self.field("reason")
        assert not self.field("ticket")

    def test_is_nothing_and_a_reason_may_be_given(self):
        self.policy(asks="nothing")
        assert "required" not in self.field("reason")
        assert self.reveal(Visitor(self.ana), reason="").status_code == 200

    def test_is_a_ticket_number_of_a_form_that_the_page_names(self):
        self.policy(asks="ticket", ticket_pattern="INC#")
        assert "required" in self.field("ticket")
        assert "Of the form INC#" in self.page()
        answer = self.reveal(Visitor(self.ana), ticket="<please>")
        assert answer.status_code == 422
        assert "&lt;please&gt; is no ticket number" in answer.content.decode()
        assert self.reveal(Visitor(self.ana), ticket="INC42").status_code == 200

    def test_is_moderation_and_the_page_says_when_there_is_more(self):
        self.policy(reveals_per_hour=1)
        self.reveal(Visitor(self.ana))
        answer = self.reveal(Visitor(self.ana))
        assert answer.status_code == 422
        assert re.search(r"you get it from \d\d:\d\d \(UTC\) on", answer.content.decode())


class WhenAnAccountIsCheckedOut(Desk):
    def act(self, name, visitor, *, headers=None, **form):
        url = reverse(f"tenants:{name}", args=[self.account.pk])
        return visitor.post(url, {"reason": "a long change"} | form, follow=headers is None, headers=headers or {})

    def test_its_holder_sees_until_when_and_gets_the_password_without_saying_why_again(self):
        page = self.act("check_out", Visitor(self.ana), minutes="20").content.decode()
        assert "You have this account for yourself." in page
        assert "data-time-left=" in page
        assert 'value="a long change"' in page
        assert "Check in" in page

    def test_a_colleague_sees_who_has_it_and_no_way_to_the_password(self):
        self.act("check_out", Visitor(self.ana))
        page = self.page(self.ben)
        assert "Ana has this account alone" in page
        assert "Show it" not in page
        assert "Take it back" not in page
        answer = self.reveal(Visitor(self.ben), by_htmx=False)
        assert answer.status_code == 403
        assert "Ana has checked this account out until" in answer.content.decode()

    def test_it_is_checked_in_by_a_button(self):
        visitor = Visitor(self.ana)
        self.act("check_out", visitor)
        page = self.act("check_in", visitor).content.decode()
        assert "is checked in." in page
        assert "You have this account for yourself." not in page
        assert CheckOut.objects.get().ended_because == "checked_in"

    def test_a_colleague_cannot_check_it_in(self):
        self.act("check_out", Visitor(self.ana))
        assert "Only whoever checked this account out" in self.act("check_in", Visitor(self.ben)).content.decode()
        assert CheckOut.objects.get().ended_at is None

    def test_a_manager_takes_it_back_with_a_reason_and_a_fresh_factor(self):
        self.act("check_out", Visitor(self.ana))
        old = Visitor(self.world.owner, fresh=False)
        assert "Take it back" in old.get(self.url).content.decode()
        assert "This needs a fresh code" in self.act("take_back", old).content.decode()
        assert CheckOut.objects.get().ended_at is None
        page = self.act("take_back", Visitor(self.world.owner), reason="Ana is ill").content.decode()
        assert "Ana has this account no longer." in page
        assert CheckOut.objects.get().ended_because == "taken_back"

    def test_a_colleague_may_not_take_it_back(self):
        self.act("check_out", Visitor(self.ana))
        assert self.act("take_back", Visitor(self.ben)).status_code == 403

    def test_where_the_policy_wants_it_that_is_the_only_way_to_the_password(self):
        PasswordPolicy.objects.create(reseller=self.world.reseller, check_out_required=True)
        page = self.page()
        assert "only to whoever has checked the account out" in page
        assert "Show it" not in page
        assert self.reveal(Visitor(self.ana), by_htmx=False).status_code == 403
        assert "Show it" in self.act("check_out", Visitor(self.ana)).content.decode()
        assert self.reveal(Visitor(self.ana)).status_code == 200

    def test_by_htmx_the_whole_page_is_loaded_again_and_trouble_is_said_in_the_card(self):
        wrong = self.act("check_out", Visitor(self.ana), headers=HTMX, minutes="9999")
        assert wrong.status_code == 422
        assert "for 1 to 60 minutes" in wrong.content.decode()
        assert "<html" not in wrong.content.decode()
        assert self.act("check_out", Visitor(self.ana), headers=HTMX)["HX-Refresh"] == "true"

    def test_it_needs_a_fresh_factor(self):
        assert self.act("check_out", Visitor(self.ana, fresh=False)).status_code == 422
        assert not CheckOut.objects.exists()

    def test_nothing_to_check_in_is_said(self):
        assert "is not checked out" in self.act("check_in", Visitor(self.ana)).content.decode()
