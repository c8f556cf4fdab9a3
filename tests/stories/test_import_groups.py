"""Files fill tenant groups: whoever is given a group sees its tenants, and a file only ever puts tenants in."""

from __future__ import annotations

import pytest

from msp.errors import NotPermitted
from msp.ledger.models import Entry
from technicians.models import Role, Technician
from tenants.actions.put_in_group import put_in_group
from tenants.models import Tenant, TenantGroup
from tests.support.import_desk import PEOPLE, Desk, counts, entries
from tests.support.world import found_reseller

GROUPS = "group,tenant\n"


class Region(Desk):
    """Three tenants, of which none is in a group yet."""

    @pytest.fixture(autouse=True)
    def _tenants(self, _desk: None) -> None:
        self.contoso, self.fabrikam, self.tailspin = map(self.world.tenant, ("Contoso", "Fabrikam", "Tailspin"))

    def rows(self, *pairs: tuple[str, Tenant]) -> str:
        return GROUPS + "".join(f"{group},{tenant.default_domain}\n" for group, tenant in pairs)

    def members(self, group: str) -> set[Tenant]:
        return set(TenantGroup.objects.get(reseller=self.world.reseller, name=group).tenants.all())


class WhenTenantGroupsAreImported(Region):
    def test_a_group_is_made_and_filled_and_a_tenant_may_be_in_several(self):
        text = self.rows(("North", self.contoso), ("North", self.fabrikam), ("Big", self.contoso))
        assert counts(self.load("groups", text)) == (3, 0, 0, 0)
        assert self.members("North") == {self.contoso, self.fabrikam}
        assert self.members("Big") == {self.contoso}

    def test_a_tenant_is_named_by_id_as_well(self):
        self.load("groups", GROUPS + f"North,{self.contoso.directory_id}\n")
        assert self.members("North") == {self.contoso}

    def test_what_is_in_the_group_already_stays(self):
        put_in_group("North", [self.tailspin], by=self.owner)
        self.load("groups", self.rows(("North", self.contoso)))
        assert self.members("North") == {self.contoso, self.tailspin}

    def test_the_same_file_again_changes_nothing_and_writes_nothing_down(self):
        text = self.rows(("North", self.contoso), ("North", self.contoso), ("South", self.fabrikam))
        assert counts(self.load("groups", text)) == (2, 0, 1, 0)
        before = Entry.objects.count()
        assert counts(self.load("groups", text)) == (0, 0, 3, 0)
        assert Entry.objects.count() == before

    def test_a_manager_who_was_given_the_group_sees_its_tenants_from_then_on(self):
        self.load("technicians", PEOPLE + "mia@x.example,Mia,manager,North\n")
        assert not Tenant.objects.visible_to(Technician.objects.get(email="mia@x.example")).exists()
        self.load("groups", self.rows(("North", self.fabrikam)))
        mia = Technician.objects.get(email="mia@x.example")
        assert list(Tenant.objects.visible_to(mia)) == [self.fabrikam]

    def test_the_ledger_says_who_put_which_tenant_where(self):
        self.load("groups", self.rows(("North", self.contoso)))
        (said,) = entries("group.tenant_added")
        assert (said["actor"], said["tenant_id"]) == (self.owner.email, str(self.contoso.pk))
        assert said["facts"]["name"] == "North"
        assert [e["facts"]["name"] for e in entries("group.added")] == ["North"]

    def test_mistakes_are_named_by_line_and_column(self):
        text = GROUPS + (
            f",{self.contoso.default_domain}\n{'x' * 101},{self.contoso.default_domain}\n"
            f"a;b,{self.contoso.default_domain}\nNorth,nowhere.example\nNorth,\n"
        )
        assert self.errors("groups", text) == [(2, "group"), (3, "group"), (4, "group"), (5, "tenant"), (6, "tenant")]
        assert not self.load("groups", text).imported
        assert not TenantGroup.objects.exists()

    def test_a_group_whose_rows_are_all_wrong_is_not_made_by_a_partial_import(self):
        outcome = self.load("groups", GROUPS + "North,nowhere.example\n", partial=True)
        assert counts(outcome) == (0, 0, 0, 1)
        assert not TenantGroup.objects.exists()


class WhenSomebodyMayNotFillAGroup(Region):
    def test_who_sees_only_some_tenants_cannot_widen_what_they_see(self):
        put_in_group("North", [self.contoso], by=self.owner)
        group = TenantGroup.objects.get(name="North")
        mia = self.world.technician("Mia", Role.MANAGER, groups=[group])
        with pytest.raises(NotPermitted):
            self.load("groups", self.rows(("North", self.fabrikam)), by=mia)
        with pytest.raises(NotPermitted):
            put_in_group("North", [self.fabrikam], by=mia)
        assert self.members("North") == {self.contoso}

    def test_a_technician_may_not(self):
        with pytest.raises(NotPermitted):
            put_in_group("North", [self.contoso], by=self.world.technician("Ana"))
        assert not TenantGroup.objects.exists()

    def test_a_tenant_of_another_reseller_is_not_found(self):
        _elsewhere, stranger = found_reseller("Elsewhere", "otto@elsewhere.example")
        assert self.errors("groups", self.rows(("North", self.contoso)), by=stranger) == [(2, "tenant")]
        with pytest.raises(NotPermitted):
            put_in_group("North", [self.contoso], by=stranger)
        assert not TenantGroup.objects.exists()
