"""Who gets in afterwards, asked at the sign-in page of the copied cloud."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from msp.rehearsals.copied_cloud import CopiedCloud
from msp.simulator import totp
from msp.simulator.cloud import Cloud
from msp.simulator.signin import SECOND_FACTORS
from msp.vault.database import Vault
from technicians.models import Authenticator
from technicians.rehearsal_records import Record
from tenants.models import Method, SecretVersion, SharedAccount


def still_in_and_kept_out(
    record: Record, copied: CopiedCloud, accounts: list[dict[str, Any]], *, cloud: Cloud, vault: Vault
) -> dict[str, int]:
    """Write into each account who is still in and who is kept out; answers the sums.

    A leaver comes with the password of before, as if every leaver had seen it, and with the own second factor. Whoever
    stays comes with the password that Latchkey says is in force, where it knows one. Each is one real try.
    """
    sums: Counter[str] = Counter(leavers_tried=0, leavers_in=0, stayers_tried=0, stayers_out=0)
    bound, known = _bound_by_account(), _passwords_known(vault)
    here = {str(a.pk): a for a in SharedAccount.objects.select_related("tenant").filter(pk__in=list(bound))}
    for account in accounts:
        names: dict[str, set[str]] = {"still_in": set(), "kept_out": set()}
        account["not_tried"] = _why_not(here.get(account["id"]), record)
        for authenticator in [] if account["not_tried"] else bound[account["id"]]:
            leaves = str(authenticator.technician_id) in record["leavers"]
            password = copied.passwords[account["id"]] if leaves else known.get(account["id"])
            if password is None:
                continue
            gets_in = _tried(cloud, here[account["id"]], authenticator.method, password, copied)
            sums["leavers_tried" if leaves else "stayers_tried"] += 1
            if gets_in is leaves:
                names["still_in" if leaves else "kept_out"].add(str(authenticator.technician))
        account |= {word: sorted(found) for word, found in names.items()}
        sums["leavers_in"] += len(names["still_in"])
        sums["stayers_out"] += len(names["kept_out"])
    return dict(sums)


def _why_not(account: SharedAccount | None, record: Record) -> str:
    """ "guided", "gone", "disabled" or "nobody" where no try would tell anything; "" where one does."""
    if account is None:
        return "nobody"
    if account.tenant.is_guided:
        return "guided"
    if str(account.pk) in record["missing"]:
        return "gone"
    return "" if account.enabled else "disabled"


def _bound_by_account() -> defaultdict[str, list[Authenticator]]:
    """Everybody's second factors as recorded, also those that are gone now: whoever lost one tries it all the same."""
    found: defaultdict[str, list[Authenticator]] = defaultdict(list)
    bound = Authenticator.objects.filter(method__kind__in=SECOND_FACTORS).select_related("method", "technician")
    for authenticator in bound.order_by("bound_from", "pk"):
        found[str(authenticator.method.account_id)].append(authenticator)
    return found


def _passwords_known(vault: Vault) -> dict[str, str]:
    """By account, the one that Latchkey shows to those who hold it."""
    versions = SecretVersion.objects.in_force().select_related("secret__account")
    return {str(v.secret.account_id): vault.open(bytes(v.sealed), v.place).decode() for v in versions}


def _tried(cloud: Cloud, account: SharedAccount, method: Method, password: str, copied: CopiedCloud) -> bool:
    tenant, name = str(account.tenant.directory_id), account.user_principal_name
    if seed := copied.seeds.get(str(method.pk)):
        return cloud.sign_in(tenant, name, password, code=totp.code(seed, cloud.now().timestamp())).let_in
    return cloud.sign_in(tenant, name, password, push=method.directory_id).let_in
