"""The pages of a tenant in which Latchkey only reads: the setting, the script, and what became of it."""

from __future__ import annotations

import hashlib
import html

import pytest
from django.urls import reverse

from msp.ledger.models import Entry
from technicians.actions.enter_password import enter_password
from technicians.actions.offboard import offboard
from technicians.models import Role
from tenants.actions.set_hands_off import set_hands_off
from tenants.models import SharedAccount, Step, Tenant
from tenants.plans import StepKind, StepState
from tests.support.visitor import Visitor
from tests.support.world import World

TYPED = "Typed-At-The-Prompt-7"


class Scene:
    """Ana leaves Contoso, where Latchkey only reads."""

    @pytest.fixture(autouse=True)
    def _scene(self, at_work: World) -> None:
        self.world = at_work
        self.owner = at_work.owner
        self.ana, self.ben = at_work.technician("Ana"), at_work.technician("Ben")
        self.tenant = at_work.tenant("Contoso")
        self.account: SharedAccount = at_work.account(self.tenant)
        at_work.give(self.account, self.ana, self.ben)
        set_hands_off(self.tenant, True, by=self.owner, reason="their auditor asked for it")
        self.run = offboard(self.ana, by=self.owner, reason="resigned").run
        at_work.work(self.run)
        self.script_url = reverse("tenants:run_script", args=[self.run.pk, self.tenant.pk])
        self.ran_url = reverse("tenants:run_script_ran", args=[self.run.pk, self.tenant.pk])

    def digest(self, visitor: Visitor) -> str:
        return visitor.get(self.script_url).context["page"].script.digest

    def take(self, visitor: Visitor):
        return visitor.post(self.script_url, {"digest": self.digest(visitor)})

    def run_the_script(self) -> None:
        cloud, where = self.world.cloud, self.world.directory_id(self.account)
        tenant, user = cloud.tenant(where), cloud.user(where, self.account.object_id)
        cloud.set_password(tenant, user, TYPED, by="administrator")
        cloud.remove_method_as_person(where, user.id, self.world.phones[self.account.pk, self.ana.pk].method_id)
        cloud.revoke(tenant, user, by="administrator")
        said = {"by": self.ben, "reason": "typed at the script", "corrects": False}
        enter_password(self.account, TYPED, **said, outside=self.world.outside)

    def step(self, kind: StepKind) -> str:
        return Step.objects.get(target__run=self.run, kind=kind).status


class ThePageOfTheScript(Scene):
    def test_is_found_on_the_page_of_the_run(self):
        page = Visitor(self.owner).get(reverse("tenants:run", args=[self.run.pk])).content.decode()
        assert self.script_url in page

    def test_shows_it_whole_with_its_digest(self):
        page = html.unescape(Visitor(self.owner).get(self.script_url).content.decode())
        text = Visitor(self.owner).get(self.script_url).context["page"].script.text
        assert text.replace("\r\n", "\n") in page.replace("\r\n", "\n")
        assert hashlib.sha256(text.encode()).hexdigest() in page

    def test_gives_the_very_bytes_that_were_shown(self):
        visitor = Visitor(self.owner)
        digest = self.digest(visitor)
        file = self.take(visitor)
        assert file.status_code == 200
        assert file["Content-Disposition"].startswith('attachment; filename="latchkey-contoso')
        assert hashlib.sha256(file.content).hexdigest() == digest
        assert Entry.objects.get(verb="script.taken").facts["digest"] == digest

    def test_gives_nothing_without_a_fresh_code(self):
        visitor = Visitor(self.owner, fresh=False)
        answer = visitor.post(self.script_url, {"digest": self.digest(visitor), "code": ""})
        assert answer.status_code == 422
        assert not Entry.objects.filter(verb="script.taken").exists()

    def test_gives_no_other_script_than_the_one_that_was_looked_at(self):
        answer = Visitor(self.owner).post(self.script_url, {"digest": "0" * 64})
        assert answer.status_code == 422
        assert "have changed since you looked" in answer.content.decode()

    @pytest.mark.parametrize("role", [Role.AUDITOR, Role.TECHNICIAN])
    def test_is_for_those_who_decide_about_steps(self, role: str):
        visitor = Visitor(self.world.technician("Rob", role))
        assert visitor.get(self.script_url).status_code == 403
        assert visitor.get(self.ran_url).status_code == 403

    def test_says_when_nothing_remains(self):
        Step.objects.filter(target__run=self.run, status=StepState.BLOCKED).update(
            status=StepState.WAIVED, waived_by=self.owner, waived_reason="closes"
        )
        assert "Nothing remains for a script" in Visitor(self.owner).get(self.script_url).content.decode()


class WhenSomebodySaysThatItRan(Scene):
    def test_it_is_read_and_what_is_seen_is_verified(self):
        visitor = Visitor(self.owner)
        self.take(visitor)
        self.run_the_script()
        page = visitor.post(self.ran_url).content.decode()
        assert "Verified: read back and found so" in page
        assert "The run goes on with its proof" in page
        assert self.step(StepKind.ROTATE_PASSWORD) == StepState.VERIFIED

    def test_what_is_not_seen_stays_and_says_so(self):
        visitor = Visitor(self.owner)
        self.take(visitor)
        page = visitor.post(self.ran_url).content.decode()
        assert "Not seen." in page
        assert "Verified" not in page
        assert self.step(StepKind.ROTATE_PASSWORD) == StepState.BLOCKED

    def test_the_page_leads_to_where_the_new_password_is_entered(self):
        page = Visitor(self.owner).get(self.ran_url).content.decode()
        assert reverse("tenants:enter_password", args=[self.account.pk]) in page

    def test_nothing_is_read_for_a_script_that_nobody_took(self):
        answer = Visitor(self.owner).post(self.ran_url)
        assert answer.status_code == 422
        assert "nobody took one" in answer.content.decode()


class TheSetting(Scene):
    def url(self) -> str:
        return reverse("tenants:hands_off", args=[self.tenant.pk])

    def now(self) -> bool:
        return Tenant.objects.get(pk=self.tenant.pk).hands_off

    def test_is_on_the_page_of_the_tenant(self):
        page = Visitor(self.owner).get(reverse("tenants:detail", args=[self.tenant.pk])).content.decode()
        assert "Only read: changes go by script" in page
        assert self.url() in page

    def test_is_changed_with_a_reason_and_a_fresh_code(self):
        visitor = Visitor(self.owner, fresh=False)
        form = {"hands_off": "no", "reason": "they changed their mind"}
        assert visitor.post(self.url(), form).status_code == 422
        assert self.now()
        assert visitor.post(self.url(), form | {"code": visitor.code()}).status_code == 302
        assert not self.now()

    def test_says_how_many_acts_it_would_stop(self):
        set_hands_off(self.tenant, False, by=self.owner, reason="x")
        assert "0 acts of runs" in Visitor(self.owner).get(self.url()).content.decode()

    def test_is_nothing_for_a_technician(self):
        assert Visitor(self.ben).get(self.url()).status_code == 403
