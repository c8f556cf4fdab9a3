"""A thousand passwords, written as other products write them, imported, and opened again: byte for byte."""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Callable

import pytest

from msp.importing.choices import MAPPED, NONE, Choices
from msp.importing.sources.export import Export
from msp.importing.sources.known import read_export
from tenants.models import SecretVersion, SharedAccount
from tests.support.password_desk import PasswordDesk

HOW_MANY = 1000
Pairs = list[tuple[str, str]]
"""User name and password."""
ODD = [
    *"\"'`,;|\t\\=+-@&<>%_", " ", "  ", "\n", "\r\n", "\r", '""', '\\"', "\\\\", "=1+1", "&amp;",
    "sep=;", "é", "e\u0301", "ß", "€", "😀", "👩\u200d👧", "שלום", "\u202e", "مرحبا", "中文", "\u00a0", "\u200b",
    "\ufeff", "\x01", "\x7f", "\u2028",
]  # fmt: skip


def secrets_of(chance: random.Random, how_many: int) -> list[str]:
    """Every odd piece begins one and ends one; the rest is thrown together."""
    edges = [odd + "x" for odd in ODD] + ["x" + odd for odd in ODD] + [" ", "0012", "1.23E+11", "2026-03-01"]
    letters = [*ODD, *"abcXYZ0189"]
    mixed = ["".join(chance.choices(letters, k=chance.randint(1, 40)))[:256] for _ in range(how_many - len(edges))]
    return edges + mixed


def table(header: str, rows: list[list[str]], **how: str) -> str:
    out = io.StringIO(newline="")
    out.write(header + "\r\n" if header else "")
    csv.writer(out, **{"quoting": csv.QUOTE_ALL, "lineterminator": "\r\n"} | how).writerows(rows)
    return out.getvalue()


def as_bitwarden(pairs: Pairs) -> bytes:
    header = "folder,favorite,type,name,notes,fields,reprompt,login_uri,login_username,login_password,login_totp"
    return table(
        header, [["", "", "login", "GA", "", "", "0", "", user, secret, ""] for user, secret in pairs]
    ).encode()


def as_1password(pairs: Pairs) -> bytes:
    header = "Title,Url,Username,Password,OTPAuth,Favorite,Archived,Tags,Notes"
    return table(header, [["GA", "", u, secret, "", "false", "false", "", ""] for u, secret in pairs]).encode()


def as_keepass(pairs: Pairs) -> bytes:
    """Backslashes before quotes and backslashes, and nothing doubled."""

    def cell(text: str) -> str:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    rows = [["Account", "Login Name", "Password", "Web Site", "Comments"]]
    rows += [["GA", user, secret, "", ""] for user, secret in pairs]
    return "".join(",".join(cell(text) for text in row) + "\r\n" for row in rows).encode()


def as_keeper(pairs: Pairs) -> bytes:
    """Without a header; only what needs quotes has them."""
    rows = [["Clients", "GA", user, secret, "https://portal.azure.com", "", ""] for user, secret in pairs]
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\r\n").writerows(rows)
    return out.getvalue().encode()


def as_bitwarden_json(pairs: Pairs) -> bytes:
    items = [{"type": 1, "name": "GA", "login": {"username": user, "password": secret}} for user, secret in pairs]
    return json.dumps({"encrypted": False, "folders": [], "items": items}).encode()


def as_excel(pairs: Pairs) -> bytes:
    return ("sep=\t\r\n" + table("Konto\tKennwort", [[*pair] for pair in pairs], delimiter="\t")).encode("utf-16")


IMPORTED: dict[str, tuple[Callable[[Pairs], bytes], Choices]] = {
    "bitwarden": (as_bitwarden, NONE),
    "keepass": (as_keepass, NONE),
    "excel": (as_excel, Choices(source=MAPPED, columns={"upn": 0, "password": 1})),
}
READ: dict[str, Callable[[Pairs], bytes]] = {
    "1password": as_1password,
    "keeper": as_keeper,
    "bitwarden-json": as_bitwarden_json,
}


def pairs_of(source: str) -> Pairs:
    secrets = secrets_of(random.Random(f"round trip of {source}"), HOW_MANY)
    return [(f"admin-{n}@contoso.example", secret) for n, secret in enumerate(secrets)]


class EveryPassword(PasswordDesk):
    @pytest.mark.parametrize("source", IMPORTED)
    def test_comes_out_of_the_vault_as_it_went_into_the_file(self, source):
        pairs = pairs_of(source)
        self.accounts_of(pairs)
        write, choices = IMPORTED[source]
        outcome = self.load(write(pairs), choices)
        assert (outcome.imported, outcome.counts["add"]) == (True, HOW_MANY)
        vault, opened = self.world.outside.vault, {}
        for version in SecretVersion.objects.select_related("secret__account__tenant"):
            opened[version.secret.account.user_principal_name] = vault.open(bytes(version.sealed), version.place)
        assert opened == {user: secret.encode() for user, secret in pairs}

    def accounts_of(self, pairs: Pairs) -> None:
        first = self.account("contoso.example", "admin-0")
        SharedAccount.objects.bulk_create(
            SharedAccount(reseller=first.reseller, tenant=first.tenant, user_principal_name=user)
            for user, _secret in pairs[1:]
        )


@pytest.mark.parametrize("source", READ)
class EveryRecord:
    def test_has_the_password_as_it_stands_in_the_file(self, source):
        pairs = pairs_of(source)
        _title, found = read_export(Export(READ[source](pairs)), NONE)
        assert [(record.user_name, record.password) for record in found.records] == pairs
        assert found.broken == []
