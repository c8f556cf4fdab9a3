"""Ana holds accounts in many tenants and enrols on all of them; her phone is a few lines that read what it is shown.

The reader of the QR codes' text is the test's own: protobuf by hand, field numbers as in Aegis' source.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from msp.simulator import totp
from technicians.actions.assign import assign
from technicians.actions.begin_bulk import BegunBulk, begin_bulk
from technicians.actions.prove_bulk_code import prove_bulk_code
from technicians.actions.show_bulk_code import ShownCode, show_bulk_code
from technicians.bulk_queries import Sitting, sitting_of
from technicians.models import BulkEnrolment, Enrolment, Technician
from tenants.actions.observe_account import observe_account
from tenants.models import Registration, SharedAccount
from tests.support.world import World


class AppOnAPhone:
    """An authenticator app: entries by the name of the account, as read from the texts of QR codes."""

    def __init__(self) -> None:
        self.seeds: dict[str, str] = {}

    def scans(self, text: str) -> list[str]:
        """The names of the entries that came in."""
        read = dict(_migration(text) if text.startswith("otpauth-migration:") else _single(text))
        self.seeds |= read
        return list(read)

    def takes(self, account: SharedAccount, seed: bytes) -> None:
        self.seeds[account.user_principal_name] = base64.b32encode(seed).decode()

    def code(self, account: SharedAccount, *, steps: int = 0) -> str:
        return totp.code(self.seeds[account.user_principal_name], time.time() + 30 * steps)


def _single(text: str) -> Iterator[tuple[str, str]]:
    address = urlsplit(text)
    yield unquote(address.path).partition(":")[2], parse_qs(address.query)["secret"][0]


def _migration(text: str) -> Iterator[tuple[str, str]]:
    data = base64.b64decode(unquote(urlsplit(text).query.removeprefix("data=")))
    for number, value in _fields(data):
        if number == 1 and isinstance(value, bytes):
            entry = dict(_fields(value))
            yield entry[2].decode(), base64.b32encode(entry[1]).decode()


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    at = 0
    while at < len(data):
        tag, at = _number(data, at)
        value, at = _number(data, at)
        if tag & 7 == 2:
            yield tag >> 3, data[at : at + value]
            at += value
        else:
            yield tag >> 3, value


def _number(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if data[at - 1] < 0x80:
            return value, at


class BulkDesk:
    """Northwind with tenants that take tokens; `accounts` has one of each, and Ben an authenticator on the first."""

    TENANTS = 3

    @pytest.fixture(autouse=True)
    def _scene(self, world: World) -> None:
        self.world = world
        self.ana, self.ben = world.technician("Ana"), world.technician("Ben")
        self.phone = AppOnAPhone()
        self.accounts = [self.account(number) for number in range(self.TENANTS)]
        world.give(self.accounts[0], self.ben)

    def account(self, number: int, *, takes_tokens: bool = True) -> SharedAccount:
        tenant = self.world.tenant(f"Customer {number:02d}")
        if takes_tokens:
            self.world.allow_tokens(tenant)
        account = self.world.account(tenant)
        assign(self.ana, account, by=self.world.owner, reason="joined")
        observe_account(account, outside=self.world.outside)
        return account

    def begin(
        self, accounts: list[SharedAccount] | None = None, *, by: Technician | None = None, app: str = "aegis",
        **more: Any,
    ) -> BegunBulk:  # fmt: skip
        begun = begin_bulk(
            self.ana, self.accounts if accounts is None else accounts, by=by or self.ana, app=app,
            outside=self.world.outside, **more,
        )  # fmt: skip
        self.bulk = begun.bulk
        return begun

    def ready(self, **more: Any) -> BulkEnrolment:
        bulk = self.begin(**more).bulk
        self.work()
        return bulk

    def work(self) -> None:
        run = self.bulk.run
        assert run is not None
        self.world.work(run)

    def show(self, *, by: Technician | None = None) -> ShownCode:
        """The next QR code, and the phone scans it."""
        shown = show_bulk_code(self.bulk, by=by or self.ana, outside=self.world.outside)
        self.phone.scans(shown.text)
        return shown

    def sitting(self) -> Sitting:
        return sitting_of(self.bulk)

    def codes(self, *, steps: int = 0) -> dict[str, str]:
        """What the phone shows for the accounts that are asked for."""
        return {str(e.pk): self.phone.code(e.account, steps=steps) for e in self.sitting().asked}

    def wrong_codes(self) -> dict[str, str]:
        """The first one is wrong, and the others are right."""
        codes = self.codes()
        first = next(iter(codes))
        return codes | {first: f"{(int(codes[first]) + 1) % 10**6:06d}"}

    def prove(self, typed: dict[str, str] | None = None, *, number: int | None = None) -> int:
        on_screen = self.sitting().on_screen
        number = number if number is not None else (on_screen.number if on_screen else 0)
        return prove_bulk_code(
            self.bulk, number, self.codes() if typed is None else typed, by=self.ana, outside=self.world.outside
        )

    def states(self) -> list[str]:
        return [e.status for e in Enrolment.objects.filter(bulk=self.bulk).order_by("account__user_principal_name")]

    def gets_in(self, account: SharedAccount) -> bool:
        """With the code of the next 30 seconds, which the simulator takes and nobody used yet."""
        result = self.world.cloud.sign_in(
            self.world.directory_id(account),
            account.user_principal_name,
            self.world.password_at_microsoft(account),
            self.phone.code(account, steps=1),
        )
        return bool(result.session)

    def at_microsoft(self, account: SharedAccount) -> list[str]:
        """The states of the tokens in the tenant's inventory."""
        return [t.status for t in self.world.cloud.tenant(str(account.tenant.directory_id)).tokens.values()]

    def seeds_left(self) -> int:
        return Registration.objects.filter(sealed__isnull=False).count()
