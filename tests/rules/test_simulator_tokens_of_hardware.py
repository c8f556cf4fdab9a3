"""Hardware tokens and passes at the simulated Microsoft, as plain state: seeds, codes, places, usability."""

from __future__ import annotations

import datetime as dt
import random

import pytest

from msp.simulator import inventory, kinds, passes, totp
from msp.simulator.cloud import Cloud, NoRoom
from msp.simulator.state import SimToken

SEED = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
NOON = dt.datetime(2026, 11, 20, 12, 0, tzinfo=dt.UTC)


def token(**facts: object) -> SimToken:
    return SimToken(**{"id": "t-1", "serial": "LK-0001", "seed": SEED} | facts)


def code_of(one: SimToken, moment: dt.datetime) -> str:
    return totp.code(one.seed, moment.timestamp(), interval=one.interval, digest=one.digest)


class ASeed:
    @pytest.mark.parametrize("text", ["AA", "GEZDGNBV", "2345672345", "A" * 128, SEED])
    def test_is_base32_of_any_length_up_to_128(self, text: str) -> None:
        assert inventory.is_seed(text)

    @pytest.mark.parametrize(
        "text", ["", "A" * 129, "GEZDGNB1", "gezdgnbv", "GEZDGNB=", "GEZD GNB", "A", "ABC", "ABCDEF", "ÄAAA", None, 77]
    )
    def test_is_nothing_else(self, text: object) -> None:
        assert not inventory.is_seed(text)

    def test_makes_codes_whatever_its_length(self) -> None:
        taken = [seed for length in range(1, 129) if inventory.is_seed(seed := "M" * length)]
        assert len(taken) == 80
        assert {len(totp.code(seed, NOON.timestamp())) for seed in taken} == {6}


class ACode:
    @pytest.mark.parametrize("interval", [30, 60])
    @pytest.mark.parametrize("digest", ["sha1", "sha256"])
    def test_counts_one_step_before_and_after_its_own(self, interval: int, digest: str) -> None:
        one = token(interval=interval, digest=digest)
        counted = [
            steps
            for steps in range(-3, 4)
            if inventory.step_of(one, code_of(one, NOON + dt.timedelta(seconds=steps * interval)), NOON) is not None
        ]
        assert counted == [-1, 0, 1]

    def test_serves_once(self) -> None:
        one = token()
        step = inventory.step_of(one, code_of(one, NOON), NOON)
        assert step is not None
        inventory.use_up(one, step)
        assert inventory.step_of(one, code_of(one, NOON), NOON) is None

    def test_serves_once_though_the_token_went_back_meanwhile(self) -> None:
        one = token()
        method = inventory.as_method(one, NOON)
        method.used_steps = [totp.step_of(NOON.timestamp())]
        inventory.release(one, method)
        assert inventory.step_of(one, code_of(one, NOON), NOON) is None

    @pytest.mark.parametrize("given", [None, "", 123456, "12345", "1234567", "12345a", "١٢٣٤٥٦", "\ud800"])
    def test_is_six_digits(self, given: object) -> None:
        assert inventory.step_of(token(), given, NOON) is None


class ATokenOfAPerson:
    """Registered past Graph, as the older upload of a list did."""

    def test_is_in_the_inventory_too_and_goes_back_when_the_method_goes(self) -> None:
        cloud = Cloud()
        tenant = cloud.add_tenant("Contoso", "contoso.example")
        user = cloud.add_user(tenant.id, "shared")
        method_id, seed = cloud.register_hardware_oath(tenant.id, user.upn, "LK-0001")
        kept = tenant.tokens[method_id]
        assert (kept.serial, kept.seed, kept.status, kept.assigned_to) == ("LK-0001", seed, "activated", user.id)
        assert inventory.waiting_for(tenant, user) == []
        cloud.remove_method_as_person(tenant.id, user.upn, method_id)
        assert (kept.status, kept.assigned_to) == ("available", "")

    def test_may_have_the_serial_of_another(self) -> None:
        cloud = Cloud()
        tenant = cloud.add_tenant("Contoso", "contoso.example")
        for name in ("ana", "ben"):
            cloud.register_hardware_oath(tenant.id, cloud.add_user(tenant.id, name).upn, "LK-0001")
        assert len(inventory.with_serial(tenant, "lk-0001")) == 2


class TheFivePlaces:
    def test_are_for_apps_and_tokens_and_for_nothing_else(self) -> None:
        cloud = Cloud()
        tenant = cloud.add_tenant("Contoso", "contoso.example")
        user = cloud.add_user(tenant.id, "shared")
        for kind in ("software_oath", "hardware_oath", "microsoft_authenticator", "software_oath"):
            cloud.register(tenant.id, user.upn, kind)
        for kind in ("phone", "email", *["fido2"] * 20, *["windows_hello"] * 18):
            cloud.register(tenant.id, user.upn, kind)
        assert inventory.has_room(user)
        cloud.register(tenant.id, user.upn, "hardware_oath")
        assert not inventory.has_room(user)
        assert len(cloud.methods(tenant.id, user.upn)) == 45
        for placed in (one for one in kinds.KINDS.values() if one.takes_a_slot):
            with pytest.raises(NoRoom):
                cloud.register(tenant.id, user.upn, placed.name)
        cloud.register(tenant.id, user.upn, "fido2")


class ATemporaryAccessPass:
    def made(self, *, start: dt.datetime | None = None, minutes: int = 60, once: bool = False):
        return passes.made("p-1", "Fake+Pass", NOON, start=start, minutes=minutes, once=once)

    @pytest.mark.parametrize(
        ("after", "reason"), [(-1, "NotYetValid"), (0, "EnabledByPolicy"), (599, "EnabledByPolicy"), (600, "Expired")]
    )
    def test_counts_from_its_start_to_its_end(self, after: int, reason: str) -> None:
        start = NOON + dt.timedelta(hours=1)
        one = self.made(start=start, minutes=10)
        assert passes.usability(one, start + dt.timedelta(seconds=after), allowed=True) == reason

    def test_is_worth_nothing_against_the_policy(self) -> None:
        assert passes.usability(self.made(), NOON, allowed=False) == "DisabledByPolicy"

    def test_is_random_text_and_the_same_for_the_same_seed(self) -> None:
        texts = {passes.new_text(random.Random(number)) for number in range(50)}
        assert len(texts) == 50
        assert passes.new_text(random.Random(7)) == passes.new_text(random.Random(7))
