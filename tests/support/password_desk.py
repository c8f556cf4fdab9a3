"""Somebody with an export of another product in hand, and customers whose accounts are here already."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from msp.importing.choices import NONE, Choices
from msp.importing.flow import apply_import, preview_import
from msp.importing.preview import Effect, Outcome, Preview
from technicians.models import Technician
from tenants.models import Customer, SecretVersion, SharedAccount, Tenant
from tests.support.reference import REFERENCE, reference_needed
from tests.support.world import World

SEED = "JBSWY3DPEHPK3PXP"
KEEPASSXC = "Group,Title,Username,Password,URL,Notes,TOTP,Icon,Last Modified,Created\n"


class PasswordDesk:
    """The owner of a reseller, who moves in with the passwords of years."""

    world: World

    @pytest.fixture(autouse=True)
    def _desk(self, world: World) -> None:
        self.world, self.owner = world, world.owner

    def account(self, domain: str, name: str = "admin", *, customer: str = "", user_domain: str = "") -> SharedAccount:
        """An account without a password. Of one customer and domain there is one tenant."""
        row = Customer.objects.get_or_create(reseller=self.world.reseller, name=customer or domain.split(".")[0])[0]
        tenant = Tenant.objects.filter(customer=row, default_domain=domain).first() or Tenant.objects.create(
            reseller=self.world.reseller, customer=row, directory_id=uuid.uuid4(), default_domain=domain
        )
        return SharedAccount.objects.create(
            reseller=self.world.reseller, tenant=tenant, user_principal_name=f"{name}@{user_domain or domain}"
        )

    def preview(self, data: str | bytes, choices: Choices = NONE, *, by: Technician | None = None) -> Preview:
        return preview_import(
            "passwords", as_bytes(data), by=by or self.owner, outside=self.world.outside, choices=choices
        )

    def load(self, data: str | bytes, choices: Choices = NONE, *, partial: bool = False) -> Outcome:
        return apply_import(
            "passwords", as_bytes(data), by=self.owner, outside=self.world.outside, partial=partial, choices=choices
        )

    def passwords(self, account: SharedAccount) -> list[str]:
        """Every version, oldest first."""
        versions = SecretVersion.objects.filter(secret__account=account).select_related("secret__account__tenant")
        return [self.world.outside.vault.open(bytes(v.sealed), v.place).decode() for v in versions.order_by("number")]


def row(user: str, password: str, *, title: str = "GA", group: str = "Root/x", seed: str = "", quote: str = '"') -> str:
    """One entry as KeePassXC writes it."""
    cells = [group, title, user, password, "", "", seed, "0", "", ""]
    return ",".join(quote + cell.replace('"', '""') + quote for cell in cells) + "\n"


def as_bytes(data: str | bytes) -> bytes:
    return data if isinstance(data, bytes) else data.encode()


def vector(name: str) -> bytes:
    reference_needed()
    return Path(REFERENCE / "vectors" / "csv" / f"{name}.csv").read_bytes()


def lines(preview: Preview, effect: Effect) -> list[int]:
    return [row.line for row in preview.rows(effect)]


def said(preview: Preview, *, line: int) -> str:
    """Every error and warning of a line, in one text."""
    return " ".join(t.message for t in [*preview.plan.errors, *preview.plan.warnings] if t.line == line)


def notes(preview: Preview) -> str:
    return " ".join(preview.plan.notes)
