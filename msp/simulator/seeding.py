"""Builds a cloud of invented companies: the same seed gives the same companies, accounts, passwords and methods."""

from __future__ import annotations

import random
import string
from typing import Any

from .cloud import Cloud
from .state import SimMethod, SimTenant

_FIRST = (
    "Alderbrook Amberfield Ashgrove Bayhollow Birchwell Blackmoor Bluestone Bramford Brightwater Calderon "
    "Cedarhurst Clearbrook Copperhill Crestline Dalewick Driftmark Eastmere Elmsworth Emberton Fairhaven "
    "Fallbrook Fernhollow Foxglade Garnet Glenrock Goldcrest Greyfriar Halden Harrowgate Hawthorne Hazelmoor "
    "Highmark Ironbridge Ivorydale Jasperton Juniper Kestrel Kingsmere Lakewood Larkspur Lindenau Longford "
    "Maplecroft Marlowe Meadowbank Millstone Mirador Northmoor Oakhaven Oldfield Orchardton Pinecrest "
    "Quarrybank Ravensworth Redcliff Riverbend Rosewick Sandringer Seabright Silverlake Slateford Southgate "
    "Stonebridge Summerfeld Tamarind Thistledown Thornbury Underhill Valebrook Vesterholm Walnutgrove Waverly "
    "Westmark Whitcombe Willowmere Windham Wolfsberg Yarrow Zephyr"
)
_SECOND = (
    "Accounting Analytics Architects Automotive Bakery Biotech Breweries Capital Carpentry Ceramics Clinics "
    "Coffee Components Construction Consulting Dairy Dental Design Electric Energy Engineering Estates Events "
    "Farms Fasteners Finance Foods Freight Furniture Gardens Glass Health Hotels Insurance Interiors Labs "
    "Legal Logistics Machining Marine Media Metals Museum Optics Paper Pharmacy Plastics Printing Properties "
    "Publishing Recycling Robotics Schools Shipping Solar Sports Steelworks Textiles Tools Toys Transport "
    "Travel Veterinary Vineyards Water Windows"
)
ACCOUNTS = ("admin", "it-admin", "m365-admin", "support-admin", "cloud-admin", "tenant-admin")
FEWEST_HOLDERS, MOST_HOLDERS = 3, 5
SYMBOLS = "!#$%+-=?@"


def company_names(count: int, seed: int) -> list[str]:
    """So many different invented names, in an order that depends on the seed."""
    names = [f"{first} {second}" for first in _FIRST.split() for second in _SECOND.split()]
    if count > len(names):
        raise ValueError(f"There are names for {len(names)} tenants, not for {count}.")
    random.Random(f"{seed}/names").shuffle(names)  # noqa: S311 - invented names, not secrets
    return names[:count]


def build(
    cloud: Cloud,
    *,
    tenants: int,
    accounts_per_tenant: int = 2,
    technicians: int = 8,
    seed: int | None = None,
    everywhere: int | None = None,
) -> dict[str, Any]:
    """Fill the cloud and describe what was made, passwords and seeds included.

    {seed, technicians, tenants: [{id, name, domain, accounts: [{upn, object_id, display_name, password,
    holders: [{technician, method_id, kind, label, seed}]}]}]}. `technician` is an index from 0. Every holder has one
    OATH token with a seed; some have a pushed app or a phone beside it ("" as seed). An account is used by three to
    five technicians and never has more than five authenticators. On some accounts the default is the pushed app.
    The technician `everywhere` is a holder of every account.
    """
    seed = cloud.seed if seed is None else seed
    chance = random.Random(f"{seed}/build")  # noqa: S311 - a repeatable cloud, not secrets
    made = []
    for name in company_names(tenants, seed):
        tenant = cloud.add_tenant(name, f"{name.lower().replace(' ', '-')}.example")
        accounts = [
            _account(cloud, tenant, number, technicians, everywhere, chance) for number in range(accounts_per_tenant)
        ]
        made.append({"id": tenant.id, "name": name, "domain": tenant.domain, "accounts": accounts})
    return {"seed": seed, "technicians": technicians, "tenants": made}


def _account(
    cloud: Cloud, tenant: SimTenant, number: int, technicians: int, everywhere: int | None, chance: random.Random
) -> dict[str, Any]:
    word = ACCOUNTS[number % len(ACCOUNTS)] + (f"-{number // len(ACCOUNTS) + 1}" if number >= len(ACCOUNTS) else "")
    title = f"Shared {word.replace('-', ' ')}"
    user = cloud.add_user(tenant.id, word, title, _password(chance))
    fewest = min(FEWEST_HOLDERS, technicians)
    holders = sorted(chance.sample(range(technicians), chance.randint(fewest, min(MOST_HOLDERS, technicians))))
    if everywhere is not None and everywhere not in holders:
        holders = sorted([everywhere, *holders[1:]])
    shown = []
    for technician in holders:
        kind = "hardware_oath" if chance.random() < 0.12 else "software_oath"
        shown.append(_described(technician, cloud.register(tenant.id, user.upn, kind, **_marks(kind, technician))))
    if holders and len(holders) < MOST_HOLDERS and chance.random() < 0.25:
        technician = chance.choice(holders)
        app = cloud.register(tenant.id, user.upn, "microsoft_authenticator", f"Phone of technician {technician + 1}")
        shown.append(_described(technician, app))
        if chance.random() < 0.4:
            user.default = "push"
    if holders and chance.random() < 0.15:
        technician, number_shown = chance.choice(holders), f"+1 555555{chance.randint(0, 9999):04d}"
        phone = cloud.register(tenant.id, user.upn, "phone", phoneType="mobile", phoneNumber=number_shown)
        shown.append(_described(technician, phone))
    return {
        "upn": user.upn,
        "object_id": user.id,
        "display_name": user.display_name,
        "password": user.password,
        "holders": shown,
    }


def _marks(kind: str, technician: int) -> dict[str, str]:
    return {"label": f"Token of technician {technician + 1}"} if kind == "hardware_oath" else {}


def _described(technician: int, method: SimMethod) -> dict[str, Any]:
    return {
        "technician": technician,
        "method_id": method.id,
        "kind": method.kind,
        "label": method.label,
        "seed": method.seed,
    }


def _password(chance: random.Random) -> str:
    """Sixteen characters of all four classes."""
    classes = (string.ascii_lowercase, string.ascii_uppercase, string.digits, SYMBOLS)
    letters = [chance.choice(one) for one in classes] + chance.choices("".join(classes), k=12)
    chance.shuffle(letters)
    return "".join(letters)
