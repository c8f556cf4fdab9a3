"""The pages about enrolment policies: who sees and sets which, what bad input gets, and what an account's card says."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.urls import reverse

from technicians.models import Role, Technician
from tenants.actions.set_enrolment_policy import facts_of, set_enrolment_policy
from tenants.models import EnrolmentPolicy, TenantGroup
from tenants.password_plans import Place
from tests.pages.addresses import ENROLMENT_POLICY
from tests.pages.runs_stage import Office
from tests.support.visitor import Visitor

pytestmark = pytest.mark.django_db

LIST = "/tenants/enrolment-policies/"
BUILT_IN = facts_of(EnrolmentPolicy())


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

    def read(self, url: str, person: Technician | None = None) -> str:
        answer = Visitor(person or self.owner).get(url)
        assert answer.status_code == 200
        return words_of(answer)

    def save(self, url: str, person: Technician | None = None, *, fresh: bool = True, **changed: Any) -> Any:
        form = {name: value for name, value in (ENROLMENT_POLICY | changed).items() if value is not None}
        return Visitor(person or self.owner, fresh=fresh).post(url, form)

    def of(self, kind: str, row: Any) -> str:
        return reverse(f"tenants:set_enrolment_policy_of_{kind}", args=[row.pk])


def words_of(answer: Any) -> str:
    text = re.sub(r"<(script|style).*?</\1>|<[^>]+>", " ", answer.content.decode(), flags=re.DOTALL)
    return re.sub(r"\s+", " ", text).replace("&#x27;", "'").replace(" .", ".").replace(" ,", ",")


class WhenAPolicyIsSaved(Scene):
    def test_it_holds_at_each_kind_of_place(self):
        for url in (
            reverse("tenants:set_enrolment_policy_of_all"),
            self.of("group", self.gold),
            self.of("tenant", self.contoso),
            self.of("account", self.account),
        ):
            answer = self.save(url, kept_here="on", keep_for_later_days="7", accounts_per_code="5")
            assert answer.status_code == 302, words_of(answer)
            kept = EnrolmentPolicy.objects.get(pk=answer["Location"].split("/")[-2])
            assert (kept.kept_here, kept.keep_for_later_days, kept.accounts_per_code) == (True, 7, 5)
        assert EnrolmentPolicy.objects.count() == 4

    def test_what_is_not_ticked_is_off(self):
        self.save(self.of("tenant", self.contoso))
        kept = EnrolmentPolicy.objects.get()
        off = (kept.microsoft_page, kept.kept_here, kept.claims, kept.passes, kept.duplicates, kept.files)
        assert (kept.our_seed, any(off)) == (True, False)

    def test_it_needs_a_fresh_code(self):
        answer = self.save(self.of("tenant", self.contoso), fresh=False)
        assert answer.status_code == 422
        assert not EnrolmentPolicy.objects.exists()

    def test_without_a_way_to_enrol_nothing_is_saved_and_the_page_says_why(self):
        answer = self.save(self.of("tenant", self.contoso), our_seed=None)
        assert answer.status_code == 422
        assert "Allow at least one way to enrol" in words_of(answer)
        assert not EnrolmentPolicy.objects.exists()

    @pytest.mark.parametrize(
        ("rule", "value"),
        [("keep_for_later_days", "31"), ("minutes_on_screen", "1"), ("accounts_per_code", "7")],
    )
    def test_what_is_beyond_its_range_is_marked_and_nothing_is_saved(self, rule: str, value: str):
        answer = self.save(self.of("tenant", self.contoso), **{rule: value})
        assert answer.status_code == 422
        assert "Nothing was saved" in words_of(answer)
        assert not EnrolmentPolicy.objects.exists()


class TheForm(Scene):
    def test_begins_with_what_applies_there_now_and_says_where_that_comes_from(self):
        set_enrolment_policy(Place(), BUILT_IN | {"keep_for_later_days": 9}, by=self.owner)
        page = Visitor(self.owner).get(self.of("account", self.account)).content.decode()
        assert 'name="keep_for_later_days" value="9"' in page
        assert "of all of Northwind IT" in page

    def test_states_the_risk_of_codes_kept_here(self):
        said = self.read(self.of("tenant", self.contoso))
        assert "password and second factor then lie in one place" in said


class WhoeverSeesAnAccount(Scene):
    def test_reads_on_it_which_policy_applies_and_what_it_says(self):
        url = reverse("tenants:account", args=[self.account.pk])
        assert "the one that is built into Latchkey applies. All enrolment policies" in self.read(url, self.ben)
        set_enrolment_policy(Place(group=self.gold), BUILT_IN | {"kept_here": True}, by=self.owner)
        said = self.read(url, self.ben)
        assert "of the tenant group Gold" in said
        assert "Ways to enrol here: our seed, Microsoft's page, codes kept here." in said

    def test_reads_the_policy_and_removes_none(self):
        made = set_enrolment_policy(Place(tenant=self.contoso), BUILT_IN | {"duplicates": True}, by=self.owner)
        page = reverse("tenants:enrolment_policy", args=[made.pk])
        assert "goes with the first" in self.read(page, self.ben)
        remove = reverse("tenants:remove_enrolment_policy", args=[made.pk])
        assert Visitor(self.ben).post(remove).status_code == 403
        assert EnrolmentPolicy.objects.filter(pk=made.pk).exists()

    def test_finds_it_on_the_tenants_page(self):
        set_enrolment_policy(Place(tenant=self.contoso), BUILT_IN, by=self.owner)
        assert "Enrolment policy of the tenant contoso.example" in self.read(
            reverse("tenants:detail", args=[self.contoso.pk])
        )


class TheList(Scene):
    def test_names_the_ways_of_each_and_what_the_built_in_one_says(self):
        set_enrolment_policy(Place(tenant=self.contoso), BUILT_IN | {"keep_for_later_days": 1}, by=self.owner)
        said = self.read(LIST)
        assert "our seed, Microsoft's page 1 day" in said
        assert "A seed is seen once and never again" in said

    def test_hides_those_out_of_reach(self):
        set_enrolment_policy(Place(tenant=self.fabrikam), BUILT_IN, by=self.owner)
        assert "fabrikam" not in self.read(LIST, self.sia)
        assert "fabrikam" in self.read(LIST)


class WhenAPolicyIsRemoved(Scene):
    def test_the_page_says_what_applies_then_and_asks_for_a_code(self):
        made = set_enrolment_policy(Place(tenant=self.contoso), BUILT_IN, by=self.owner)
        page = reverse("tenants:enrolment_policy", args=[made.pk])
        assert "built into Latchkey applies here" in self.read(page)
        url = reverse("tenants:remove_enrolment_policy", args=[made.pk])
        assert Visitor(self.owner, fresh=False).post(url).status_code == 422
        assert Visitor(self.owner).post(url).status_code == 302
        assert not EnrolmentPolicy.objects.exists()
