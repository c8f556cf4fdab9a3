"""Who may set a password policy where, what becomes of it, and what the ledger says."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from django.utils import timezone

from msp.errors import BadInput, LedgerClosed, NotPermitted
from msp.ledger.models import Entry
from technicians.models import Role
from tenants.actions.demand_change import demand_change
from tenants.actions.set_policy import may_set, remove_policy, set_policy
from tenants.models import ChangeDemand, PasswordPolicy, Secret, SharedAccount, TenantGroup
from tenants.password_plans import BUILT_IN, Place, Rules
from tenants.policy_queries import policies_of, policy_at, policy_of
from tests.pages.runs_stage import Office
from tests.support.closed_ledger import close_the_ledger

pytestmark = pytest.mark.django_db

YEARLY, QUARTERLY, MONTHLY = (Rules(rotate_every_days=days) for days in (365, 90, 30))


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

    def days(self) -> list[Any]:
        """The schedule that applies to the three accounts."""
        accounts = [self.admin, self.other, self.far]
        found = policies_of(accounts)
        return [found[account.pk].rules.rotate_every_days for account in accounts]

    def next_change(self, account: SharedAccount) -> Any:
        return Secret.objects.get(account=account).next_change_at

    def entries(self) -> list[Any]:
        found = Entry.objects.filter(verb__startswith="policy.").order_by("pk")
        return [(entry, json.loads(bytes(entry.body))["facts"]) for entry in found]


class WhenPoliciesAreSet(Scene):
    def test_the_nearest_applies_to_each_account(self):
        assert self.days() == [None, None, None]
        set_policy(Place(), YEARLY, by=self.owner)
        assert self.days() == [365, 365, 365]
        set_policy(Place(group=self.silver), QUARTERLY, by=self.mia)
        assert self.days() == [90, 90, 90]
        set_policy(Place(group=self.gold), MONTHLY, by=self.mia)
        assert self.days() == [30, 30, 90]
        set_policy(Place(tenant=self.contoso), Rules(rotate_every_days=7), by=self.mia)
        assert self.days() == [7, 7, 90]
        set_policy(Place(account=self.admin), Rules(), by=self.mia)
        assert self.days() == [None, 7, 90]

    def test_the_next_change_of_every_account_concerned_is_planned_and_of_no_other(self):
        set_policy(Place(tenant=self.contoso), QUARTERLY, by=self.mia)
        in_force: Any = self.admin.secret.versions.get().current_from
        assert self.next_change(self.admin) == in_force + dt.timedelta(days=90)
        assert self.next_change(self.other) is not None
        assert self.next_change(self.far) is None
        set_policy(Place(group=self.silver), YEARLY, by=self.mia)
        assert self.next_change(self.far) is not None
        assert self.next_change(self.admin) == in_force + dt.timedelta(days=90)

    def test_quiet_hours_move_what_was_demanded_before(self):
        now = timezone.now()
        demand_change(self.admin, ChangeDemand.Because.PERSON)
        assert self.next_change(self.admin) <= timezone.now()
        quiet = Rules(
            quiet_from=(now - dt.timedelta(hours=2)).time().replace(second=0, microsecond=0),
            quiet_until=(now + dt.timedelta(hours=2)).time().replace(second=0, microsecond=0),
        )
        set_policy(Place(account=self.admin), quiet, by=self.mia)
        assert self.next_change(self.admin) > now + dt.timedelta(hours=1, minutes=58)

    def test_a_break_glass_account_gets_no_next_change(self):
        SharedAccount.objects.filter(pk=self.admin.pk).update(break_glass=True)
        set_policy(Place(), MONTHLY, by=self.owner)
        assert self.next_change(self.admin) is None
        assert self.next_change(self.other) is not None

    def test_every_rule_comes_back_as_it_was_set(self):
        rules = Rules(
            style="words", words=7, classes=("lower", "upper", "digits"), look_alikes=True, forbid_names=False,
            forbidden_parts=("winter", "acme"), rotate_every_days=10, rotate_after_reveal=True, hours_after_reveal=3,
            rotate_after_check_in=False, rotate_after_assignment_end=False, rotate_after_drift=True,
            quiet_from=dt.time(22), quiet_until=dt.time(6, 30), quiet_zone="Europe/Berlin", stagger_minutes=20,
            sign_in_probe=True, asks="ticket", ticket_pattern="INC#", reveals_per_hour=5, check_out_required=True,
            check_out_minutes=90,
        )  # fmt: skip
        set_policy(Place(account=self.admin), rules, by=self.mia)
        assert policy_of(self.admin).rules == rules

    def test_setting_again_replaces_it(self):
        first = set_policy(Place(), YEARLY, by=self.owner)
        assert set_policy(Place(), MONTHLY, by=self.mia).pk == first.pk
        kept = PasswordPolicy.objects.get()
        assert (kept.rotate_every_days, kept.changed_by) == (30, self.mia)

    def test_the_same_again_changes_and_records_nothing(self):
        set_policy(Place(), YEARLY, by=self.owner)
        set_policy(Place(), YEARLY, by=self.mia)
        assert PasswordPolicy.objects.get().changed_by == self.owner
        assert len(self.entries()) == 1

    def test_a_thousand_accounts_are_planned_in_batches(self, django_assert_max_num_queries):
        SharedAccount.objects.bulk_create(
            SharedAccount(reseller=self.office.reseller, tenant=self.fabrikam, user_principal_name=f"u{n}@f.example")
            for n in range(1000)
        )
        Secret.objects.bulk_create(
            Secret(reseller=self.office.reseller, account=account, next_change_at=timezone.now())
            for account in SharedAccount.objects.filter(secret=None)
        )
        with django_assert_max_num_queries(40):
            set_policy(Place(), YEARLY, by=self.owner)
        assert not Secret.objects.filter(account__user_principal_name__startswith="u", next_change_at__isnull=False)


class WhenAPolicyIsRemoved(Scene):
    def test_the_next_nearest_applies_and_the_next_changes_are_planned_by_it(self):
        set_policy(Place(), YEARLY, by=self.owner)
        near = set_policy(Place(tenant=self.contoso), MONTHLY, by=self.mia)
        remove_policy(near, by=self.mia)
        assert self.days() == [365, 365, 365]
        assert self.next_change(self.admin) > timezone.now() + dt.timedelta(days=300)

    def test_after_the_last_one_the_built_in_one_applies(self):
        only = set_policy(Place(), MONTHLY, by=self.owner)
        remove_policy(only, by=self.owner)
        assert policy_of(self.admin).rules == BUILT_IN
        assert self.next_change(self.admin) is None

    def test_removing_it_twice_records_it_once(self):
        only = set_policy(Place(), MONTHLY, by=self.owner)
        twice = PasswordPolicy.objects.get()
        remove_policy(only, by=self.owner)
        remove_policy(twice, by=self.owner)
        assert [entry.verb for entry, _facts in self.entries()] == ["policy.set", "policy.removed"]

    def test_what_would_apply_then_is_known_before(self):
        set_policy(Place(), YEARLY, by=self.owner)
        near = set_policy(Place(group=self.gold), MONTHLY, by=self.mia)
        for place in (Place(group=self.gold), Place(tenant=self.contoso), Place(account=self.admin)):
            found = policy_at(place, reseller_id=self.office.reseller.pk, without=near)
            assert found.rules.rotate_every_days == 365


class WhoMaySetAPolicy(Scene):
    @pytest.mark.parametrize("role", [Role.TECHNICIAN, Role.AUDITOR, Role.CUSTOMER_CONTACT])
    def test_is_no_technician_auditor_or_contact(self, role: str):
        facts = {"customer": self.contoso.customer} if role == Role.CUSTOMER_CONTACT else {}
        person = self.office.person("Tess", role, **facts)
        policy = set_policy(Place(), YEARLY, by=self.owner)
        for place in (Place(), Place(tenant=self.contoso)):
            with pytest.raises(NotPermitted, match="Your role"):
                set_policy(place, MONTHLY, by=person)
            assert not may_set(person, place)
        with pytest.raises(NotPermitted, match="Your role"):
            remove_policy(policy, by=person)
        assert self.days() == [365, 365, 365]

    def test_sets_one_only_inside_the_own_groups(self):
        inside = [Place(group=self.gold), Place(tenant=self.contoso), Place(account=self.admin)]
        beyond = [Place(), Place(group=self.silver), Place(tenant=self.fabrikam), Place(account=self.far)]
        for place in inside:
            assert may_set(self.sia, place)
            set_policy(place, MONTHLY, by=self.sia)
        for place in beyond:
            assert not may_set(self.sia, place)
            with pytest.raises(NotPermitted, match="accounts that you do not see"):
                set_policy(place, MONTHLY, by=self.sia)

    def test_removes_one_only_inside_the_own_groups(self):
        for place in (Place(), Place(group=self.silver)):
            with pytest.raises(NotPermitted):
                remove_policy(set_policy(place, MONTHLY, by=self.owner), by=self.sia)
        remove_policy(set_policy(Place(group=self.gold), MONTHLY, by=self.owner), by=self.sia)
        assert self.days() == [30, 30, 30]

    def test_is_of_the_same_reseller(self):
        stranger = Office("Tailspin Systems").owner
        for place in (Place(group=self.gold), Place(tenant=self.contoso), Place(account=self.admin)):
            with pytest.raises(NotPermitted):
                set_policy(place, MONTHLY, by=stranger)
        set_policy(Place(), MONTHLY, by=stranger)
        assert self.days() == [None, None, None]


class WhoSeesAPolicy(Scene):
    def test_sees_every_one_that_could_apply_to_what_is_theirs(self):
        ben = self.office.person("Ben")
        self.office.assign(self.admin, ben)
        near = [Place(), Place(group=self.silver), Place(tenant=self.contoso), Place(account=self.admin)]
        wanted = {set_policy(place, MONTHLY, by=self.owner).pk for place in near}
        for place in (Place(tenant=self.fabrikam), Place(account=self.other), Place(account=self.far)):
            set_policy(place, YEARLY, by=self.owner)
        assert set(PasswordPolicy.objects.visible_to(ben).values_list("pk", flat=True)) == wanted


class WhenTheRulesCannotBe(Scene):
    @pytest.mark.parametrize(
        ("rules", "said"),
        [
            (Rules(classes=("lower", "upper")), "three of the four"),
            (Rules(forbidden_parts=("ab",)), "too short"),
            (Rules(length=11), "Characters"),
            (Rules(length=129), "Characters"),
            (Rules(style="words", words=4), "Words"),
            (Rules(rotate_every_days=0), "Change every"),
            (Rules(stagger_minutes=0), "Minutes between"),
            (Rules(style="runes"), "Made of"),
            (Rules(quiet_from=dt.time(8)), "give both, or neither"),
            (Rules(quiet_from=dt.time(8), quiet_until=dt.time(8)), "the whole day or nothing"),
            (Rules(quiet_zone="Atlantis/Center"), "no time zone"),
        ],
    )
    def test_they_are_refused_by_name_and_what_was_there_still_stands(self, rules: Rules, said: str):
        set_policy(Place(), YEARLY, by=self.owner)
        with pytest.raises(BadInput, match=said):
            set_policy(Place(), rules, by=self.owner)
        assert policy_of(self.admin).rules == YEARLY
        assert len(self.entries()) == 1


class WhatTheLedgerSays(Scene):
    def test_is_who_where_what_was_and_what_is_now(self):
        set_policy(Place(tenant=self.contoso), YEARLY, by=self.mia)
        set_policy(Place(tenant=self.contoso), MONTHLY, by=self.owner)
        remove_policy(PasswordPolicy.objects.get(), by=self.mia)
        found = self.entries()
        assert [(entry.verb, entry.actor) for entry, _facts in found] == [
            ("policy.set", self.mia.email),
            ("policy.set", self.owner.email),
            ("policy.removed", self.mia.email),
        ]
        assert {entry.tenant_id for entry, _facts in found} == {self.contoso.pk}
        told = [(facts["was"], facts["now"]) for _entry, facts in found]
        schedules = [[side and side["rotate_every_days"] for side in sides] for sides in told]
        assert schedules == [[None, 365], [365, 30], [30, None]]

    def test_names_the_group_the_account_and_times_in_plain_words(self):
        set_policy(Place(group=self.gold), Rules(quiet_from=dt.time(22), quiet_until=dt.time(6, 5)), by=self.mia)
        set_policy(Place(account=self.admin), Rules(forbidden_parts=("winter",)), by=self.mia)
        [(_first, of_group), (second, of_account)] = self.entries()
        assert (of_group["group"], of_group["place"]) == (str(self.gold.pk), "Gold")
        assert (of_group["now"]["quiet_from"], of_group["now"]["quiet_until"]) == ("22:00", "06:05")
        assert (second.account_id, second.tenant_id) == (self.admin.pk, self.contoso.pk)
        assert of_account["now"]["forbidden_parts"] == ["winter"]

    def test_when_it_cannot_be_written_nothing_changes(self, monkeypatch: pytest.MonkeyPatch):
        policy = set_policy(Place(), YEARLY, by=self.owner)
        close_the_ledger(monkeypatch)
        with pytest.raises(LedgerClosed):
            set_policy(Place(), MONTHLY, by=self.owner)
        with pytest.raises(LedgerClosed):
            remove_policy(policy, by=self.owner)
        assert self.days() == [365, 365, 365]
