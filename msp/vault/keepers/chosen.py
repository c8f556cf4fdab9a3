"""The keeper that the installation chose by LATCHKEY_KEYS."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import httpx
from django.conf import settings

from msp.errors import BadInput
from msp.key_services.azure import AzureVault
from msp.key_services.names import AzureKey, TransitKey, key_named
from msp.key_services.pkcs11_token import Pkcs11Token
from msp.key_services.purpose import Purpose
from msp.key_services.transit import Transit
from msp.vault.keepers.azure import AzureKeeper
from msp.vault.keepers.environment import EnvironmentKeeper
from msp.vault.keepers.file import FileKeeper
from msp.vault.keepers.pkcs11 import Pkcs11Keeper
from msp.vault.keepers.port import KeyKeeper
from msp.vault.keepers.transit import TransitKeeper

ROOT_KEY = Purpose("LATCHKEY_KEYS", "The root key", "Nothing was changed")


def chosen_keeper() -> KeyKeeper:
    """The keeper of this installation; nothing is opened or sent yet. Raises BadInput, naming the setting."""
    return keeper_of(directory=settings.KEY_DIRECTORY, **settings.KEYS)


def keeper_of(
    named: str,
    *,
    directory: Path,
    token_file: str = "",
    ca_bundle: str = "",
    root_key: Callable[[], str] = str,
    older_root_keys: Callable[[], str] = str,
    wire: httpx.BaseTransport | None = None,
) -> KeyKeeper:
    """The keeper that `named` says: file, environment, or the name of a key in a key service (docs/keys.md).

    `directory` is the file keeper's, the two functions are the environment's, `token_file` and `ca_bundle` belong to
    the services that are asked over HTTPS. `wire` replaces the network (for tests). Raises BadInput.
    """
    if named == "file":
        return FileKeeper(directory)
    if named == "environment":
        return EnvironmentKeeper(root_key, older_root_keys)
    name = key_named(named, ROOT_KEY.setting, otherwise="file, environment")
    if isinstance(name, AzureKey):
        return AzureKeeper(AzureVault(name, ROOT_KEY, secret_file=token_file, ca_bundle=ca_bundle, wire=wire))
    if isinstance(name, TransitKey):
        if not token_file:
            raise BadInput(f"LATCHKEY_KEYS names a key keeper, so {ROOT_KEY.secret_setting} must be set too.")
        return TransitKeeper(Transit(name, ROOT_KEY, token_file=token_file, ca_bundle=ca_bundle, wire=wire))
    return Pkcs11Keeper(Pkcs11Token(name, ROOT_KEY))
