"""The authenticator with which people sign in to Latchkey itself: a code works once, a seed is never readable."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django_otp.oath import TOTP

from msp.access.actions import check_code, confirm_device, make_totp_device, otpauth_uri
from msp.access.models import TotpDevice
from msp.errors import BadInput
from tests.support.world import World, second_factor_of


def code_at(seed: bytes, moment: float) -> str:
    totp = TOTP(seed)
    totp.time = moment
    return f"{totp.token():06d}"


class ACode:
    @pytest.fixture(autouse=True)
    def _scene(self, world: World) -> None:
        self.world, self.vault = world, world.outside.vault
        self.seed = second_factor_of(world, world.owner)

    def test_lets_in_once_and_never_again(self):
        code = code_at(self.seed, time.time())
        check_code(self.world.owner, code, vault=self.vault)
        with pytest.raises(BadInput, match="used already"):
            check_code(self.world.owner, code, vault=self.vault)

    def test_of_an_earlier_step_is_dead_once_a_later_one_was_used(self):
        now = time.time()
        check_code(self.world.owner, code_at(self.seed, now), vault=self.vault)
        with pytest.raises(BadInput):
            check_code(self.world.owner, code_at(self.seed, now - 30), vault=self.vault)

    @pytest.mark.parametrize("wrong", ["", "12345", "1234567", "abcdef", "١٢٣٤٥٦"])
    def test_that_is_no_code_is_refused_in_words(self, wrong: str):
        with pytest.raises(BadInput):
            check_code(self.world.owner, wrong, vault=self.vault)

    def test_that_is_wrong_slows_the_next_try_down(self):
        right = code_at(self.seed, time.time())
        for _ in range(3):
            with pytest.raises(BadInput):
                check_code(self.world.owner, "000000" if right != "000000" else "111111", vault=self.vault)
        with pytest.raises(BadInput, match="Too many"):
            check_code(self.world.owner, right, vault=self.vault)

    def test_of_a_device_that_nobody_confirmed_lets_nobody_in(self):
        TotpDevice.objects.update(confirmed=False)
        with pytest.raises(BadInput, match="no authenticator"):
            check_code(self.world.owner, code_at(self.seed, time.time()), vault=self.vault)


@pytest.mark.django_db(transaction=True)
class WhenOneCodeIsSentTwiceAtOnce:
    def test_one_of_the_two_wins(self, transactional_db: None, world: World):
        seed = second_factor_of(world, world.owner)
        code = code_at(seed, time.time())

        def tries(_number: int) -> bool:
            try:
                check_code(world.owner, code, vault=world.outside.vault)
            except BadInput:
                return False
            finally:
                connection.close()
            return True

        with ThreadPoolExecutor(4) as pool:
            assert sum(pool.map(tries, range(4))) == 1


class ASeed:
    def test_has_160_bits_and_is_new_each_time(self, world: World):
        made = {make_totp_device(world.owner, vault=world.outside.vault)[1] for _ in range(20)}
        assert len(made) == 20
        assert {len(seed) for seed in made} == {20}

    def test_replaces_the_old_one_only_when_its_first_code_is_right(self, world: World):
        old = second_factor_of(world, world.owner)
        device, new = make_totp_device(world.owner, vault=world.outside.vault)
        with pytest.raises(BadInput):
            confirm_device(device, code_at(old, time.time()), vault=world.outside.vault)
        assert TotpDevice.objects.filter(user=world.owner, confirmed=True).count() == 1
        confirm_device(device, code_at(new, time.time()), vault=world.outside.vault)
        assert TotpDevice.objects.get(user=world.owner).pk == device.pk

    def test_is_shown_to_an_app_in_the_form_that_every_app_understands(self, world: World):
        uri = otpauth_uri(world.owner, b"12345678901234567890")
        assert uri.startswith("otpauth://totp/Latchkey:olga@reseller.example?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&")
        assert "algorithm=SHA1" in uri and "digits=6" in uri and "period=30" in uri
