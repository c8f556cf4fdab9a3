"""What must never be is refused by the database itself, whoever writes."""

from __future__ import annotations

import datetime as dt
import uuid

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from technicians.models import Assignment, Authenticator
from tenants.models import Lease, Method, Reseller, Secret, SecretVersion, Target
from tests.support.world import World, found_reseller

pytestmark = pytest.mark.usefixtures("world")


@pytest.fixture
def account(world: World):
    account = world.account(world.tenant("Contoso"))
    world.give(account, world.technician("Ana"), world.technician("Ben"))
    return account


def refused_at_once(write) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        write()


def refused_at_commit(write) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        write()
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


class ASecret:
    def test_has_one_version_in_force(self, world, account):
        secret = account.secret
        refused_at_once(
            lambda: SecretVersion.objects.create(
                reseller=world.reseller,
                secret=secret,
                number=99,
                status="current",
                current_from=timezone.now(),
                sealed=b"x",
            )
        )

    def test_has_one_candidate(self, world, account):
        make = {"reseller": world.reseller, "secret": account.secret, "sealed": b"x"}
        SecretVersion.objects.create(number=98, status="candidate", **make)
        refused_at_once(lambda: SecretVersion.objects.create(number=99, status="unverified", **make))


class AMethod:
    def test_is_bound_to_one_person(self, world, account):
        method = Method.objects.filter(account=account, authenticator__isnull=False).first()
        other = world.technician("Cid")
        refused_at_once(
            lambda: Authenticator.objects.create(
                reseller=world.reseller, method=method, technician=other, proof="imported"
            )
        )

    def test_is_present_once(self, world, account):
        method = Method.objects.filter(account=account).first()
        method.pk = None
        refused_at_once(
            lambda: Method.objects.create(
                reseller=world.reseller,
                account=account,
                kind=method.kind,
                directory_id=method.directory_id,
                first_seen_at=timezone.now(),
                last_seen_at=timezone.now(),
            )
        )


class AnAssignment:
    @pytest.mark.parametrize(("start", "end"), [(-5, None), (-5, 5), (0, 1)])
    def test_never_overlaps_another_of_the_same_person(self, world, account, start, end):
        ana = account.assignments.get(technician__name="Ana").technician
        now = timezone.now() + dt.timedelta(hours=1)
        refused_at_once(
            lambda: Assignment.objects.create(
                reseller=world.reseller,
                technician=ana,
                account=account,
                from_at=now + dt.timedelta(days=start),
                until_at=None if end is None else now + dt.timedelta(days=end),
            )
        )


class AnAccount:
    def test_has_one_lease(self, world, account):
        run = world.offboard(account.assignments.get(technician__name="Ana").technician).run
        target = Target.objects.get(run=run)
        make = {"account": account, "target": target, "holder": uuid.uuid4(), "until": timezone.now()}
        Lease.objects.create(**make)
        refused_at_once(lambda: Lease.objects.create(**make))


class ARowOfAnotherReseller:
    @pytest.fixture
    def foreign(self):
        return found_reseller("Other MSP", "other@elsewhere.example")

    def test_cannot_be_assigned(self, world, account, foreign):
        refused_at_commit(
            lambda: Assignment.objects.create(reseller=world.reseller, technician=foreign[1], account=account)
        )

    def test_cannot_take_our_account_into_its_books(self, account, foreign):
        refused_at_commit(lambda: Secret.objects.filter(account=account).update(reseller=foreign[0]))

    def test_cannot_be_reached_by_moving_a_tenant(self, account, foreign):
        def move() -> None:
            account.tenant.reseller = foreign[0]
            account.tenant.save()

        refused_at_commit(move)

    def test_is_seen_by_nobody_here(self, world, foreign):
        assert Reseller.objects.count() == 2
        assert list(Reseller.objects.visible_to(world.owner)) == [world.reseller]
        assert list(type(foreign[1]).objects.visible_to(world.owner)) == [world.owner]


class ALedgerEntry:
    def test_cannot_be_changed_or_deleted(self, world, account):
        for statement in ("UPDATE ledger_entry SET verb = 'x'", "DELETE FROM ledger_entry"):
            with pytest.raises(Exception, match=r"."), transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(statement)
