"""Two resellers with the same cast, for the tests that walk every address: who sees what, and who must not."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from django.contrib.auth.hashers import make_password
from django.urls import reverse
from django.utils import timezone

from msp import outside as composition
from msp.access import fresh
from technicians.actions.ask_for_rehearsal import ask_for_rehearsal
from technicians.actions.ask_to_enrol import ask_to_enrol
from technicians.actions.assign import assign
from technicians.actions.claim_method import claim
from technicians.actions.compare_codes import ask_for_check
from technicians.actions.declare_duplicate import declare_duplicate
from technicians.actions.enrol import begin_enrolment
from technicians.actions.exit_customer import exit_customer
from technicians.actions.hand_over import make_link
from technicians.actions.keep_upload import keep_upload
from technicians.actions.rehearse import rehearse
from technicians.actions.start_take_over import start_take_over
from technicians.models import Authenticator, BulkEnrolment, EnrolmentRequest, Role, TakeOverTask, Technician
from tenants.actions.add_accounts import NewAccount, add_accounts
from tenants.actions.add_place import NewPlace, add_place
from tenants.actions.alarms import raise_alarm
from tenants.actions.observe_account import observe_account
from tenants.actions.set_enrolment_policy import facts_of, set_enrolment_policy
from tenants.actions.set_policy import set_policy
from tenants.check_facts import CheckItem, CheckState, worst_of
from tenants.models import (
    Alarm,
    Customer,
    CustomerExit,
    EnrolmentPolicy,
    Method,
    SharedAccount,
    Step,
    Tenant,
    TenantCheck,
    TenantGroup,
)
from tenants.password_plans import Place, Rules
from tenants.plans import StepState
from tests.support.rehearsals import foretell
from tests.support.source import Address
from tests.support.world import World, found_reseller

ROLES = ("owner", "manager", "scoped manager", "technician", "auditor", "customer contact")
SOME_PASSWORD = make_password(secrets.token_hex())
"""Nobody types it; a person without any is sent to choose one. Hashing takes long, so once is enough."""
BUILT_IN = facts_of(EnrolmentPolicy())
"""The enrolment policy that nobody has set."""
NARROW = ("scoped manager", "technician", "customer contact")
"""Those who do not see every tenant of their reseller."""


@dataclass
class Corner:
    """One tenant and an object of every kind in it: what an address can name, by the name of its parameter.

    `word` stands in the name of everything here, so that a page which shows a bit of it can be caught.
    """

    word: str
    tenant: Tenant
    account: SharedAccount
    objects: dict[str, Any] = field(default_factory=dict)


@dataclass
class Side:
    """One reseller: a corner that everybody of it may see, one that the narrow roles may not, and the people."""

    here: Corner
    hidden: Corner
    people: dict[str, Technician]
    uploads: dict[str, Any]

    def own_objects(self, role: str) -> dict[str, Any]:
        """A technician and a contact see no page of a person but their own; a file is seen by who chose it alone."""
        own = self.here.objects | ({"upload_id": self.uploads[role]} if role in self.uploads else {})
        return own | ({"technician_id": self.people[role].pk} if role in ("technician", "customer contact") else {})


def make_side(world: World, here: str, hidden: str) -> Side:
    tess = world.technician(f"Tess-{here}")
    seen = make_corner(world, here, enrols=tess)
    unseen = make_corner(world, hidden, enrols=world.technician(f"Hugo-{hidden}"))
    group = TenantGroup.objects.get(pk=seen.objects["group_id"])
    people = {
        "owner": world.owner,
        "manager": world.technician(f"Mo-{here}", Role.MANAGER),
        "scoped manager": world.technician(f"Sia-{here}", Role.MANAGER, groups=[group]),
        "technician": tess,
        "auditor": world.technician(f"Aud-{here}", Role.AUDITOR),
        "customer contact": world.technician(f"Carl-{here}", Role.CUSTOMER_CONTACT, customer=seen.tenant.customer),
    }
    Technician.objects.filter(reseller=world.reseller).update(password=SOME_PASSWORD)
    for person in people.values():
        person.refresh_from_db()
    uploads = {role: make_upload(world, seen.tenant, by=p) for role, p in people.items() if p.may("import")}
    return Side(seen, unseen, people, uploads)


def make_corner(world: World, word: str, *, enrols: Technician) -> Corner:
    """A tenant whose account Lea leaves and Ben keeps, while `enrols` gets an authenticator of their own there."""
    lea, ben = world.technician(f"Lea-{word}"), world.technician(f"Ben-{word}")
    tenant = world.tenant(word)
    account = world.account(tenant)
    world.give(account, lea, ben)
    assign(enrols, account, by=world.owner, reason=f"helps at {word}")
    enrolment = begin_enrolment(enrols, account, by=world.owner, outside=world.outside)
    handed_over = make_link(
        enrols,
        account,
        recipient=f"somebody at {word}",
        reason=f"{word} asked for it",
        life=dt.timedelta(hours=1),
        outside=world.outside,
    ).link
    policy = set_enrolment_policy(Place(tenant=tenant), BUILT_IN | {"duplicates": True}, by=world.owner)
    tablet = declare_duplicate(ben.authenticators.get(), label=f"the tablet at {word}", by=ben)
    [asked] = ask_to_enrol(enrols, [account], because=EnrolmentRequest.Because.ASSIGNED, by=world.owner)
    unknown, claimed = old_methods(world, account, word, of=enrols)
    taken_over = start_take_over(
        f"Take-over of {word}",
        [account],
        by=world.owner,
        due_on=timezone.localdate(),
        reason=word,
        outside=world.outside,
    )
    rehearsal = rehearse(ask_for_rehearsal(lea, by=world.owner), play=foretell)
    assert rehearsal is not None
    place_objects = make_place(world, tenant, word, lea, enrols)
    run = world.offboard(lea, reason=f"left {word}").run
    step = Step.objects.get(target__run=run, kind="remove_method")
    step.advance(StepState.SENDING)
    step.advance(StepState.REFUSED, problem=f"{word} says no.")
    keep_a_check(world, tenant, account)
    group = TenantGroup.objects.create(reseller=world.reseller, name=f"Group {word}")
    group.tenants.add(tenant, place_objects["place_id"])
    return Corner(word, tenant, account, {
        "tenant_id": tenant.pk,
        "account_id": account.pk,
        "group_id": group.pk,
        "policy_id": set_policy(Place(tenant=tenant), Rules(forbidden_parts=(word,)), by=world.owner).pk,
        "enrolment_policy_id": policy.pk,
        "duplicate_id": tablet.pk,
        "check_id": ask_for_check(account, enrols, ben, by=ben).pk,
        "take_over_id": taken_over.pk,
        "task_id": TakeOverTask.objects.get(take_over_account__take_over=taken_over, technician=enrols).pk,
        "method_id": unknown.pk,
        "authenticator_id": claimed.pk,
        "run_id": run.pk,
        "departure_id": run.departure_request.pk,
        "exit_id": make_exit(world, word, group).pk,
        "rehearsal_id": rehearsal.pk,
        "target_id": step.target_id,
        "step_id": step.pk,
        "alarm_id": raise_alarm(run, Alarm.Kind.HALF, detail=f"Half of the time at {word} is gone.").pk,
        "technician_id": ben.pk,
        "request_id": asked.pk,
        "token": "not-a-token",
        **place_objects,
        "hand_step_id": Step.objects.get(
            target__run=run, kind="rotate_password", target__account=place_objects["place_account_id"]
        ).pk,
        "assignment_id": ben.assignments.get().pk,
        "enrolment_id": enrolment.pk,
        "bulk_id": make_bulk(enrols).pk,
        "link_id": handed_over.pk,
        "upload_id": make_upload(world, tenant, by=world.technician(f"Ina-{word}", Role.MANAGER)),
    })  # fmt: skip


def old_methods(world: World, account: SharedAccount, word: str, *, of: Technician) -> tuple[Method, Authenticator]:
    """Two that were there before Latchkey: one is nobody's, the other somebody's by their own word."""
    for label in (f"An old phone at {word}", f"{of.name}'s old phone"):
        world.cloud.register(world.directory_id(account), account.object_id, "fido2", label)
    observe_account(account, outside=world.outside)
    unknown, known = account.methods.unknown().filter(kind="fido2").order_by("label")
    said = claim(known, of, by=of, proof=Authenticator.Proof.CLAIMED, outside=world.outside)
    return unknown, said


def make_exit(world: World, word: str, group: TenantGroup) -> CustomerExit:
    """Another customer goes, and its run has not done anything yet."""
    customer = Customer.objects.create(reseller=world.reseller, name=f"Gone {word}")
    tenant = Tenant.objects.create(
        reseller=world.reseller, customer=customer, directory_id=uuid4(), default_domain=f"gone-{word}.example".lower()
    )
    group.tenants.add(tenant)
    SharedAccount.objects.create(
        reseller=world.reseller, tenant=tenant, user_principal_name=f"admin@{tenant.default_domain}", object_id=uuid4()
    )
    return exit_customer(customer, by=world.owner, reason=f"{word} moves to another provider")


def make_place(world: World, tenant: Tenant, word: str, *holders: Technician) -> dict[str, Any]:
    """A firewall of the same customer with an account that these people hold."""
    place = add_place(tenant.customer, NewPlace(f"Firewall at {word}", Tenant.System.FIREWALL), by=world.owner)
    [account] = add_accounts(
        [NewAccount(place, f"root-{word}", password=f"Start-{word}-1")],
        by=world.owner,
        outside=world.outside,
        source="entered",
    )
    for person in holders:
        assign(person, account, by=world.owner, reason=f"helps at {word}")
    return {"customer_id": tenant.customer_id, "place_id": place.pk, "place_account_id": account.pk}


def make_bulk(person: Technician) -> BulkEnrolment:
    """A sitting in which nothing is left to do."""
    return BulkEnrolment.objects.create(
        reseller=person.reseller, technician=person, requested_by=person, app=BulkEnrolment.App.AEGIS,
        accounts_per_code=10, expires_at=timezone.now() + dt.timedelta(hours=2),
    )  # fmt: skip


def keep_a_check(world: World, tenant: Tenant, account: SharedAccount) -> TenantCheck:
    """A check with an item in every state; one is about the account and so hidden from whoever does not see it."""
    items = [
        CheckItem("consent", CheckState.WRONG, f"Nobody consented at {tenant}.", "Open the link.", consent=True),
        CheckItem("policy.methods", CheckState.UNKNOWN, "The policy could not be read.", "Grant Policy.Read.All."),
        CheckItem("account.1", CheckState.WARNING, f"{account} is blocked.", "Enable it.", account_id=str(account.pk)),
        CheckItem("clock", CheckState.OK, "The clock agrees."),
    ]
    return TenantCheck.objects.create(
        reseller=world.reseller,
        tenant=tenant,
        by=world.owner,
        items=[item.as_json() for item in items],
        worst=worst_of(items),
    )


def make_upload(world: World, tenant: Tenant, *, by: Technician) -> Any:
    """A file that was chosen and looked at, and is not imported yet."""
    domain = tenant.default_domain
    table = f"url,username,password,extra,name,grouping,fav\n,admin@{domain},Start-1,,{domain},,0\n".encode()
    return keep_upload(table, kind="passwords", file_name=f"{domain}.csv", by=by, outside=world.outside).pk


def another_reseller(world: World, name: str, owner_email: str) -> World:
    """A stranger in the same cloud, who uses the same application and the same installation."""
    reseller, owner = found_reseller(name, owner_email)
    return World(world.simulator, world.outside, reseller, owner, world.connection)


def url_of(address: Address, objects: dict[str, Any]) -> str:
    missing = set(address.parameters) - set(objects)
    assert not missing, f"{address.route} names {sorted(missing)}: add such an object to make_corner"
    return reverse(address.name, args=[objects[name] for name in address.parameters])


def wrong_urls(address: Address, own: dict[str, Any], other: dict[str, Any]) -> Iterator[str]:
    """The address with another's object in each place of its own, and in all of them."""
    for name in address.parameters:
        yield url_of(address, own | {name: other[name]})
    if len(address.parameters) > 1:
        yield url_of(address, other)


@contextmanager
def installed(settings: Any, world: World, credential: Path, home: Path) -> Iterator[None]:
    """The pages use the same keys and the same cloud as the world does."""
    simulator = world.simulator
    settings.KEY_DIRECTORY = home / "keys"
    settings.MICROSOFT = settings.MICROSOFT | {
        "client_id": next(iter(world.cloud.apps)),
        "client_certificate": str(credential),
        "client_secret": "",
        "login_url": simulator.url,
        "graph_url": simulator.url,
        "ca_bundle": str(simulator.ca_path),
        "timeout_seconds": 10,
    }
    forget_composition()
    try:
        yield
    finally:
        forget_composition()


def forget_composition() -> None:
    """The bundle of ports is made once in a process; a test with other settings makes it anew."""
    composition.outside.cache_clear()
    fresh.vault.cache_clear()
