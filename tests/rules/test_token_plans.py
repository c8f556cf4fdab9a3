"""Names of tokens: short, opaque, the same for the same person, and known again."""

from __future__ import annotations

import re
import secrets
import uuid

from hypothesis import given
from hypothesis import strategies as st

from tenants.token_plans import LONGEST_NAME, display_name, is_ours, new_serial, short_code

TENANT, ANA, BEN = (uuid.UUID(int=number) for number in (1, 2, 3))


def serial(holder: uuid.UUID = ANA, tenant: uuid.UUID = TENANT) -> str:
    return new_serial(tenant_id=tenant, holder_id=holder, nonce=secrets.token_bytes(5))


class ASerialNumber:
    def test_carries_tenant_and_person_in_a_short_code(self):
        one, again = serial().split("-"), serial().split("-")
        assert one[:3] == again[:3] == ["LK", short_code(TENANT), short_code(ANA)]
        assert serial(BEN).split("-")[2] != one[2]

    def test_is_never_the_same_twice(self):
        assert len({serial() for _ in range(1000)}) == 1000

    def test_says_nothing_to_a_stranger(self):
        assert re.fullmatch(r"LK-[A-Z2-7]{6}-[A-Z2-7]{6}-[A-Z2-7]{8}", serial())
        assert str(ANA)[:6].upper() not in serial()

    def test_is_known_again_as_ours(self):
        assert is_ours(serial())
        assert not is_ours(serial(), "Yubico")
        assert not is_ours("LK-0001")
        assert not is_ours("12345678")


class ADisplayName:
    def test_names_the_person_and_the_reseller(self):
        assert display_name("Ana Silva", "Northwind IT") == "Ana Silva (Northwind IT)"

    @given(st.text(max_size=300), st.text(max_size=300))
    def test_is_never_too_long(self, person: str, reseller: str):
        assert len(display_name(person, reseller)) <= LONGEST_NAME
