"""Five situations with a keeper of the root key, each with its operator: what every keeper promises is asked of all."""

from __future__ import annotations

import base64
import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pkcs11
import pytest

from msp.errors import KeyTrouble
from msp.key_services.names import key_named
from msp.key_services.pkcs11_token import Pkcs11Token
from msp.vault.keepers.chosen import ROOT_KEY, keeper_of
from msp.vault.keepers.port import KeyKeeper
from tests.support.key_services import ENGINES_TOKEN, VAULT, AzureService, TransitEngine, soft_hsm_needed

TRANSIT = "transit+https://keeper.example:8200/transit/root"
AZURE = f"azure+{VAULT}/root"


class Situation(ABC):
    """A keeper, what its operator can do, and what nobody may ever see."""

    @abstractmethod
    def keeper(self) -> KeyKeeper:
        """As another process would have it."""

    @abstractmethod
    def lose_every_root_key(self) -> None: ...

    @abstractmethod
    def root_keys(self) -> object:
        """Whatever there is, to compare."""

    @abstractmethod
    def planted(self) -> list[bytes]:
        """Secrets: of the keeper, and on the way to it."""

    def begin(self) -> None:
        self.keeper().make_unless_there()

    def move_on(self) -> str:
        return self.keeper().make_next()

    def retire(self, root_key_id: str) -> None:
        self.keeper().retire(root_key_id)


class OfFile(Situation):
    def __init__(self, place: Path) -> None:
        self.directory = place / "keys"

    def keeper(self) -> KeyKeeper:
        return keeper_of("file", directory=self.directory)

    def lose_every_root_key(self) -> None:
        for path in self.directory.iterdir():
            path.unlink()

    def root_keys(self) -> object:
        return {path.name: path.read_bytes() for path in self.directory.iterdir()}

    def planted(self) -> list[bytes]:
        return [path.read_bytes() for path in self.directory.iterdir()]


class OfEnvironment(Situation):
    """A process sees the environment of its start: changing it is the operator's act."""

    def __init__(self, place: Path) -> None:
        self.place, self.root, self.older = place, "", ""

    def keeper(self) -> KeyKeeper:
        return keeper_of(
            "environment", directory=self.place, root_key=lambda: self.root, older_root_keys=lambda: self.older
        )

    def begin(self) -> None:
        self.root = self.root or base64.b64encode(secrets.token_bytes(32)).decode()
        self.keeper().make_unless_there()

    def move_on(self) -> str:
        with pytest.raises(KeyTrouble, match="openssl rand -base64 32"):
            self.keeper().make_next()
        self.older, self.root = f"{self.root},{self.older}", base64.b64encode(secrets.token_bytes(32)).decode()
        return self.keeper().current()

    def retire(self, root_key_id: str) -> None:
        self.keeper().retire(root_key_id)
        self.older = ""

    def lose_every_root_key(self) -> None:
        self.root = self.older = ""

    def root_keys(self) -> object:
        return self.root, self.older

    def planted(self) -> list[bytes]:
        return [part.encode() for part in (self.root, *self.older.split(",")) if part]


class OfTransit(Situation):
    def __init__(self, place: Path) -> None:
        self.engine, self.place = TransitEngine(), place
        (place / "token").write_text(f"{ENGINES_TOKEN}\n")

    def keeper(self) -> KeyKeeper:
        token_file = str(self.place / "token")
        wire = httpx.MockTransport(self.engine)
        return keeper_of(TRANSIT, directory=self.place, token_file=token_file, wire=wire)

    def lose_every_root_key(self) -> None:
        self.engine.keys.clear()

    def root_keys(self) -> object:
        return {name: (list(key.versions), key.lowest) for name, key in self.engine.keys.items()}

    def planted(self) -> list[bytes]:
        return [ENGINES_TOKEN.encode(), *(v for key in self.engine.keys.values() for v in key.versions)]


class OfAzure(Situation):
    def __init__(self, place: Path) -> None:
        self.service, self.place = AzureService(), place

    def keeper(self) -> KeyKeeper:
        return keeper_of(AZURE, directory=self.place, wire=httpx.MockTransport(self.service))

    def lose_every_root_key(self) -> None:
        self.service.keys.clear()

    def root_keys(self) -> object:
        return {name: list(versions) for name, versions in self.service.keys.items()}

    def planted(self) -> list[bytes]:
        return [token.encode() for token in self.service.tokens]


class OfToken(Situation):
    """A label of its own on the one SoftHSM of this process."""

    def __init__(self) -> None:
        self.hsm, self.label = soft_hsm_needed(), f"root-{secrets.token_hex(4)}"

    def keeper(self) -> KeyKeeper:
        return keeper_of(self.hsm.key(self.label), directory=Path("/nowhere"))

    def lose_every_root_key(self) -> None:
        self.token().use(lambda session: [key.destroy() for key in self.keys(session)])

    def root_keys(self) -> object:
        return self.token().use(lambda session: sorted(key.id for key in self.keys(session)))

    def token(self) -> Pkcs11Token:
        return Pkcs11Token(key_named(self.hsm.key(self.label), "LATCHKEY_KEYS", otherwise="file"), ROOT_KEY)

    def keys(self, session: pkcs11.Session) -> list[Any]:
        return self.token().labelled(session, pkcs11.ObjectClass.SECRET_KEY, pkcs11.KeyType.AES)

    def planted(self) -> list[bytes]:
        return [self.hsm.pin.encode()]


SITUATIONS: dict[str, Callable[[Path], Situation]] = {
    "file": OfFile,
    "environment": OfEnvironment,
    "transit": OfTransit,
    "azure": OfAzure,
    "pkcs11": lambda _: OfToken(),
}
