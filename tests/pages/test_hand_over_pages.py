"""The pages of the one-time link: made by somebody who holds the account, opened by anybody, told to nobody else."""

from __future__ import annotations

import datetime as dt
import html
import itertools
import re
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from redis.exceptions import ConnectionError as NoRedis

from technicians.models import HandOverLink, Role
from technicians.views import hand_over
from tenants.models import PasswordPolicy, SecretVersion
from tests.support.closed_ledger import close_the_ledger
from tests.support.recipient import decrypted, from_base64
from tests.support.visitor import Visitor
from tests.support.world import World

pytestmark = pytest.mark.django_db

ADDRESSES = (f"198.51.100.{n}" for n in itertools.cycle(range(1, 255)))


class Scene:
    """Ana and Ben hold Contoso's account with its password."""

    @pytest.fixture(autouse=True)
    def _scene(self, at_work: World) -> None:
        self.world = at_work
        self.account = at_work.account(at_work.tenant("Contoso"))
        self.ana, self.ben = at_work.technician("Ana"), at_work.technician("Ben")
        at_work.give(self.account, self.ana, self.ben)
        self.password = at_work.passwords_known(self.account)["current"]
        self.url = reverse("tenants:hand_over", args=[self.account.pk])
        self.account_url = reverse("tenants:account", args=[self.account.pk])

    def make(self, visitor: Visitor, **form: Any) -> Any:
        form = {"recipient": "Carla of Contoso", "reason": "she takes over", "life": "60"} | form
        return visitor.post(self.url, form)

    def link(self) -> str:
        """A whole link, as its maker copies it."""
        answer = self.make(Visitor(self.ana))
        return html.unescape(re.findall(r'data-copy="(http[^"]+)"', answer.content.decode())[0])

    def outside(self) -> Client:
        return Client(REMOTE_ADDR=next(ADDRESSES))


class WhenALinkIsMade(Scene):
    def test_it_stands_once_in_an_answer_that_nobody_stores(self):
        visitor = Visitor(self.ana)
        answer = self.make(visitor)
        page = answer.content.decode()
        assert answer.status_code == 200
        assert "no-store" in answer["Cache-Control"]
        assert re.search(r"http://testserver/hand-over/[\w-]{22}#[\w-]{48}", page)
        assert self.password not in page
        for url in (self.url, self.account_url):
            assert "/hand-over/" not in visitor.get(url).content.decode().replace(self.url, "")

    def test_an_old_factor_asks_for_a_code_first_and_keeps_what_was_typed(self):
        visitor = Visitor(self.ana, fresh=False)
        answer = self.make(visitor)
        assert answer.status_code == 422
        assert "Carla of Contoso" in answer.content.decode()
        assert not HandOverLink.objects.exists()
        assert self.make(visitor, code=visitor.code()).status_code == 200

    def test_what_is_missing_is_said_at_its_field(self):
        answer = self.make(Visitor(self.ana), recipient="")
        assert answer.status_code == 422
        assert 'id="id_recipient_error"' in answer.content.decode()
        assert not HandOverLink.objects.exists()

    @pytest.mark.parametrize("life", ["0", "4321", "never", ""])
    def test_a_time_that_was_not_offered_makes_none(self, life: str):
        assert self.make(Visitor(self.ana), life=life).status_code == 422

    def test_without_a_password_it_is_said_what_to_do(self):
        SecretVersion.objects.all().delete()
        answer = self.make(Visitor(self.ana))
        assert answer.status_code == 422
        assert "import it, or rotate it once" in answer.content.decode()

    def test_a_doubtful_password_is_said_before_and_after(self):
        SecretVersion.objects.update(status=SecretVersion.Status.DOUBTFUL)
        assert "changed outside Latchkey" in Visitor(self.ana).get(self.url).content.decode()

    def test_it_is_for_holders_with_the_right_only(self):
        auditor = self.world.technician("Aud", Role.AUDITOR)
        manager = self.world.technician("Mia", Role.MANAGER)
        stranger = self.world.technician("Dora")
        for person, status in ((auditor, 403), (manager, 403), (stranger, 404)):
            assert Visitor(person).get(self.url).status_code == status
            assert self.make(Visitor(person)).status_code == status
        assert not HandOverLink.objects.exists()

    def test_a_ticket_number_is_asked_where_the_policy_asks_for_it(self):
        assert 'name="ticket"' not in Visitor(self.ana).get(self.url).content.decode()
        PasswordPolicy.objects.create(reseller=self.world.reseller, asks=PasswordPolicy.Asks.TICKET)
        answer = self.make(Visitor(self.ana))
        assert answer.status_code == 422
        assert 'id="id_ticket_error"' in answer.content.decode()
        assert self.make(Visitor(self.ana), ticket="INC0042").status_code == 200

    def test_what_the_policy_forbids_is_refused_in_words(self):
        PasswordPolicy.objects.create(reseller=self.world.reseller, check_out_required=True)
        answer = self.make(Visitor(self.ana))
        assert answer.status_code == 403
        assert "checked the account out" in answer.content.decode()


class WhenTheAccountIsLookedAt(Scene):
    def test_its_links_are_listed_with_where_they_stand(self):
        link = self.link()
        visitor = Visitor(self.ana)
        assert "Waiting to be opened" in visitor.get(self.account_url).content.decode()
        Client(REMOTE_ADDR="203.0.113.9").post(link.partition("#")[0])
        page = visitor.get(self.account_url).content.decode()
        assert "Carla of Contoso" in page
        assert "from 203.0.113.9" in page
        assert "Withdraw" not in page

    def test_it_can_be_withdrawn_there(self):
        self.link()
        visitor = Visitor(self.ana)
        url = reverse("technicians:hand_over_withdraw", args=[HandOverLink.objects.get().pk])
        assert url in visitor.get(self.account_url).content.decode()
        page = visitor.post(url, follow=True).content.decode()
        assert "does not open any more" in page
        assert "Withdrawn, never opened" in page
        again = visitor.post(url, follow=True).content.decode()
        assert "there was nothing to withdraw" in again

    def test_a_colleague_does_not_find_it(self):
        self.link()
        url = reverse("technicians:hand_over_withdraw", args=[HandOverLink.objects.get().pk])
        assert "Waiting to be opened" not in Visitor(self.ben).get(self.account_url).content.decode()
        assert Visitor(self.ben).post(url).status_code == 404


class WhoOpensALink(Scene):
    def test_looks_at_it_as_often_as_previews_do_and_spends_nothing(self):
        path, browser = self.link().partition("#")[0], self.outside()
        for _ in range(3):
            assert browser.get(path).status_code == 200
            assert browser.head(path).status_code == 200
        assert HandOverLink.objects.waiting().count() == 1

    def test_gets_only_ciphertext_once_and_reads_it_with_the_key_of_the_link(self):
        link, browser = self.link(), self.outside()
        path = link.partition("#")[0]
        answer = browser.post(path)
        said = answer.json()
        assert self.password not in answer.content.decode()
        message = decrypted(link, said["link"], from_base64(said["ciphertext"].translate({43: "-", 47: "_"})))
        assert message["passwords"][0]["password"] == self.password
        again = browser.post(path)
        assert (again.status_code, again.json()) == (410, {"situation": "gone"})

    def test_learns_nothing_of_customer_and_account_before(self):
        page = self.outside().get(self.link().partition("#")[0]).content.decode()
        assert "Northwind IT" in page
        for word in ("contoso", "Carla", "ana@reseller", self.password):
            assert word.lower() not in page.lower()

    def test_needs_no_sign_in_and_leaves_no_trace_elsewhere(self):
        path = self.link().partition("#")[0]
        for answer in (self.outside().get(path), self.outside().post(path), self.outside().get(path)):
            assert "no-store" in answer["Cache-Control"]
            assert answer["Referrer-Policy"] == "no-referrer"
            assert "noindex" in answer["X-Robots-Tag"]
            assert "script-src 'self'" in answer["Content-Security-Policy"]
            assert "unsafe" not in answer["Content-Security-Policy"]
            assert answer["X-Frame-Options"] == "DENY"

    def test_from_another_site_is_refused_before_anything_is_spent(self):
        strict = Client(enforce_csrf_checks=True, REMOTE_ADDR=next(ADDRESSES))
        assert strict.post(self.link().partition("#")[0]).status_code == 403
        assert HandOverLink.objects.waiting().count() == 1

    def test_while_the_ledger_is_closed_is_told_that_nothing_was_spent(self, monkeypatch: pytest.MonkeyPatch):
        path = self.link().partition("#")[0]
        with monkeypatch.context() as patch:
            close_the_ledger(patch)
            answer = self.outside().post(path)
        assert (answer.status_code, answer.json()) == (503, {"situation": "trouble"})
        assert self.outside().post(path).status_code == 200


class WhenALinkDoesNotOpen(Scene):
    def test_the_answer_is_the_same_whether_there_ever_was_one(self):
        links = {why: self.link().partition("#")[0] for why in ("spent", "withdrawn", "expired")}
        rows = dict(zip(links, HandOverLink.objects.order_by("created_at"), strict=True))
        self.outside().post(links["spent"])
        Visitor(self.ana).post(reverse("technicians:hand_over_withdraw", args=[rows["withdrawn"].pk]))
        HandOverLink.objects.filter(pk=rows["expired"].pk).update(expires_at=timezone.now() - dt.timedelta(seconds=1))
        links["unknown"] = f"/hand-over/{'A' * 22}"
        looked = {(a.status_code, self.without_tokens(a)) for a in map(self.outside().get, links.values())}
        asked = {(a.status_code, a.content) for a in map(self.outside().post, links.values())}
        assert len(looked) == len(asked) == 1
        assert {status for status, _content in looked | asked} == {410}

    def without_tokens(self, answer: Any) -> str:
        return re.sub(r'(X-CSRFToken&quot;: &quot;|X-CSRFToken": "|value=")\w+', "", answer.content.decode())

    def test_after_a_change_of_the_password_it_is_said_so(self):
        path = self.link().partition("#")[0]
        SecretVersion.objects.update(status=SecretVersion.Status.RETIRED, retired_at=timezone.now())
        assert "The password was changed after this link was made" in self.outside().get(path).content.decode()
        assert self.outside().post(path).json() == {"situation": "changed"}


class WhoAsksTooOften(Scene):
    def test_waits_a_minute_and_others_do_not(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(hand_over, "LOOKS_PER_MINUTE", 3)
        monkeypatch.setattr(hand_over.time, "time", lambda: 1_000_000.0)
        path, address = self.link().partition("#")[0], "192.0.2.77"
        cache.delete(f"hand-over-looks:{address}:{1_000_000 // 60}")
        hasty = Client(REMOTE_ADDR=address)
        assert [hasty.get(path).status_code for _ in range(4)] == [200, 200, 200, 429]
        refused = hasty.post(path)
        assert (refused.status_code, refused.json()) == (429, {"situation": "busy"})
        assert "Nothing was used up" in hasty.get(path).content.decode()
        assert self.outside().get(path).status_code == 200

    def test_is_let_in_when_nobody_can_count(self, monkeypatch: pytest.MonkeyPatch):
        def gone(*_: object, **__: object) -> None:
            raise NoRedis("gone")

        monkeypatch.setattr(hand_over.cache, "add", gone)
        assert self.outside().get(self.link().partition("#")[0]).status_code == 200
