"""What the preview of a departure knows: from the directory, from the vault's history, and from the last runs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from msp.errors import DirectoryError
from msp.simulator import administration
from technicians.actions.assign import assign
from technicians.actions.export_passwords import export_passwords
from technicians.actions.reveal_password import reveal_password
from technicians.departure_queries import plan_for
from technicians.difference_plans import snapshot
from technicians.models import Technician
from technicians.preview_plans import AccountPreview, Hindrance, Knows, Preview, Unread
from technicians.preview_queries import pace_of, preview_of
from tenants.actions.observe_account import observe_account
from tenants.actions.rotate import rotate
from tenants.models import Customer, SecretVersion, SharedAccount, Tenant
from tests.pages.runs_stage import Office
from tests.support.departures import Scene


class APreview(Scene):
    def preview(self, *leavers: Technician) -> Preview:
        people = list(leavers or (self.ana,))
        return preview_of(plan_for(people), people, reseller_id=self.world.reseller.pk)

    def of(self, account: SharedAccount, *leavers: Technician) -> AccountPreview:
        [found] = [a for a in self.preview(*leavers).accounts if a.holding.account_id == account.pk]
        return found

    def reveal(self, account: SharedAccount, person: Technician) -> None:
        reveal_password(person, account, reason="work", outside=self.world.outside)

    def observe(self, account: SharedAccount) -> None:
        """As the clock does: trouble leaves a finding behind."""
        account = SharedAccount.objects.select_related("tenant").get(pk=account.pk)
        try:
            observe_account(account, outside=self.world.outside)
        except DirectoryError:
            return

    def hindrances(self, account: SharedAccount) -> list[Any]:
        return [hindered.kind for hindered in self.of(account).hindrances]


class WhenItIsAskedWhatTheLeaverKnows(APreview):
    def knows(self, *leavers: Technician) -> tuple[Knows, Unread]:
        standing = self.of(self.contoso, *leavers).standing
        return standing.knows, standing.unread

    def test_what_was_shown_and_is_in_force_is_seen(self):
        self.reveal(self.contoso, self.ana)
        assert self.knows()[0] == Knows.SEEN

    def test_what_was_in_reach_and_never_fetched_could_have_been_seen(self):
        assert self.knows()[0] == Knows.COULD

    def test_what_was_changed_since_was_an_older_one(self):
        self.reveal(self.contoso, self.ana)
        self.ana.assignments.live().filter(account=self.contoso).update(until_at=timezone.now())
        self.world.work(rotate([self.contoso], by=self.owner, reason="it was time"))
        assert self.knows() == (Knows.NOT_READABLE, Unread.OLDER)

    def test_what_came_into_force_when_the_person_had_no_access_was_never_in_reach(self):
        SecretVersion.objects.filter(secret__account=self.contoso).update(created_at=timezone.now())
        self.ana.assignments.filter(account=self.contoso).update(
            from_at=timezone.now() - timedelta(days=2), until_at=timezone.now() - timedelta(days=1)
        )
        assert self.knows() == (Knows.NOT_READABLE, Unread.NEVER)

    def test_where_nobody_here_knows_a_password_it_says_so(self):
        account = SharedAccount.objects.create(
            reseller=self.world.reseller, tenant=self.contoso.tenant, user_principal_name="other@contoso.example",
            object_id="6f1e8b3c-0000-4000-8000-000000000001",
        )  # fmt: skip
        assign(self.ana, account, by=self.owner, reason="on the team")
        standing = self.of(account).standing
        assert (standing.knows, standing.unread) == (Knows.NOT_READABLE, Unread.NOT_HERE)

    def test_of_two_leavers_the_one_who_has_seen_it_counts(self):
        self.reveal(self.contoso, self.ben)
        assert self.knows()[0] == Knows.COULD
        assert self.knows(self.ana, self.ben)[0] == Knows.SEEN

    def test_a_file_with_the_passwords_counts_as_seen(self):
        export_passwords(
            [self.contoso], by=self.owner, reason="copy", passphrase="correct horse battery staple",
            outside=self.world.outside,
        )  # fmt: skip
        assert self.knows(self.owner)[0] == Knows.SEEN


class WhenTheDirectoryHasSomethingInTheWay(APreview):
    def test_an_ordinary_account_has_nothing(self):
        assert self.hindrances(self.contoso) == []

    def test_a_disabled_user(self):
        self.world.cloud.set_enabled(self.world.directory_id(self.contoso), self.contoso.object_id, False)
        self.observe(self.contoso)
        assert self.hindrances(self.contoso) == [Hindrance.DISABLED]

    def test_a_synced_one_keeps_its_password(self):
        directory = self.world.directory_id(self.contoso)
        administration.set_user(self.world.cloud, directory, self.contoso.object_id, {"synced": True})
        self.observe(self.contoso)
        assert self.hindrances(self.contoso) == [Hindrance.SYNCED]
        assert not self.of(self.contoso).rotates

    def test_a_user_made_anew_is_named_with_what_to_do(self):
        directory, name = self.world.directory_id(self.contoso), self.contoso.user_principal_name
        administration.remove_user(self.world.cloud, directory, name)
        self.world.cloud.add_user(directory, name.split("@")[0], password="Somebody-Elses-1!")
        self.observe(self.contoso)
        [hindered] = self.of(self.contoso).hindrances
        assert hindered.kind == Hindrance.GONE
        assert "put the account in anew" in hindered.means

    def test_a_tenant_without_consent_says_why(self):
        self.world.cloud.tenant(self.world.directory_id(self.contoso)).consents.clear()
        self.observe(self.contoso)
        [hindered] = self.of(self.contoso).hindrances
        assert hindered.kind == Hindrance.NO_CONNECTION
        assert not self.of(self.contoso).by_itself

    def test_a_tenant_that_is_not_ours_to_change_and_a_place_where_a_person_does_the_steps(self):
        Tenant.objects.filter(pk=self.contoso.tenant_id).update(hands_off=True)
        assert self.hindrances(self.contoso) == [Hindrance.HANDS_OFF]
        Tenant.objects.filter(pk=self.contoso.tenant_id).update(hands_off=False, system=Tenant.System.FIREWALL)
        assert self.hindrances(self.contoso) == [Hindrance.GUIDED]
        assert self.of(self.contoso).standing.guided == "Firewall"


class WhenTheTimeIsForetold(APreview):
    def test_it_is_assumed_before_the_first_run(self):
        assert self.preview().pace.measured_on == 0

    def test_and_measured_afterwards(self):
        run = self.world.offboard(self.ana).run
        self.world.work(run)
        pace = pace_of(self.world.reseller.pk)
        assert (pace.measured_on, pace.runs) == (2, 1)
        assert pace.seconds_per_account > 0
        assert pace.requests_per_account == 3
        assert self.preview(self.ben).expected.requests == 6

    def test_a_run_that_is_still_under_way_tells_nothing(self):
        run = self.world.offboard(self.ana).run
        self.world.work(run)
        run.targets.get(account=self.contoso).steps.filter(kind="prove").update(status="planned")
        assert pace_of(self.world.reseller.pk).measured_on == 0

    def test_another_resellers_runs_tell_nothing(self):
        run = self.world.offboard(self.ana).run
        self.world.work(run)
        assert pace_of(Office("Tailspin MSP").reseller.pk).measured_on == 0


@pytest.mark.django_db
class WhenThereAreManyAccounts:
    def test_the_preview_asks_the_database_no_more_often(self, django_assert_num_queries):
        asked = []
        for name, tenants in (("Small MSP", 2), ("Large MSP", 60)):
            office = Office(name)
            ana, ben = office.person("Ana"), office.person("Ben")
            office.held_by(ana, ben, tenants=tenants)
            plan = plan_for([ana])
            with django_assert_num_queries(10, exact=False) as counted:
                preview_of(plan, [ana], reseller_id=office.reseller.pk)
            asked.append(len(counted))
        assert asked[0] == asked[1]

    def test_what_a_request_keeps_of_it_is_small_and_holds_no_secret(self):
        office = Office()
        ana = office.person("Ana")
        office.held_by(ana, tenants=20)
        kept = str(snapshot(preview_of(plan_for([ana]), [ana], reseller_id=office.reseller.pk)))
        assert len(kept) / 20 < 600
        assert Customer.objects.count() == 20
        assert "sealed" not in kept
