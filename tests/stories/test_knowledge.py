"""A password that somebody who lost access knows must change, and says so until it has: told against a real cloud."""

from __future__ import annotations

import pytest
from django.db import transaction
from django.utils import timezone

from technicians.actions.assign import assign, end_assignment
from technicians.actions.reveal_password import reveal_password
from technicians.knowledge_plans import Verdict, must_change_since
from technicians.knowledge_queries import Outsider, rows_of
from technicians.models import Assignment, HandOverLink, Reveal
from tenants.actions.rotate import rotate
from tenants.actions.say_which_signs_in import say_which_signs_in
from tenants.actions.store_password import store_password
from tenants.models import SecretVersion
from tests.support.world import World

pytestmark = pytest.mark.django_db(transaction=True)


class Story:
    """Ana and Ben hold Contoso's account; Ana has fetched its password."""

    @pytest.fixture(autouse=True)
    def _story(self, world: World):
        self.world = world
        self.account = world.account(world.tenant("Contoso"))
        self.ana, self.ben = world.technician("Ana"), world.technician("Ben")
        world.give(self.account, self.ana, self.ben)
        self.fetch(self.ana)

    def fetch(self, person):
        return reveal_password(person, self.account, reason="ticket 42", outside=self.world.outside)

    def verdicts(self):
        """Name (the owner, who imported everything, left out) -> verdict."""
        rows = [row for row in rows_of([self.account]) if row.technician != self.world.owner]
        return {str(row.technician or row.recipient): row.knowledge.verdict for row in rows}

    def must_change(self):
        return must_change_since(row.knowledge for row in rows_of([self.account])) is not None

    def end_anas_access(self):
        end_assignment(Assignment.objects.get(technician=self.ana), by=self.world.owner)

    def rotate(self):
        run = rotate([self.account], by=self.world.owner, reason="she knew it")
        self.world.work(run)
        return run

    def every_change_of_a_password(self, **fault):
        self.world.cloud.faults.plan(method="PATCH", path=r"/v1\.0/users/[^/]+$", times=20, **fault)

    def enter(self, password):
        store_password(
            self.account, password, by=self.world.owner, outside=self.world.outside, source="entered", note="by hand"
        )


class WhenSomebodyLosesAccess(Story):
    def test_a_password_that_nobody_lost_needs_no_change(self):
        assert not self.must_change()

    def test_the_password_she_knows_must_change(self):
        self.end_anas_access()
        assert self.must_change()

    def test_one_that_she_never_fetched_need_not(self):
        end_assignment(Assignment.objects.get(technician=self.ben), by=self.world.owner)
        assert not self.must_change()

    def test_a_verified_change_to_another_value_clears_it(self):
        self.end_anas_access()
        run = self.rotate()
        assert self.world.steps(run)["rotate_password"] == "verified"
        assert not self.must_change()
        assert self.verdicts() == {"Ana": Verdict.GONE, "Ben": Verdict.COULD}

    def test_her_departure_clears_it_by_the_rotation_of_its_own_run(self):
        run = self.world.offboard(self.ana).run
        assert self.must_change()
        self.world.work(run)
        assert not self.must_change()


class WhenItMustChange(Story):
    @pytest.fixture(autouse=True)
    def _must_change(self, _story):
        self.end_anas_access()
        assert self.must_change()

    def test_an_edit_of_account_tenant_or_customer_leaves_it_so(self):
        self.account.owner, self.account.justification = "Olga", "needed"
        self.account.save()
        self.account.tenant.customer.name = "Contoso Holding"
        self.account.tenant.customer.save()
        self.account.tenant.save()
        assert self.must_change()

    def test_a_new_assignment_of_somebody_else_leaves_it_so(self):
        assign(self.world.technician("Cid"), self.account, by=self.world.owner, reason="joins")
        assert self.must_change()

    def test_giving_her_the_account_again_leaves_it_so(self):
        assign(self.ana, self.account, by=self.world.owner, reason="is back")
        assert self.must_change()
        assert self.verdicts()["Ana"] == Verdict.VALID

    def test_a_refused_rotation_leaves_it_so(self):
        self.every_change_of_a_password(kind="status", status=403)
        run = self.rotate()
        assert self.world.steps(run)["rotate_password"] == "refused"
        assert self.must_change()

    def test_a_rotation_that_could_not_be_read_back_leaves_it_so(self):
        self.every_change_of_a_password(kind="lie")
        run = self.rotate()
        assert self.world.steps(run)["rotate_password"] == "unverified"
        assert self.must_change()

    def test_the_same_value_entered_by_hand_leaves_it_so(self):
        self.enter(self.world.passwords_known(self.account)["current"])
        assert self.must_change()

    def test_another_value_entered_by_hand_leaves_it_so_because_nothing_is_proven(self):
        self.enter("Another-Value-2026!")
        assert self.must_change()
        assert self.verdicts()["Ana"] == Verdict.VALID

    def test_a_persons_word_about_which_one_signs_in_leaves_it_so(self):
        secret = self.account.secret
        on_its_way = SecretVersion(reseller=self.world.reseller, secret=secret, number=2, status="unverified")
        with transaction.atomic():
            on_its_way.sealed = self.world.outside.vault.seal(b"On-Its-Way-2026!", on_its_way.place)
            on_its_way.save()
        assert self.must_change()
        say_which_signs_in(on_its_way, by=self.world.owner, reason="tried it")
        assert self.must_change()

    def test_going_back_to_the_value_she_knows_brings_it_back(self):
        old = self.world.passwords_known(self.account)["current"]
        self.rotate()
        assert not self.must_change()
        self.enter(old)
        assert self.must_change()
        assert self.verdicts()["Ana"] == Verdict.VALID


class WhenSomethingIsKnownWithoutAFetch(Story):
    def test_who_gave_latchkey_the_password_knows_it(self):
        (owner,) = [row for row in rows_of([self.account]) if row.technician == self.world.owner]
        assert owner.knowledge.verdict == Verdict.VALID
        assert [str(seen.how) for seen in owner.newest_first] == ["imported"]

    def test_somebody_outside_who_opened_a_link_knows_it_too(self):
        version = self.account.secret.versions.get()
        now = timezone.now()
        HandOverLink.objects.create(
            reseller=self.world.reseller, version=version, made_by=self.ana, recipient="Carl at Contoso",
            reason="moves in", finder=b"f" * 32, ciphertext=b"", expires_at=now, opened_at=now,
        )  # fmt: skip
        assert self.verdicts()["Carl at Contoso"] == Verdict.VALID
        assert not self.must_change()
        self.rotate()
        assert self.verdicts()["Carl at Contoso"] == Verdict.GONE

    def test_a_link_that_nobody_opened_told_nobody(self):
        version = self.account.secret.versions.get()
        HandOverLink.objects.create(
            reseller=self.world.reseller, version=version, made_by=self.ana, recipient="Carl", reason="moves in",
            finder=b"f" * 32, ciphertext=b"sealed", expires_at=timezone.now(),
        )  # fmt: skip
        people = [row.knowledge.person for row in rows_of([self.account])]
        assert not any(isinstance(person, Outsider) for person in people)


class WhenAPasswordWasFetchedOften(Story):
    def test_one_line_tells_how_often_and_what_for_last(self):
        self.fetch(self.ana)
        Reveal.objects.filter(technician=self.ana).order_by("-at").first().delete()
        reveal_password(self.ana, self.account, reason="the newest reason", outside=self.world.outside)
        (ana,) = [row for row in rows_of([self.account]) if row.technician == self.ana]
        (line,) = ana.newest_first
        assert (line.times, line.reason) == (2, "the newest reason")
        assert line.first_at < line.last_at

    def test_ten_accounts_cost_as_many_queries_as_one(self, django_assert_max_num_queries):
        tenant = self.world.tenant("Fabrikam")
        many = [self.world.account(tenant, name=f"admin{n}") for n in range(9)]
        for account in many:
            assign(self.ana, account, by=self.world.owner, reason="on the team")
        with django_assert_max_num_queries(5):
            assert len(rows_of([self.account, *many])) == 21
