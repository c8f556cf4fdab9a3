"""A second device with the same seed: declared by its person, where the policy allows it, and gone with the first."""

from __future__ import annotations

import pytest

from msp.errors import BadInput, NotPermitted
from msp.ledger.models import Entry
from msp.simulator import totp
from technicians.actions.declare_duplicate import declare_duplicate, withdraw_duplicate
from technicians.models import Authenticator, DeclaredDuplicate, Technician
from technicians.seed_care_queries import duplicates_on
from tenants.actions.observe_account import observe_account
from tenants.actions.set_enrolment_policy import facts_of, set_enrolment_policy
from tenants.models import EnrolmentPolicy
from tenants.password_plans import Place
from tests.support.world import World


class Scene:
    """Ana and Ben hold Contoso's account, and the policy allows second devices."""

    @pytest.fixture(autouse=True)
    def _scene(self, world: World) -> None:
        self.world = world
        self.ana, self.ben = (world.technician(name) for name in ("Ana", "Ben"))
        self.account = world.account(world.tenant("Contoso"))
        world.give(self.account, self.ana, self.ben)
        self.bound: Authenticator = self.ana.authenticators.get()
        self.allow(True)

    def allow(self, yes: bool) -> None:
        rules = facts_of(EnrolmentPolicy()) | {"duplicates": yes}
        set_enrolment_policy(Place(tenant=self.account.tenant), rules, by=self.world.owner)

    def declare(self, label: str = "the tablet", *, by: Technician | None = None) -> DeclaredDuplicate:
        return declare_duplicate(self.bound, label=label, by=by or self.ana)


class WhenThePolicyAllowsIt(Scene):
    def test_its_person_declares_it_and_the_ledger_says_so(self):
        made = self.declare("  the   tablet in the drawer ")
        assert (str(made), made.declared_by) == ("the tablet in the drawer", self.ana)
        entry = Entry.objects.get(verb="duplicate.declared")
        assert entry.facts["label"] == "the tablet in the drawer"
        assert entry.technician_id == self.ana.pk

    def test_a_manager_may_say_it_for_somebody_and_a_colleague_may_not(self):
        assert self.declare(by=self.world.owner)
        with pytest.raises(NotPermitted):
            self.declare("the other", by=self.ben)

    def test_the_same_device_counts_once(self):
        self.declare()
        with pytest.raises(BadInput, match="declared for this authenticator already"):
            self.declare()
        assert DeclaredDuplicate.objects.count() == 1

    @pytest.mark.parametrize("label", ["", "   ", "x" * 101, "line\x00break"])
    def test_it_needs_a_name(self, label: str):
        with pytest.raises(BadInput, match="a name"):
            self.declare(label)

    def test_only_what_has_codes_can_be_on_two_devices(self):
        self.world.enrol(self.account, self.ana, "fido2")
        self.bound = self.ana.authenticators.get(method__kind="fido2")
        with pytest.raises(BadInput, match="with codes"):
            self.declare()

    def test_it_is_no_longer_counted_once_it_is_deleted_there(self):
        withdraw_duplicate(self.declare(), by=self.ana)
        assert duplicates_on(self.account, self.world.owner) == []
        assert Entry.objects.filter(verb="duplicate.withdrawn").exists()


class WhenThePolicyForbidsIt(Scene):
    def test_it_is_refused_with_what_to_do_instead(self):
        self.allow(False)
        with pytest.raises(BadInput, match="enrol it as an authenticator of its own"):
            self.declare()
        assert not DeclaredDuplicate.objects.exists()


class WhenTheAuthenticatorGoes(Scene):
    def test_both_devices_are_gone_with_the_one_method(self):
        self.declare()
        assert [str(one) for one in duplicates_on(self.account, self.world.owner)] == ["the tablet"]
        phone = self.world.phones[self.account.pk, self.ana.pk]
        there = self.world.directory_id(self.account)
        self.world.cloud.remove_method_as_person(there, self.account.object_id, phone.method_id)
        observe_account(self.account, outside=self.world.outside)
        assert duplicates_on(self.account, self.world.owner) == []
        both_show = totp.code(phone.seed, self.world.cloud.now().timestamp())
        name, password = self.account.user_principal_name, self.world.password_at_microsoft(self.account)
        assert not self.world.cloud.sign_in(there, name, password, both_show).session
        assert self.world.gets_in(self.account, self.ben)

    def test_none_can_be_declared_any_more(self):
        self.bound.method.removed_at = self.bound.bound_from
        self.bound.method.save()
        self.bound.refresh_from_db()
        with pytest.raises(BadInput, match="not on the account any more"):
            self.declare()


class WhoeverHoldsTheAccount(Scene):
    def test_sees_their_own_second_devices_and_no_colleagues(self):
        self.declare()
        assert duplicates_on(self.account, self.ben) == []
        assert len(duplicates_on(self.account, self.ana)) == 1
