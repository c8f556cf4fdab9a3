"""The pages on which people change a shared password, enter it by hand, and say which one signs in."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from technicians.models import Role
from tenants.actions.demand_change import demand_change
from tenants.actions.rotate import rotate
from tenants.models import ChangeDemand, Run, SecretVersion, SharedAccount
from tests.support.visitor import Visitor
from tests.support.world import World

TYPED = "Planted-by-hand-2026"


class Scene:
    """Ben holds Contoso's shared account; Mia manages."""

    @pytest.fixture(autouse=True)
    def _scene(self, at_work: World) -> None:
        self.world = at_work
        self.ben = at_work.technician("Ben")
        self.mia = at_work.technician("Mia", Role.MANAGER)
        self.account: SharedAccount = at_work.account(at_work.tenant("Contoso"))
        at_work.give(self.account, self.ben)

    def post(self, name: str, form: dict[str, Any], person: Any = None, *, fresh: bool = True) -> Any:
        return Visitor(person or self.ben, fresh=fresh).post(reverse(f"tenants:{name}", args=[self.account.pk]), form)

    def page(self, person: Any = None) -> str:
        answer = Visitor(person or self.ben).get(reverse("tenants:account", args=[self.account.pk]))
        assert answer.status_code == 200
        return answer.content.decode()

    def in_force(self) -> SecretVersion:
        return SecretVersion.objects.in_force().get(secret__account=self.account)


class WhenAManagerChangesThePassword(Scene):
    def test_the_run_is_opened_and_shown(self):
        answer = self.post("rotate_password", {"reason": "the quarter is over"}, self.mia)
        run = Run.objects.get(kind=Run.Kind.ROTATION)
        assert answer["Location"] == reverse("tenants:run", args=[run.pk])
        assert (run.requested_by, run.reason) == (self.mia, "the quarter is over")
        self.world.work(run)
        assert self.world.gets_in(self.account, self.ben)

    def test_without_a_reason_nothing_happens_and_the_page_says_so(self):
        answer = self.post("rotate_password", {"reason": " "}, self.mia)
        assert answer.status_code == 422
        assert "Say why the password changes" in answer.content.decode()
        assert not Run.objects.exists()

    def test_without_a_fresh_code_nothing_happens(self):
        assert self.post("rotate_password", {"reason": "quarter"}, self.mia, fresh=False).status_code == 422
        assert not Run.objects.exists()

    def test_a_technician_may_not(self):
        assert self.post("rotate_password", {"reason": "quarter"}).status_code == 403
        assert "/password/change/" not in self.page()

    def test_a_break_glass_account_offers_no_button_and_refuses(self):
        SharedAccount.objects.filter(pk=self.account.pk).update(break_glass=True)
        assert "/password/change/" not in self.page(self.mia)
        assert self.post("rotate_password", {"reason": "quarter"}, self.mia).status_code == 422


class WhenAPasswordIsTypedIn(Scene):
    def test_it_is_kept_and_is_on_no_page(self):
        answer = self.post("enter_password", {"password": TYPED, "reason": "set in the portal"})
        assert answer.status_code == 302
        version = self.in_force()
        assert self.world.outside.vault.open(bytes(version.sealed), version.place) == TYPED.encode()
        assert TYPED not in self.page()

    def test_a_refusal_does_not_show_it_again(self):
        answer = self.post("enter_password", {"password": TYPED, "reason": ""})
        assert answer.status_code == 422
        assert TYPED not in answer.content.decode()
        assert "no-store" in answer["Cache-Control"]

    def test_an_auditor_and_a_stranger_may_not(self):
        for role in (Role.AUDITOR, Role.CUSTOMER_CONTACT):
            facts = {"customer": self.account.tenant.customer} if role == Role.CUSTOMER_CONTACT else {}
            person = self.world.technician(role.title().replace("_", ""), role, **facts)
            assert self.post("enter_password", {"password": TYPED, "reason": "x"}, person).status_code in (403, 404)
        assert self.in_force().number == 1


class WhenItIsNotKnownWhichOneSignsIn(Scene):
    @pytest.fixture(autouse=True)
    def _unproven(self, _scene: None) -> None:
        self.world.cloud.knobs.set(lies=True)
        self.world.work(rotate([self.account], by=self.world.owner, reason="quarter"))
        self.world.cloud.knobs.set(lies=False)

    def test_the_page_says_so_and_offers_what_can_be_done(self):
        page = self.page()
        assert "It is not known which password signs in" in page
        assert "Find out which one signs in" in page
        assert "Take it back by changing it" in self.page(self.mia)

    def test_a_person_says_which_one(self):
        self.post("settle_password", {"version": "1", "reason": "I signed in"})
        assert (self.in_force().number, self.in_force().status) == (1, "current")
        assert "It is not known which password signs in" not in self.page()

    def test_without_a_reason_it_stays_open(self):
        self.post("settle_password", {"version": "1", "reason": ""})
        assert "It is not known which password signs in" in self.page()

    @pytest.mark.parametrize("number", ["", "99", "x", "-1", "9" * 30])
    def test_a_version_that_is_not_there_is_not_found(self, number: str):
        assert self.post("settle_password", {"version": number, "reason": "I signed in"}).status_code == 404

    def test_finding_out_says_what_was_found(self):
        visitor = Visitor(self.ben)
        visitor.post(reverse("tenants:find_out_password", args=[self.account.pk]))
        page = visitor.get(reverse("tenants:account", args=[self.account.pk])).content.decode()
        assert "the policy must allow it" in page


class WhenAPasswordMustChange(Scene):
    def test_the_page_says_why_and_since_when(self):
        demand_change(self.account, ChangeDemand.Because.PERSON, detail="after the audit")
        page = self.page(self.mia)
        assert "This password must change" in page
        assert "after the audit" in page
