"""Puts one drawn run on the stage: its tenants at the cloud, and a reseller of its own in Latchkey."""

from __future__ import annotations

import math
import secrets
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import transaction

from msp.outside import outside
from msp.simulator.remote import RemoteCloud
from technicians.actions.create_technician import create_technician
from technicians.models import Assignment, Authenticator, Reveal, Role, Technician
from tenants.actions.observe_account import observe_account
from tenants.actions.store_password import store_password
from tenants.models import Customer, Reseller, SecretVersion, SharedAccount, Tenant
from tests.faults.harness.draw import Draw
from tests.faults.harness.patience import patiently


@dataclass
class Phone:
    """One method at the cloud and its owner, by number; None is a stranger. `seed` is "" when it shows no code.

    `got_in_at` is when its code last let somebody in, by the monotonic clock.
    """

    method_id: str
    seed: str
    owner: int | None
    got_in_at: float = -math.inf


@dataclass
class Place:
    """One shared account on both sides. `session` is one that the leaver opened before."""

    account: SharedAccount
    directory_id: str
    phones: list[Phone]
    first_password: str
    session: str = ""
    changed_outside: bool = False

    @property
    def upn(self) -> str:
        return self.account.user_principal_name

    @property
    def object_id(self) -> str:
        return self.account.object_id

    def phones_of(self, people: set[int]) -> list[Phone]:
        return [phone for phone in self.phones if phone.owner in people]


@dataclass
class Scene:
    """Everything of one run. `leavers` are those whose departure was begun."""

    draw: Draw
    cloud: RemoteCloud
    reseller: Reseller
    owner: Technician
    people: list[Technician]
    places: list[Place]
    directory_ids: list[str]
    leavers: set[int] = field(default_factory=set)
    strangers_came: bool = False

    @property
    def stayers(self) -> set[int]:
        return set(range(len(self.people))) - self.leavers

    def truth(self) -> dict[str, Any]:
        return self.cloud.control("truth", tenants=self.directory_ids)


def build(draw: Draw, cloud: RemoteCloud) -> Scene:
    """Latchkey reads each account once, so that it stands as after weeks of use; then the faults are planned."""
    name = f"r{draw.seed}-{secrets.token_hex(4)}"
    described = cloud.control("scene", tenants=_wanted(draw, name))["tenants"]
    scene = patiently(lambda: _in_latchkey(draw, cloud, name, described), tries=10)
    for place in scene.places:
        owner = next((phone for phone in place.phones if phone.owner == 0 and phone.seed), None)
        if owner is not None:
            code = cloud.code(seed=owner.seed)
            place.session = cloud.sign_in(place.directory_id, place.upn, place.first_password, code)[1]
    for directory_id, knobs in zip(scene.directory_ids, draw.knobs, strict=True):
        if knobs:
            cloud.knobs(directory_id, **knobs)
    rules = [rule | {"tenant": scene.directory_ids[rule["tenant"]]} for rule in draw.faults]
    if rules:
        cloud.plan_faults(*rules)
    return scene


def _wanted(draw: Draw, name: str) -> list[dict[str, Any]]:
    return [
        {
            "name": f"{name} {number}",
            "accounts": [
                {"name": f"admin{place}", "methods": _methods(account.holders, account.pushed)}
                for place, account in enumerate(draw.accounts)
                if account.tenant == number
            ],
        }
        for number in range(draw.tenants)
    ]


def _methods(holders: tuple[int, ...], pushed: tuple[int, ...]) -> list[dict[str, str]]:
    own = [{"kind": "software_oath", "label": str(person)} for person in holders]
    return own + [{"kind": "microsoft_authenticator", "label": str(person)} for person in pushed]


@transaction.atomic
def _in_latchkey(draw: Draw, cloud: RemoteCloud, name: str, described: list[dict[str, Any]]) -> Scene:
    reseller = Reseller.objects.create(name=name)
    owner = create_technician(reseller=reseller, email=f"owner@{name}.example", name="Olga", role=Role.OWNER, by=None)
    people = [
        create_technician(
            reseller=reseller,
            email=f"p{number}@{name}.example",
            name=f"Person {number}",
            role=Role.TECHNICIAN,
            by=owner,
        )
        for number in range(draw.people)
    ]
    scene = Scene(draw, cloud, reseller, owner, people, [], [one["id"] for one in described])
    for company in described:
        customer = Customer.objects.create(reseller=reseller, name=company["name"])
        tenant = Tenant.objects.create(
            reseller=reseller, customer=customer, directory_id=UUID(company["id"]), default_domain=company["domain"]
        )
        scene.places += [_place(scene, tenant, shown) for shown in company["accounts"]]
    return scene


def _place(scene: Scene, tenant: Tenant, shown: dict[str, Any]) -> Place:
    account = SharedAccount.objects.create(
        reseller=scene.reseller, tenant=tenant, user_principal_name=shown["upn"], object_id=shown["object_id"]
    )
    store_password(account, shown["password"], by=scene.owner, outside=outside(), source="imported")
    observe_account(account, outside=outside())
    owners = {method["id"]: int(method["label"]) for method in shown["methods"]}
    phones = [Phone(m["id"], m["seed"], owners[m["id"]]) for m in shown["methods"]]
    version = SecretVersion.objects.get(secret__account=account)
    for number in sorted({phone.owner for phone in phones if phone.owner is not None}):
        person = scene.people[number]
        Assignment.objects.create(reseller=scene.reseller, technician=person, account=account, reason="on the team")
        Reveal.objects.create(reseller=scene.reseller, technician=person, version=version)
    for method in account.methods.present().filter(directory_id__in=owners):
        Authenticator.objects.create(
            reseller=scene.reseller,
            method=method,
            technician=scene.people[owners[method.directory_id]],
            proof=Authenticator.Proof.IMPORTED,
        )
    return Place(account, str(tenant.directory_id), phones, shown["password"])
