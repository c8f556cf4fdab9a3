"""The simulated cloud of a rehearsal: the recorded tenants with everything in them, and passwords and seeds of its own.

Object ids, method ids, times and states are as recorded, so that a plan names the same things on both sides. What
Latchkey has never been told is chosen for the worse: every account is a Global Administrator, and where it makes a
difference the default method is the leaver's. A tenant that let us not in when last asked does not let us in here.
"""

from __future__ import annotations

import datetime as dt
import secrets
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from msp.microsoft.methods import PHONE_IDS
from msp.simulator import inventory, kinds, registering, rules
from msp.simulator.cloud import Cloud
from msp.simulator.state import GLOBAL_ADMINISTRATOR, SimMethod, SimTenant, SimUser
from technicians.rehearsal_records import Record

AS_UNKNOWN = "future"
"""The simulator's kind that no client knows yet."""
ENTRA = "entra"


@dataclass(frozen=True)
class CopiedCloud:
    """What only the copy knows. `passwords` by the id of our account, `seeds` (Base32) by the id of our method."""

    passwords: dict[str, str] = field(repr=False)
    seeds: dict[str, str] = field(repr=False)


def copy_cloud(record: Record, cloud: Cloud, *, client_id: str) -> CopiedCloud:
    """Fill an empty cloud; our application is consented wherever it was let in."""
    rows = record["rows"]
    made = CopiedCloud({}, {})
    placed = {row["id"]: _tenant(cloud, row) for row in rows["tenants.Tenant"] if row["system"] == ENTRA}
    methods, leaving = _methods_of_accounts(rows), _methods_of(record)
    for row in rows["tenants.SharedAccount"]:
        made.passwords[row["id"]] = f"Copy-{secrets.token_urlsafe(15)}-1aA"
        there = [(method["id"], _method(cloud, method)) for method in methods[row["id"]]]
        made.seeds.update({key: method.seed for key, method in there if method.seed})
        if (tenant := placed.get(row["tenant_id"])) is None or row["id"] in record["missing"]:
            continue
        user = _user(cloud, row, made.passwords[row["id"]])
        for _key, method in there:
            if method.kind != "password":
                registering.admit(user, method)
            if method.kind == inventory.KIND:
                tenant.tokens[method.id] = inventory.behind(user, method)
        _choose_default(user, [method.id for key, method in there if key in leaving])
        tenant.place(user)
    for row in rows["tenants.Tenant"]:
        if row["id"] in placed and not row["connection_problem"]:
            cloud.consent(client_id, placed[row["id"]].id)
    return made


def _tenant(cloud: Cloud, row: dict[str, Any]) -> SimTenant:
    """Two tenants may be known by one domain here; there each has its own."""
    free = cloud.find_tenant(row["default_domain"]) is None
    domain = row["default_domain"] if free else f"{row['directory_id']}.example"
    tenant = cloud.add_tenant(row["default_domain"], domain, row["directory_id"])
    tenant.cloud = row["cloud"]
    return tenant


def _user(cloud: Cloud, row: dict[str, Any], password: str) -> SimUser:
    born = cloud.now() - dt.timedelta(days=1)
    user = SimUser(
        id=row["object_id"] or cloud.new_id(),
        upn=row["user_principal_name"],
        display_name=row["display_name"] or row["user_principal_name"].partition("@")[0],
        password=password,
        password_changed_at=_moment(row["password_changed_at"]) or born,
        sessions_valid_from=_moment(row["sessions_valid_from"]) or born,
        enabled=row["enabled"],
        synced=row["synced"],
        user_type="Guest" if "#EXT#" in row["user_principal_name"].upper() else "Member",
        roles=[GLOBAL_ADMINISTRATOR],
        mfa_state=row["mfa_state"] or "disabled",
    )
    user.methods[kinds.PASSWORD_METHOD_ID] = SimMethod(kinds.PASSWORD_METHOD_ID, "password", born)
    return user


def _method(cloud: Cloud, row: dict[str, Any]) -> SimMethod:
    kind, label = row["kind"], row["label"]
    details: dict[str, Any] = {}
    if kind == "phone":
        details = {
            "phoneType": PHONE_IDS.get(row["directory_id"], "mobile"),
            "phoneNumber": label.partition(" ")[2] or "+1 5555550100",
        }
    elif kind == inventory.KIND:
        details = {"serialNumber": label}
    return SimMethod(
        id=row["directory_id"],
        kind=kind if kind in kinds.KINDS else AS_UNKNOWN,
        created_at=_moment(row["first_seen_at"]) or cloud.now(),
        label=label,
        seed=cloud.new_seed() if kind.endswith("_oath") else "",
        details=details,
    )


def _methods_of_accounts(rows: dict[str, list[dict[str, Any]]]) -> defaultdict[str, list[dict[str, Any]]]:
    """By account, the oldest first: the first that can be the default becomes it."""
    found: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in sorted(rows["tenants.Method"], key=lambda method: (method["first_seen_at"], method["id"])):
        found[row["account_id"]].append(row)
    return found


def _methods_of(record: Record) -> set[str]:
    """The ids of the methods that are bound to one of the leavers."""
    bound = record["rows"]["technicians.Authenticator"]
    return {row["method_id"] for row in bound if row["technician_id"] in record["leavers"]}


def _choose_default(user: SimUser, leaving: list[str]) -> None:
    """A leaver's kind of method, where another kind could take its place: then it has to be moved before it can go."""
    going = {word for key in leaving for word in rules.preferences(user.methods[key])}
    stays = {word for key, method in user.methods.items() if key not in leaving for word in rules.preferences(method)}
    if going and stays - going:
        user.default = sorted(going)[0]


def _moment(text: str | None) -> dt.datetime | None:
    return dt.datetime.fromisoformat(text) if text else None
