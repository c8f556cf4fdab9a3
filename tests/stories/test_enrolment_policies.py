"""Who may say in which ways technicians enrol, where it holds, and what the ledger says."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from msp.errors import BadInput, LedgerClosed, NotPermitted
from msp.ledger.models import Entry
from technicians.models import Role
from tenants.actions.set_enrolment_policy import RULES, facts_of, remove_enrolment_policy, set_enrolment_policy
from tenants.enrolment_policy_queries import built_in, enrolment_policies_of, enrolment_policy_at, enrolment_policy_of
from tenants.enrolment_policy_words import in_words, ways
from tenants.models import EnrolmentPolicy, TenantGroup
from tenants.password_plans import Place
from tests.pages.runs_stage import Office

pytestmark = pytest.mark.django_db

BUILT_IN = facts_of(EnrolmentPolicy())


def keeping(days: int, **facts: Any) -> dict[str, Any]:
    return BUILT_IN | {"keep_for_later_days": days} | facts


class Scene:
    """Contoso is in the groups Gold and Silver, Fabrikam in Silver; Mia manages all tenants, Sia those of Gold."""

    @pytest.fixture(autouse=True)
    def _scene(self, db: None) -> None:
        self.office = Office()
        self.owner = self.office.owner
        self.contoso, self.fabrikam = self.office.tenant("Contoso"), self.office.tenant("Fabrikam")
        self.admin, self.other = self.office.account(self.contoso), self.office.account(self.contoso, "second")
        self.far = self.office.account(self.fabrikam)
        self.gold, self.silver = self.group("Gold", self.contoso), self.group("Silver", self.contoso, self.fabrikam)
        self.mia = self.office.person("Mia", Role.MANAGER)
        self.sia = self.office.person("Sia", Role.MANAGER, groups=[self.gold])

    def group(self, name: str, *tenants: Any) -> TenantGroup:
        made = TenantGroup.objects.create(reseller=self.office.reseller, name=name)
        made.tenants.add(*tenants)
        return made

    def days(self) -> list[int]:
        """For how long a seed is kept on each of the three accounts."""
        accounts = [self.admin, self.other, self.far]
        found = enrolment_policies_of(accounts)
        return [found[account.pk].keep_for_later_days for account in accounts]

    def entries(self) -> list[Entry]:
        return list(Entry.objects.filter(verb__startswith="enrolment_policy.").order_by("pk"))


class WhenNobodyHasSetAny(Scene):
    def test_the_built_in_one_applies_and_keeps_nothing(self):
        policy = enrolment_policy_of(self.admin)
        assert (policy.our_seed, policy.microsoft_page, policy.kept_here) == (True, True, False)
        assert (policy.duplicates, policy.keep_for_later_days, policy.files) == (False, 0, False)
        assert EnrolmentPolicy.objects.count() == 0


class WhenPoliciesAreSet(Scene):
    def test_the_nearest_applies_to_each_account_as_a_whole(self):
        set_enrolment_policy(Place(), keeping(1, duplicates=True), by=self.owner)
        assert self.days() == [1, 1, 1]
        set_enrolment_policy(Place(group=self.silver), keeping(2), by=self.mia)
        assert self.days() == [2, 2, 2]
        assert not enrolment_policy_of(self.far).duplicates
        set_enrolment_policy(Place(group=self.gold), keeping(3), by=self.mia)
        assert self.days() == [3, 3, 2]
        set_enrolment_policy(Place(tenant=self.contoso), keeping(4), by=self.mia)
        assert self.days() == [4, 4, 2]
        set_enrolment_policy(Place(account=self.admin), keeping(5), by=self.mia)
        assert self.days() == [5, 4, 2]

    def test_it_takes_as_many_queries_for_one_account_as_for_many(self):
        set_enrolment_policy(Place(group=self.silver), keeping(2), by=self.mia)
        many = [self.office.account(self.contoso, f"admin-{number}") for number in range(20)]
        with CaptureQueriesContext(connection) as for_one:
            enrolment_policies_of([self.admin])
        with CaptureQueriesContext(connection) as for_many:
            enrolment_policies_of(many)
        assert len(for_one) == len(for_many)

    def test_another_resellers_policy_never_applies(self):
        stranger = Office("Tailspin IT")
        set_enrolment_policy(Place(), keeping(30), by=stranger.owner)
        assert self.days() == [0, 0, 0]

    def test_what_was_before_and_is_now_stands_in_the_ledger(self):
        set_enrolment_policy(Place(tenant=self.contoso), keeping(4), by=self.mia)
        set_enrolment_policy(Place(tenant=self.contoso), keeping(4, kept_here=True), by=self.mia)
        first, second = self.entries()
        assert (first.verb, first.tenant_id, first.actor_id) == (
            "enrolment_policy.set",
            self.contoso.pk,
            self.mia.pk,
        )
        assert (first.facts["was"], first.facts["now"]["keep_for_later_days"]) == (None, 4)
        assert (second.facts["was"]["kept_here"], second.facts["now"]["kept_here"]) == (False, True)

    def test_the_same_rules_again_change_nothing(self):
        for _ in range(2):
            set_enrolment_policy(Place(), keeping(4), by=self.owner)
        assert len(self.entries()) == 1

    def test_nothing_changes_that_cannot_be_written_down(self, monkeypatch: pytest.MonkeyPatch):
        def closed(*_: Any, **__: Any) -> None:
            raise LedgerClosed("The ledger cannot be written.")

        monkeypatch.setattr("tenants.actions.set_enrolment_policy.record", closed)
        with pytest.raises(LedgerClosed):
            set_enrolment_policy(Place(), keeping(4), by=self.owner)
        assert not EnrolmentPolicy.objects.exists()


class WhenAPolicyIsRemoved(Scene):
    def test_the_next_nearest_applies(self):
        set_enrolment_policy(Place(), keeping(1), by=self.owner)
        made = set_enrolment_policy(Place(tenant=self.contoso), keeping(4), by=self.mia)
        remaining = enrolment_policy_at(Place(tenant=self.contoso), reseller_id=made.reseller_id, without=made)
        assert remaining is not None
        remove_enrolment_policy(made, by=self.mia)
        assert self.days() == [remaining.keep_for_later_days] * 3
        assert self.entries()[-1].verb == "enrolment_policy.removed"

    def test_removing_it_twice_is_removing_it_once(self):
        made = set_enrolment_policy(Place(), keeping(1), by=self.owner)
        remove_enrolment_policy(EnrolmentPolicy.objects.get(pk=made.pk), by=self.owner)
        made = EnrolmentPolicy(pk=made.pk, reseller=self.office.reseller)
        remove_enrolment_policy(made, by=self.owner)
        assert len(self.entries()) == 2


class WhenTheRulesAreImpossible(Scene):
    def test_one_way_to_enrol_must_remain(self):
        none = BUILT_IN | {"our_seed": False, "microsoft_page": False, "kept_here": False}
        with pytest.raises(BadInput, match="at least one way"):
            set_enrolment_policy(Place(), none, by=self.owner)
        assert set_enrolment_policy(Place(), none | {"kept_here": True}, by=self.owner)

    @pytest.mark.parametrize(
        ("rule", "value"), [("keep_for_later_days", 31), ("minutes_on_screen", 1), ("minutes_on_screen", 61)]
    )
    def test_what_is_beyond_its_range_is_refused(self, rule: str, value: int):
        with pytest.raises(BadInput):
            set_enrolment_policy(Place(), BUILT_IN | {rule: value}, by=self.owner)
        assert not EnrolmentPolicy.objects.exists()


class WhoeverMayNotSetPolicies(Scene):
    def test_sets_and_removes_none(self):
        tess, made = self.office.person("Tess"), set_enrolment_policy(Place(), keeping(1), by=self.owner)
        for act in (
            lambda: set_enrolment_policy(Place(), keeping(2), by=tess),
            lambda: remove_enrolment_policy(made, by=tess),
            lambda: set_enrolment_policy(Place(), keeping(2), by=self.sia),
            lambda: set_enrolment_policy(Place(tenant=self.fabrikam), keeping(2), by=self.sia),
        ):
            with pytest.raises(NotPermitted):
                act()
        assert self.days() == [1, 1, 1]

    def test_but_a_manager_of_some_tenants_does_for_those(self):
        assert set_enrolment_policy(Place(tenant=self.contoso), keeping(2), by=self.sia)


class ThePolicyInWords:
    @pytest.mark.parametrize("rule", [rule for rule in RULES if isinstance(BUILT_IN[rule], bool)])
    def test_says_something_else_for_every_rule_that_is_on_or_off(self, rule: str):
        here = built_in(None)
        setattr(here, rule, not BUILT_IN[rule])
        assert in_words(here) != in_words(built_in(None))

    def test_states_the_risk_of_codes_kept_here(self):
        here = EnrolmentPolicy(kept_here=True)
        said = " ".join(sentence for _heading, sentences in in_words(here) for sentence in sentences)
        assert "password and the code from one place" in said
        assert ways(here).endswith("codes kept here")
