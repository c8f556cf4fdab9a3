"""The root key in an Azure Key Vault: tokens, operations, and what is said when one is refused.

No Azure could be reached where this was built. The vault here is a double that really wraps with RSA, written after
the pages of the Key Vault REST API 7.4 and of its error codes (tests/support/key_services.py).
"""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from msp.errors import KeyTrouble
from msp.vault.keepers.chosen import keeper_of
from msp.vault.keepers.port import KeyKeeper
from tests.support.key_services import APP, APPS_PASSWORD, DIRECTORY, VAULT, AzureService

HERE = b"tenant contoso"
KEY = bytes(range(32))


class Vaulted:
    """A keeper in front of one vault."""

    @pytest.fixture(autouse=True)
    def _service(self, tmp_path: Path) -> None:
        self.service = AzureService()
        self.password_file = tmp_path / "password"
        self.password_file.write_text(f"{APPS_PASSWORD}\n")

    def keeper(self, query: str = "", vault: str = VAULT) -> KeyKeeper:
        return keeper_of(
            f"azure+{vault}/root{query}",
            directory=Path("/nowhere"),
            token_file=str(self.password_file),
            wire=httpx.MockTransport(self.service),
        )

    def begun(self) -> KeyKeeper:
        keeper = self.keeper()
        keeper.make_unless_there()
        return keeper

    def trouble(self, keeper: KeyKeeper) -> str:
        with pytest.raises(KeyTrouble) as caught:
            keeper.wrap(KEY, HERE)
        told = f"{caught.value!r} {caught.value.__cause__!r}"
        assert not [secret for secret in (APPS_PASSWORD, *self.service.tokens) if secret in told]
        assert "Nothing was changed" in str(caught.value)
        return str(caught.value)


class AVaultThatAManagedIdentityOpens(Vaulted):
    def test_gets_the_machines_token_for_this_cloud(self) -> None:
        self.begun()
        (asked,) = self.service.token_requests
        assert dict(asked.url.params) == {"api-version": "2018-02-01", "resource": "https://vault.azure.net"}

    def test_gets_the_token_of_the_identity_that_is_named(self) -> None:
        self.keeper(f"?client={APP}").make_unless_there()
        assert self.service.token_requests[0].url.params["client_id"] == APP

    @pytest.mark.parametrize("domain", ["vault.azure.cn", "vault.usgovcloudapi.net", "managedhsm.azure.net"])
    def test_is_asked_for_in_the_cloud_of_the_vaults_address(self, domain: str) -> None:
        self.keeper(vault=f"https://keys.{domain}").make_unless_there()
        assert self.service.token_requests[0].url.params["resource"] == f"https://{domain}"

    def test_keeps_the_token_for_its_life(self) -> None:
        keeper = self.begun()
        wrapped, root = keeper.wrap(KEY, HERE)
        assert keeper.unwrap(wrapped, root, HERE, what="It") == KEY
        assert len(self.service.tokens) == 1

    def test_gets_another_token_after_one_was_not_taken(self) -> None:
        keeper = self.begun()
        self.service.tokens = ["another"]
        assert "does not take our token" in self.trouble(keeper)
        assert keeper.wrap(KEY, HERE)


class AVaultThatAnAppOpens(Vaulted):
    @pytest.mark.parametrize(
        ("domain", "sign_in"),
        [
            ("vault.azure.net", "https://login.microsoftonline.com"),
            ("vault.usgovcloudapi.net", "https://login.microsoftonline.us"),
            ("vault.azure.cn", "https://login.chinacloudapi.cn"),
        ],
    )
    def test_gets_the_apps_token_in_the_vaults_cloud(self, domain: str, sign_in: str) -> None:
        self.keeper(f"?tenant={DIRECTORY}&client={APP}", f"https://keys.{domain}").make_unless_there()
        (asked,) = self.service.token_requests
        assert str(asked.url) == f"{sign_in}/{DIRECTORY}/oauth2/v2.0/token"
        form = httpx.QueryParams(asked.content.decode())
        assert (form["scope"], form["client_id"]) == (f"https://{domain}/.default", APP)
        assert self.service.keys["root"]

    def test_names_the_file_of_a_password_that_is_not_taken(self) -> None:
        self.password_file.write_text("an old one")
        assert "LATCHKEY_KEYS_TOKEN_FILE" in self.trouble(self.keeper(f"?tenant={DIRECTORY}&client={APP}"))


class AnAzureRootKey(Vaulted):
    def test_is_named_by_key_and_version(self) -> None:
        keeper = self.begun()
        (version,) = self.service.keys["root"]
        assert keeper.current() == f"azure:root/{version}"

    def test_is_disabled_and_not_deleted_when_it_is_retired(self) -> None:
        keeper = self.begun()
        wrapped, root = keeper.wrap(KEY, HERE)
        keeper.make_next()
        keeper.retire(root)
        with pytest.raises(KeyTrouble, match="disabled"):
            keeper.unwrap(wrapped, root, HERE, what="It")
        self.service.keys["root"][root.removeprefix("azure:root/")].enabled = True
        assert keeper.unwrap(wrapped, root, HERE, what="It") == KEY


class WhenTheVaultDoesNotServe(Vaulted):
    @pytest.mark.parametrize(("status", "words"), [(429, "patience"), (500, "it answered 500"), (503, "503")])
    def test_each_state_of_it_is_told(self, status: int, words: str) -> None:
        keeper = self.begun()
        self.service.trouble = status
        assert words in self.trouble(keeper)

    def test_a_missing_right_is_told(self) -> None:
        keeper = self.begun()
        self.service.forbidden = True
        assert "docs/keys.md" in self.trouble(keeper)

    def test_a_machine_without_an_identity_is_told(self) -> None:
        self.service.has_identity = False
        assert "no such managed identity" in self.trouble(self.keeper())

    def test_a_key_that_is_gone_is_not_made_anew(self) -> None:
        keeper = self.begun()
        self.service.keys.clear()
        assert "recover the deleted key" in self.trouble(keeper)
        assert self.service.keys == {}

    def test_a_key_that_may_not_wrap_is_refused(self) -> None:
        keeper = self.begun()
        self.service.operations = ["sign", "verify"]
        assert "may wrap and unwrap" in self.trouble(keeper)

    def test_an_answer_of_somebody_else_is_told(self) -> None:
        keeper = self.begun()
        self.service.answer = httpx.Response(200, text="<html>")
        assert "Check the address" in self.trouble(keeper)
