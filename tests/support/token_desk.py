"""Contoso's shared account, Ben who has an authenticator there, and Ana who enrols with a seed of ours."""

from __future__ import annotations

import time
from typing import Any

import pytest

from technicians.actions.assign import assign
from technicians.actions.open_enrolments import open_enrolments
from technicians.actions.prove_enrolment import prove_enrolment
from technicians.actions.show_seed import ShownSeed, show_seed
from technicians.codes import SECONDS, code_at
from technicians.models import Enrolment, Technician
from tenants.actions.observe_account import observe_account
from tenants.models import Registration, SharedAccount
from tests.support.world import World


class TokenDesk:
    @pytest.fixture(autouse=True)
    def _scene(self, world: World) -> None:
        self.world = world
        self.tenant = world.tenant("Contoso")
        world.allow_tokens(self.tenant)
        self.account = world.account(self.tenant)
        self.ana, self.ben = world.technician("Ana"), world.technician("Ben")
        world.give(self.account, self.ben)
        assign(self.ana, self.account, by=world.owner, reason="on the team")
        observe_account(self.account, outside=world.outside)

    def begin(self, person: Technician | None = None, **more: Any) -> Enrolment:
        person = person or self.ana
        begun = open_enrolments(person, [self.account], by=person, outside=self.world.outside, **more)
        assert begun.run is not None
        self.run = begun.run
        return begun.enrolments[0]

    def ready(self, person: Technician | None = None) -> tuple[Enrolment, ShownSeed]:
        enrolment = self.begin(person)
        self.world.work(self.run)
        return self.again(enrolment), show_seed(enrolment, by=person or self.ana, outside=self.world.outside)

    def again(self, enrolment: Enrolment) -> Enrolment:
        return Enrolment.objects.select_related("registration__account", "account", "technician").get(pk=enrolment.pk)

    def prove(self, enrolment: Enrolment, code: str) -> None:
        prove_enrolment(enrolment, code, by=enrolment.technician, outside=self.world.outside)

    def enrolled(self, person: Technician | None = None) -> tuple[Enrolment, ShownSeed]:
        enrolment, seed = self.ready(person)
        self.prove(enrolment, code_now(seed))
        self.world.work(self.run)
        return self.again(enrolment), seed

    def gets_in(self, code: str, account: SharedAccount | None = None) -> bool:
        account = account or self.account
        result = self.world.cloud.sign_in(
            self.world.directory_id(account),
            account.user_principal_name,
            self.world.password_at_microsoft(account),
            code,
        )
        return bool(result.session)

    @property
    def inventory(self) -> list[Any]:
        return list(self.world.cloud.tenant(str(self.tenant.directory_id)).tokens.values())

    def nothing_is_left(self) -> bool:
        return self.inventory == [] and not Registration.objects.to_clean_up().exists()


def code_now(seed: ShownSeed, *, steps: int = 0) -> str:
    return code_at(seed.key, int(time.time() // SECONDS) + steps)
