"""The pages about password policies: who sees and sets which, what bad input gets, and what an account's card says."""

from __future__ import annotations

import datetime as dt
import re
import uuid
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from technicians.models import Role, Technician
from tenants.actions.demand_change import demand_change
from tenants.actions.set_policy import set_policy
from tenants.models import ChangeDemand, PasswordPolicy, Secret, SharedAccount, Step, TenantGroup
from tenants.password_plans import Place, Rules
from tenants.plans import StepKind
from tests.pages.addresses import POLICY
from tests.pages.runs_stage import Office
from tests.support.visitor import Visitor

pytestmark = pytest.mark.django_db

LIST = "/tenants/policies/"
MONTHLY, YEARLY = Rules(rotate_every_days=30), Rules(rotate_every_days=365)


class Scene:
    """Contoso is in the group Gold, Fabrikam in none; Sia manages Gold only, Ben holds Contoso's account."""

    @pytest.fixture(autouse=True)
    def _scene(self, db: None) -> None:
        self.office = Office()
        self.owner = self.office.owner
        self.contoso, self.fabrikam = self.office.tenant("Contoso"), self.office.tenant("Fabrikam")
        self.account, self.far = self.office.account(self.contoso), self.office.account(self.fabrikam)
        self.gold = TenantGroup.objects.create(reseller=self.office.reseller, name="Gold")
        self.gold.tenants.add(self.contoso)
        self.sia = self.office.person("Sia", Role.MANAGER, groups=[self.gold])
        self.ben = self.office.person("Ben")
        self.office.assign(self.account, self.ben)
        self.aud = self.office.person("Aud", Role.AUDITOR)

    def read(self, url: str, person: Technician | None = None) -> str:
        answer = Visitor(person or self.owner).get(url)
        assert answer.status_code == 200
        return words_of(answer)

    def save(self, url: str, person: Technician | None = None, *, fresh: bool = True, **changed: Any) -> Any:
        form = {name: value for name, value in (POLICY | changed).items() if value is not None}
        return Visitor(person or self.owner, fresh=fresh).post(url, form)

    def of(self, kind: str, row: Any) -> str:
        return reverse(f"tenants:set_policy_of_{kind}", args=[row.pk])


def words_of(answer: Any) -> str:
    text = re.sub(r"<(script|style).*?</\1>|<[^>]+>", " ", answer.content.decode(), flags=re.DOTALL)
    return re.sub(r"\s+", " ", text).replace("&#x27;", "'").replace(" .", ".").replace(" ,", ",")


class WhenAPolicyIsSaved(Scene):
    def test_it_holds_at_each_kind_of_place(self):
        for url in (
            reverse("tenants:set_policy_of_all"),
            self.of("group", self.gold),
            self.of("tenant", self.contoso),
            self.of("account", self.account),
        ):
            answer = self.save(url, rotate_every_days="90", forbidden_parts="winter\r\nacme, winter\n\n")
            assert answer.status_code == 302, words_of(answer)
            kept = PasswordPolicy.objects.get(pk=answer["Location"].split("/")[-2])
            assert (kept.length, kept.rotate_every_days, kept.forbidden_parts) == (30, 90, ["winter", "acme"])
            assert kept.classes == ["lower", "upper", "digits"]
        assert PasswordPolicy.objects.count() == 4

    def test_what_is_not_ticked_is_off(self):
        self.save(self.of("tenant", self.contoso))
        kept = PasswordPolicy.objects.get()
        assert not kept.rotate_after_check_in
        assert not kept.forbid_names

    def test_the_form_begins_with_what_applies_now_and_shows_what_was_saved(self):
        set_policy(Place(), Rules(length=33, forbidden_parts=("winter",), quiet_zone="Asia/Tokyo"), by=self.owner)
        page = Visitor(self.owner).get(self.of("account", self.account)).content.decode()
        assert 'value="33"' in page
        assert "winter" in page
        assert "There is none of its own yet" in page
        self.save(self.of("account", self.account), length="40", quiet_from="22:00", quiet_until="06:30")
        page = Visitor(self.owner).get(self.of("account", self.account)).content.decode()
        assert "There is none of its own yet" not in page
        for value in ("40", "22:00", "06:30"):
            assert f'value="{value}"' in page

    def test_quiet_hours_begin_in_the_time_zone_of_whoever_sets_them(self):
        Technician.objects.filter(pk=self.owner.pk).update(time_zone="Europe/Vienna")
        owner = Technician.objects.get(pk=self.owner.pk)
        assert 'value="Europe/Vienna"' in Visitor(owner).get(self.of("tenant", self.contoso)).content.decode()

    def test_an_old_code_is_asked_again_and_what_was_typed_stays(self):
        answer = self.save(self.of("tenant", self.contoso), fresh=False, length="44")
        assert answer.status_code == 422
        assert "fresh code" in words_of(answer)
        assert 'value="44"' in answer.content.decode()
        assert not PasswordPolicy.objects.exists()

    def test_the_right_code_saves_it(self):
        visitor = Visitor(self.owner, fresh=False)
        answer = visitor.post(self.of("tenant", self.contoso), POLICY | {"code": visitor.code()})
        assert answer.status_code == 302


class WhenTheInputIsBad(Scene):
    @pytest.mark.parametrize(
        ("changed", "field", "said"),
        [
            ({"classes": ["lower", "upper"]}, "classes", "three of the four"),
            ({"classes": None}, "classes", "three of the four"),
            ({"classes": ["lower", "upper", "digits", "runes"]}, "classes", "not one of the available choices"),
            ({"length": "11"}, "length", "greater than or equal to 12"),
            ({"length": "999999999999999999999"}, "length", "less than or equal to 128"),
            ({"length": "many"}, "length", "whole number"),
            ({"length": None}, "length", "required"),
            ({"words": "4"}, "words", "greater than or equal to 5"),
            ({"style": "runes"}, "style", "not one of the available choices"),
            ({"style": None}, "style", "required"),
            ({"asks": "everything"}, "asks", "not one of the available choices"),
            ({"forbidden_parts": "abc"}, "forbidden_parts", "abc is too short"),
            ({"forbidden_parts": "\n".join(f"part{n}" for n in range(101))}, "forbidden_parts", "too many"),
            ({"forbidden_parts": "x" * 10_001}, "forbidden_parts", "at most 10000"),
            ({"rotate_every_days": "0"}, "rotate_every_days", "greater than or equal to 1"),
            ({"quiet_from": "22:00"}, "quiet_until", "both, or neither"),
            ({"quiet_until": "22:00"}, "quiet_from", "both, or neither"),
            ({"quiet_from": "8", "quiet_until": "9:00"}, "quiet_from", "valid time"),
            ({"quiet_from": "08:00", "quiet_until": "08:00"}, "quiet_until", "whole day or nothing"),
            ({"quiet_zone": "Atlantis/Center"}, "quiet_zone", "no time zone"),
            ({"quiet_zone": "../../etc/passwd"}, "quiet_zone", "no time zone"),
            ({"stagger_minutes": "0"}, "stagger_minutes", "greater than or equal to 1"),
            ({"ticket_pattern": "#" * 101}, "ticket_pattern", "at most 100"),
            ({"check_out_minutes": "1"}, "check_out_minutes", "greater than or equal to 5"),
        ],
    )
    def test_the_field_says_so_and_nothing_is_saved(self, changed: dict[str, Any], field: str, said: str):
        answer = self.save(self.of("tenant", self.contoso), **changed)
        assert answer.status_code == 422
        at_the_field = re.search(rf'id="id_{field}_error">(.*?)</div>', answer.content.decode(), re.DOTALL)
        assert at_the_field, words_of(answer)
        assert said in at_the_field[1]
        assert "Nothing was saved" in words_of(answer)
        assert not PasswordPolicy.objects.exists()

    def test_several_fields_are_named_at_once(self):
        answer = self.save(self.of("tenant", self.contoso), length="1", classes=["lower"], quiet_from="22:00")
        marked = set(re.findall(r'id="id_(\w+)_error"', answer.content.decode()))
        assert marked == {"length", "classes", "quiet_until"}

    def test_a_policy_that_was_there_stays(self):
        set_policy(Place(tenant=self.contoso), MONTHLY, by=self.owner)
        self.save(self.of("tenant", self.contoso), length="1")
        assert PasswordPolicy.objects.get().rotate_every_days == 30


class WhoMayWhat(Scene):
    def test_whoever_sees_accounts_reads_policies_and_only_managers_are_offered_to_set_them(self):
        policy = set_policy(Place(tenant=self.contoso), MONTHLY, by=self.owner)
        url = reverse("tenants:policy", args=[policy.pk])
        for person, offered in ((self.owner, True), (self.sia, True), (self.aud, False), (self.ben, False)):
            assert "Changes every 30 days." in self.read(url, person)
            assert ("Remove this policy" in self.read(url, person)) == offered
            assert "of the tenant contoso.example" in self.read(LIST, person)
            assert ("open its page" in self.read(LIST, person)) == offered

    def test_technicians_and_auditors_set_and_remove_none(self):
        policy = set_policy(Place(tenant=self.contoso), MONTHLY, by=self.owner)
        for person in (self.ben, self.aud):
            assert self.save(self.of("tenant", self.contoso), person).status_code == 403
            assert Visitor(person).post(reverse("tenants:remove_policy", args=[policy.pk])).status_code == 403
        assert PasswordPolicy.objects.get().rotate_every_days == 30

    def test_a_contact_sees_no_policy_at_all(self):
        contact = self.office.person("Carl", Role.CUSTOMER_CONTACT, customer=self.contoso.customer)
        assert Visitor(contact).get(LIST).status_code == 403

    def test_a_manager_of_some_groups_reads_the_policy_of_all_and_does_not_touch_it(self):
        policy = set_policy(Place(), MONTHLY, by=self.owner)
        assert "Remove this policy" not in self.read(reverse("tenants:policy", args=[policy.pk]), self.sia)
        assert Visitor(self.sia).post(reverse("tenants:remove_policy", args=[policy.pk])).status_code == 403
        answer = self.save(reverse("tenants:set_policy_of_all"), self.sia)
        assert answer.status_code == 403
        assert "accounts that you do not see" in words_of(answer)
        assert PasswordPolicy.objects.get().rotate_every_days == 30

    def test_what_is_out_of_reach_or_a_strangers_is_not_found(self):
        stranger = Office("Tailspin Systems")
        far_policy = set_policy(Place(account=self.far), MONTHLY, by=self.owner)
        for url in (
            self.of("tenant", self.fabrikam),
            self.of("account", self.far),
            self.of("account", stranger.account(stranger.tenant("Litware"))),
            reverse("tenants:set_policy_of_group", args=[uuid.uuid4()]),
        ):
            assert Visitor(self.sia).get(url).status_code == 404
            assert self.save(url, self.sia).status_code == 404
        for person in (self.sia, self.ben, stranger.owner):
            assert Visitor(person).get(reverse("tenants:policy", args=[far_policy.pk])).status_code == 404
        assert Visitor(self.sia).post(reverse("tenants:remove_policy", args=[far_policy.pk])).status_code == 404
        assert "fabrikam" not in self.read(LIST, self.sia)

    def test_groups_without_a_policy_are_offered(self):
        assert "Gold" in self.read(LIST)
        set_policy(Place(group=self.gold), MONTHLY, by=self.owner)
        assert "Tenant groups without" not in self.read(LIST)


class WhenAPolicyIsRemoved(Scene):
    def test_the_page_says_what_applies_then_and_it_is_so(self):
        set_policy(Place(), YEARLY, by=self.owner)
        near = set_policy(Place(group=self.gold), MONTHLY, by=self.owner)
        page = self.read(reverse("tenants:policy", args=[near.pk]), self.sia)
        assert "Then the policy of all of Northwind IT applies here" in page
        answer = Visitor(self.sia).post(reverse("tenants:remove_policy", args=[near.pk]), follow=True)
        assert "The policy of the tenant group Gold is removed." in words_of(answer)
        assert PasswordPolicy.objects.get().rotate_every_days == 365

    def test_without_a_fresh_code_it_stays(self):
        policy = set_policy(Place(), YEARLY, by=self.owner)
        answer = Visitor(self.owner, fresh=False).post(reverse("tenants:remove_policy", args=[policy.pk]))
        assert answer.status_code == 422
        assert "fresh code" in words_of(answer)
        assert PasswordPolicy.objects.exists()


class TheCardOfAnAccount(Scene):
    def card(self, person: Technician | None = None) -> str:
        page = Visitor(person or self.ben).get(reverse("tenants:account", args=[self.account.pk])).content.decode()
        found = re.search(r'<section class="card" aria-labelledby="policy-heading">.*?</section>', page, re.DOTALL)
        assert found
        return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", found[0])).replace(" .", ".").replace(" ,", ",")

    def test_says_which_policy_applies_and_from_where(self):
        assert "Nobody has set a policy here" in self.card()
        for place, words in (
            (Place(), "of all of Northwind IT."),
            (Place(group=self.gold), "of the tenant group Gold."),
            (Place(tenant=self.contoso), "of the tenant contoso.example."),
            (Place(account=self.account), "of the account admin@contoso.example."),
        ):
            set_policy(place, MONTHLY, by=self.owner)
            assert f"The policy that applies is the one {words}" in self.card()

    def test_says_when_it_changes_next_and_why_in_the_readers_time(self):
        Secret.objects.filter(account=self.account).update(
            next_change_at=dt.datetime(2031, 12, 1, 2, tzinfo=dt.UTC), next_change_because="schedule"
        )
        Technician.objects.filter(pk=self.ben.pk).update(time_zone="Europe/Berlin")
        ben = Technician.objects.get(pk=self.ben.pk)
        assert "Changes on 2031-12-01 03:00 because it is old enough then." in self.card(ben)

    def test_says_that_nothing_is_planned(self):
        assert "No change is planned." in self.card()

    @pytest.mark.parametrize("because", ChangeDemand.Because.values)
    def test_says_that_a_change_is_due_and_why(self, because: str):
        demand_change(self.account, ChangeDemand.Because(because), due_at=timezone.now() - dt.timedelta(hours=1))
        assert re.search(r"Due since \S+ \S+ because .+\. It begins within minutes\.", self.card())

    def test_says_that_a_break_glass_account_never_changes_by_itself(self):
        demand_change(self.account, ChangeDemand.Because.PERSON)
        SharedAccount.objects.filter(pk=self.account.pk).update(break_glass=True)
        assert "Never changes by itself: this is a break-glass account." in self.card()
        assert "Due since" not in self.card()

    def test_says_that_a_change_has_begun_with_a_way_to_the_run_for_those_who_see_runs(self):
        run = self.begun()
        assert "A change has begun and is not settled." in self.card()
        assert reverse("tenants:run", args=[run.pk]) not in self.html(self.ben)
        assert reverse("tenants:run", args=[run.pk]) in self.html(self.owner)

    def begun(self) -> Any:
        lea = self.office.person("Lea")
        self.office.give(self.account, lea)
        self.office.reveal(self.account, lea)
        run = self.office.offboard(lea)
        assert Step.objects.filter(target__run=run, kind=StepKind.ROTATE_PASSWORD).exists()
        return run

    def html(self, person: Technician) -> str:
        return Visitor(person).get(reverse("tenants:account", args=[self.account.pk])).content.decode()

    def test_says_every_rule_in_a_sentence(self):
        set_policy(
            Place(account=self.account),
            Rules(
                style="words", words=7, forbidden_parts=("winter",), rotate_after_reveal=True, hours_after_reveal=3,
                quiet_from=dt.time(22), quiet_until=dt.time(6), quiet_zone="Europe/Berlin", asks="ticket",
                ticket_pattern="INC#", check_out_required=True, sign_in_probe=True, rotate_after_drift=True,
            ),
            by=self.owner,
        )  # fmt: skip
        said = self.card().replace("&#x27;", "'")
        for sentence in (
            "7 words, one with a capital and one with a digit.",
            "No look-alikes (l I 1 o O 0).",
            "No part of the customer's, the tenant's or the account's name.",
            "Never with: winter.",
            "Age alone changes nothing.",
            "Changes 3 hours after it was shown.",
            "Changes after check-in.",
            "Changes when somebody who fetched it loses the account.",
            "is taken back by changing it again.",
            "Never between 22:00 and 06:00 (Europe/Berlin).",
            "Keeps 15 minutes away from other accounts of the tenant.",
            "A reveal asks for a ticket number like INC#.",
            "At most 60 reveals per person and hour.",
            "Only after check-out, which lasts 60 minutes.",
            "A sign-in is tried where only that tells.",
        ):
            assert sentence in said

    def test_offers_to_set_one_only_to_those_who_may(self):
        assert "Set one for this account" in self.card(self.owner)
        assert "Set one for this account" not in self.card(self.ben)


class ThePageOfATenant(Scene):
    def test_says_which_policy_applies_and_leads_to_it(self):
        url = reverse("tenants:detail", args=[self.contoso.pk])
        assert "built into Latchkey" in self.read(url)
        policy = set_policy(Place(group=self.gold), MONTHLY, by=self.owner)
        page = Visitor(self.ben).get(url).content.decode()
        assert reverse("tenants:policy", args=[policy.pk]) in page
        assert self.of("tenant", self.contoso) not in page
        assert self.of("tenant", self.contoso) in Visitor(self.sia).get(url).content.decode()


class TheList(Scene):
    def test_has_the_widest_first_and_says_what_each_says(self):
        for place in (Place(account=self.account), Place(tenant=self.contoso), Place(group=self.gold), Place()):
            set_policy(place, MONTHLY, by=self.owner)
        page = self.read(LIST)
        places = ["of all of", "of the tenant group", "of the tenant contoso", "of the account admin"]
        found = [page.index(words) for words in places]
        assert found == sorted(found)
        assert page.count("24 characters every 30 days A reason") == 4

    def test_forty_policies_cost_as_many_queries_as_four(self, django_assert_max_num_queries):
        accounts = [self.office.account(self.contoso, f"a{n}") for n in range(40)]
        visitor, used = Visitor(self.owner), []
        for few in (accounts[:4], accounts[4:]):
            for account in few:
                set_policy(Place(account=account), MONTHLY, by=self.owner)
            with django_assert_max_num_queries(12) as asked:
                visitor.get(LIST)
            used.append(len(asked))
        assert used[0] == used[1]

    def test_more_than_a_page_is_on_the_next(self):
        for number in range(51):
            set_policy(Place(account=self.office.account(self.contoso, f"a{number:02}")), MONTHLY, by=self.owner)
        assert "1 to 50 of 51" in self.read(LIST)
        assert "a50@contoso.example" in self.read(f"{LIST}?page=2")
