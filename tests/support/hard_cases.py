"""A technician who holds one account of every sort that a departure can meet."""

from __future__ import annotations

from typing import Any

import pytest

from msp.errors import DirectoryError
from msp.simulator import administration
from technicians.actions.bind_authenticator import bind_authenticator
from technicians.models import Authenticator
from tenants.actions.observe_account import observe_account
from tenants.models import SharedAccount, Tenant
from tests.support.world import World


class HardCases:
    """One account of every sort that a departure can meet; Ana holds them all, and Ben holds most of them."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.ana, self.ben = world.technician("Ana"), world.technician("Ben")
        self.accounts: dict[str, SharedAccount] = {}
        self.usual = self._held("usual")
        self._second_account_of_the_tenant()
        self._her_push_is_the_default()
        self._two_phones()
        self._nobody_else_has_a_way_in()
        self._held("break-glass", break_glass=True)
        self._told("synced", synced=True)
        self._told("disabled", enabled=False)
        self._hands_off()
        self._no_consent()
        self._gone()

    def _held(self, name: str, **facts: Any) -> SharedAccount:
        account = self.accounts[name] = self.world.account(self.world.tenant(name), **facts)
        self.world.give(account, self.ana, self.ben)
        return account

    def _second_account_of_the_tenant(self) -> None:
        account = self.accounts["second"] = self.world.account(self.usual.tenant, "second")
        self.world.give(account, self.ana, self.ben)

    def _her_push_is_the_default(self) -> None:
        account = self.accounts["default"] = self.world.account(self.world.tenant("default"))
        self.world.give(account, self.ana, kind="microsoft_authenticator")
        self.world.give(account, self.ben)
        assert self._at_microsoft(account).default == "push"

    def _two_phones(self) -> None:
        account = self._held("phones")
        for kind_of_phone in ("mobile", "alternateMobile"):
            made = self.world.cloud.register(
                self.world.directory_id(account), account.object_id, "phone", phoneType=kind_of_phone
            )
            observe_account(account, outside=self.world.outside)
            method = account.methods.present().get(directory_id=made.id)
            bind_authenticator(method, self.ana, by=self.world.owner, proof=Authenticator.Proof.IMPORTED)

    def _nobody_else_has_a_way_in(self) -> None:
        account = self.accounts["last way in"] = self.world.account(self.world.tenant("last"))
        self.world.give(account, self.ana)

    def _told(self, name: str, **changes: Any) -> None:
        account = self._held(name)
        administration.set_user(self.world.cloud, self.world.directory_id(account), account.object_id, changes)
        observe_account(account, outside=self.world.outside)

    def _hands_off(self) -> None:
        account = self._held("hands-off")
        Tenant.objects.filter(pk=account.tenant_id).update(hands_off=True)

    def _no_consent(self) -> None:
        account = self._held("no-consent")
        self.world.cloud.withdraw_consent(self.world.connection.client_id, self.world.directory_id(account))
        self._cannot_be_read(account)

    def _gone(self) -> None:
        account = self._held("gone")
        administration.remove_user(self.world.cloud, self.world.directory_id(account), account.user_principal_name)
        self._cannot_be_read(account)

    def _cannot_be_read(self, account: SharedAccount) -> None:
        # A tenant that took consent away turns away a token that it gave before, too.
        with pytest.raises(DirectoryError):
            observe_account(account, outside=self.world.outside)

    def _at_microsoft(self, account: SharedAccount) -> Any:
        return self.world.cloud.user(self.world.directory_id(account), account.object_id)
