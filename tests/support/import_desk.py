"""Somebody with a file in hand, and what an import of it came to."""

from __future__ import annotations

import json
from typing import Any

import pytest

from msp.importing.flow import apply_import, preview_import
from msp.importing.preview import Outcome, Preview
from msp.ledger.models import Entry
from technicians.models import Technician
from tenants.models import SharedAccount
from tests.support.world import World

CONTOSO = "11111111-1111-4111-8111-111111111111"
FABRIKAM = "22222222-2222-4222-8222-222222222222"
CUSTOMERS = "Microsoft ID,Company name,Primary domain name,Relationship,Tags\n"
ACCOUNTS = "tenant,user_principal_name,object_id,owner,justification,break_glass,password\n"
PEOPLE = "email,name,role,groups\n"
ASSIGNMENTS = "technician,tenant,account,from,until,reason\n"
AUTHENTICATORS = "technician,tenant,account,method_id,kind,label\n"


class Desk:
    """The owner of a reseller, with a file in hand."""

    world: World

    @pytest.fixture(autouse=True)
    def _desk(self, world: World) -> None:
        self.world, self.owner = world, world.owner

    def preview(self, kind: str, text: str, *, by: Technician | None = None) -> Preview:
        return preview_import(kind, text.encode(), by=by or self.owner, outside=self.world.outside)

    def load(self, kind: str, text: str | bytes, *, by: Technician | None = None, partial: bool = False) -> Outcome:
        data = text if isinstance(text, bytes) else text.encode()
        return apply_import(kind, data, by=by or self.owner, outside=self.world.outside, partial=partial)

    def errors(self, kind: str, text: str, *, by: Technician | None = None) -> list[tuple[int, str]]:
        return [(t.line, t.column) for t in self.preview(kind, text, by=by).plan.errors]

    def password(self, account: SharedAccount) -> str:
        return self.world.passwords_known(account)["current"]


def entries(verb: str) -> list[dict[str, Any]]:
    return [json.loads(bytes(entry.body)) for entry in Entry.objects.filter(verb=verb).order_by("id")]


def counts(outcome: Outcome) -> tuple[int, int, int, int]:
    found = outcome.counts
    return found["add"], found["change"], found["same"], found["errors"]
