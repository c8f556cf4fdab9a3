"""Encrypted files for authenticator apps, opened again by a reader of its own that knows only the apps' formats."""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from msp.access.app_files import PasswordTooShort, aegis_file, two_fas_file
from msp.access.migration import MigrationAccount
from msp.access.otpauth import label_of
from msp.access.seeds import read_seed

PASSWORD = "ein gutes Paßwort, 12+"
NOW = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)
ACCOUNTS = [
    MigrationAccount(hashlib.sha1(bytes([n])).digest(), label_of(f"Tenant {n:02} Süd", "T07"), f"admin@t{n}.example")
    for n in range(3)
]


def opened(key: bytes, nonce: bytes, sealed: bytes, tag: bytes) -> bytes:
    """AES-256-GCM without associated data."""
    reader = Cipher(algorithms.AES(key), modes.GCM(nonce, tag)).decryptor()
    return reader.update(sealed) + reader.finalize()


def open_aegis(file: bytes, password: str) -> dict[str, Any]:
    """By docs/vault.md of Aegis."""
    vault = json.loads(file)
    (slot,) = vault["header"]["slots"]
    wrapping = hashlib.scrypt(
        password.encode(), salt=bytes.fromhex(slot["salt"]), n=slot["n"], r=slot["r"], p=slot["p"],
        maxmem=2**26, dklen=32,
    )  # fmt: skip
    master = _opened_hex(wrapping, slot["key_params"], bytes.fromhex(slot["key"]))
    found: dict[str, Any] = json.loads(_opened_hex(master, vault["header"]["params"], base64.b64decode(vault["db"])))
    return found


def _opened_hex(key: bytes, params: dict[str, str], sealed: bytes) -> bytes:
    return opened(key, bytes.fromhex(params["nonce"]), sealed, bytes.fromhex(params["tag"]))


def open_two_fas(file: bytes, password: str, field: str = "servicesEncrypted") -> bytes:
    sealed, salt, nonce = (base64.b64decode(part, validate=True) for part in json.loads(file)[field].split(":"))
    key = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, 10_000, dklen=32)
    return opened(key, nonce, sealed[:-16], sealed[-16:])


def aegis(accounts: list[MigrationAccount], password: str = PASSWORD) -> bytes:
    return aegis_file(accounts, password=password)


def two_fas(accounts: list[MigrationAccount], password: str = PASSWORD) -> bytes:
    return two_fas_file(accounts, password=password, now=NOW)


BOTH = pytest.mark.parametrize("make", [aegis, two_fas])


class AnAegisFile:
    def test_opens_with_its_password_and_holds_every_account(self):
        content = open_aegis(aegis(ACCOUNTS), PASSWORD)
        assert content["version"] == 3
        assert content["groups"] == []
        for entry, account in zip(content["entries"], ACCOUNTS, strict=True):
            assert (entry["type"], entry["name"], entry["issuer"]) == ("totp", account.name, account.issuer)
            assert base64.b32decode(entry["info"]["secret"]) == account.key
            assert {**entry["info"], "secret": ""} == {"secret": "", "algo": "SHA1", "digits": 6, "period": 30}
            assert uuid.UUID(entry["uuid"]).version == 4

    def test_has_the_head_that_the_app_expects(self):
        vault = json.loads(aegis(ACCOUNTS))
        assert vault["version"] == 1
        (slot,) = vault["header"]["slots"]
        assert (slot["type"], slot["n"], slot["r"], slot["p"]) == (1, 32768, 8, 1)
        lengths = {name: len(bytes.fromhex(slot[name])) for name in ("key", "salt")}
        assert lengths == {"key": 32, "salt": 32}
        for params in (slot["key_params"], vault["header"]["params"]):
            assert {name: len(bytes.fromhex(value)) for name, value in params.items()} == {"nonce": 12, "tag": 16}

    def test_does_not_open_with_another_password(self):
        with pytest.raises(InvalidTag):
            open_aegis(aegis(ACCOUNTS), "another password")


class ATwoFasFile:
    def test_opens_with_its_password_and_holds_every_account(self):
        services = json.loads(open_two_fas(two_fas(ACCOUNTS), PASSWORD))
        for position, (service, account) in enumerate(zip(services, ACCOUNTS, strict=True)):
            otp = service["otp"]
            assert (service["name"], otp["issuer"], otp["account"]) == (account.issuer, account.issuer, account.name)
            assert base64.b32decode(service["secret"]) == account.key
            assert (otp["digits"], otp["period"], otp["algorithm"], otp["tokenType"]) == (6, 30, "SHA1", "TOTP")
            assert service["order"] == {"position": position}
            assert service["updatedAt"] == 1772712000000
            assert read_seed(otp["link"]).key == account.key

    def test_shows_its_accounts_only_sealed(self):
        file = json.loads(two_fas(ACCOUNTS))
        assert (file["services"], file["groups"], file["schemaVersion"]) == ([], [], 4)

    def test_lets_the_app_tell_whether_a_password_is_right(self):
        file = two_fas(ACCOUNTS)
        assert open_two_fas(file, PASSWORD, "reference").startswith(b"tRViSsLKzd86Hprh4ceC2OP7xazn4rrt")
        assert len(open_two_fas(file, PASSWORD, "reference")) == 256
        with pytest.raises(InvalidTag):
            open_two_fas(file, "another password", "reference")

    def test_uses_no_nonce_twice_under_its_key(self):
        file = json.loads(two_fas(ACCOUNTS))
        nonces = {file[field].split(":")[2] for field in ("servicesEncrypted", "reference")}
        assert len(nonces) == 2


class EveryFile:
    @BOTH
    def test_holds_nothing_in_clear(self, make: Callable[..., bytes]):
        file = make(ACCOUNTS).decode()
        for account in ACCOUNTS:
            assert account.name not in file
            assert account.issuer not in file
            assert base64.b32encode(account.key).decode() not in file
        assert PASSWORD not in file

    @BOTH
    def test_is_sealed_anew_each_time(self, make: Callable[..., bytes]):
        assert make(ACCOUNTS) != make(ACCOUNTS)

    @BOTH
    @pytest.mark.parametrize("password", ["", "short", "x" * 11])
    def test_wants_a_password_that_is_worth_the_name(self, make: Callable[..., bytes], password: str):
        with pytest.raises(PasswordTooShort, match="at least 12") as stop:
            make(ACCOUNTS, password)
        assert not password or password not in str(stop.value)
