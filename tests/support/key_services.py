"""Key services for tests: a transit engine and an Azure Key Vault that really encrypt, and a real SoftHSM.

Where this was built no OpenBao, HashiCorp Vault or Azure could be reached. The first two are therefore written after
their API pages, to answer as those say; SoftHSM is the real one.
"""

from __future__ import annotations

import atexit
import base64
import json
import os
import re
import secrets
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import rsa, utils
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP, PSS
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256

ENGINES_TOKEN = "hvs.Planted-engine-token"
APPS_PASSWORD = "Planted-app-password"
VAULT = "https://keys.vault.azure.net"
DIRECTORY, APP = "contoso.example", "22222222-aaaa-4aaa-8aaa-222222222222"


@dataclass
class TransitKey:
    kind: str = "aes256-gcm96"
    versions: list[bytes] = field(default_factory=lambda: [secrets.token_bytes(32)])
    lowest: int = 1


class TransitEngine:
    """Mounted at `transit`. `trouble` is a status that every request gets, 0 for none; `answers` stand for its own,
    by the first word of the path.
    """

    def __init__(self) -> None:
        self.token, self.trouble, self.is_there = ENGINES_TOKEN, 0, True
        self.keys: dict[str, TransitKey] = {}
        self.answers: dict[str, httpx.Response] = {}
        self.knows_associated_data = True

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if not self.is_there:
            raise httpx.ConnectError("refused")
        if self.trouble:
            return httpx.Response(self.trouble, json={"errors": ["trouble"]})
        if request.headers.get("x-vault-token") != self.token:
            return httpx.Response(403, json={"errors": ["permission denied"]})
        said = json.loads(request.content) if request.content else {}
        wanted = (request.method, request.url.path.removeprefix("/v1/transit"))
        if answer_of_somebody := self.answers.get(wanted[1].split("/")[1]):
            return answer_of_somebody
        for method, path, answer in (
            ("GET", r"/keys/(\w+)", self.read),
            ("POST", r"/keys/(\w+)", self.create),
            ("POST", r"/keys/(\w+)/rotate", self.rotate),
            ("POST", r"/keys/(\w+)/config", self.configure),
            ("POST", r"/encrypt/(\w+)", self.encrypt),
            ("POST", r"/decrypt/(\w+)", self.decrypt),
        ):
            found = re.fullmatch(path, wanted[1])
            if found and method == wanted[0]:
                return answer(found[1], said)
        return httpx.Response(404, json={"errors": ["no handler for route"]})

    def read(self, name: str, _said: dict[str, Any]) -> httpx.Response:
        key = self.keys.get(name)
        if key is None:
            return httpx.Response(404, json={"errors": []})
        numbers = range(key.lowest, len(key.versions) + 1)
        return _data(
            type=key.kind,
            derived=False,
            exportable=False,
            keys={str(n): 1442851412 for n in numbers},
            min_decryption_version=key.lowest,
            min_encryption_version=0,
        )

    def create(self, name: str, said: dict[str, Any]) -> httpx.Response:
        self.keys.setdefault(name, TransitKey(said.get("type", "aes256-gcm96")))
        return httpx.Response(204)

    def rotate(self, name: str, _said: dict[str, Any]) -> httpx.Response:
        if name not in self.keys:
            return httpx.Response(400, json={"errors": ["key not found"]})
        self.keys[name].versions.append(secrets.token_bytes(32))
        return httpx.Response(204)

    def configure(self, name: str, said: dict[str, Any]) -> httpx.Response:
        key, lowest = self.keys[name], said["min_decryption_version"]
        if not 1 <= lowest <= len(key.versions):
            return httpx.Response(400, json={"errors": ["cannot set min decryption version"]})
        key.lowest = lowest
        return httpx.Response(204)

    def encrypt(self, name: str, said: dict[str, Any]) -> httpx.Response:
        key = self.keys.setdefault(name, TransitKey())  # it makes a key that is not there ("Encrypt data")
        version, nonce = said.get("key_version") or len(key.versions), secrets.token_bytes(12)
        locked = AESGCM(key.versions[version - 1]).encrypt(nonce, _raw(said["plaintext"]), self.associated(said))
        return _data(ciphertext=f"vault:v{version}:{_text(nonce + locked)}", key_version=version)

    def decrypt(self, name: str, said: dict[str, Any]) -> httpx.Response:
        found = re.fullmatch(r"vault:v(\d+):(.+)", said["ciphertext"])
        key = self.keys.get(name)
        if key is None or found is None or not key.lowest <= int(found[1]) <= len(key.versions):
            return httpx.Response(400, json={"errors": ["invalid ciphertext, or version is disallowed by policy"]})
        try:
            locked = _raw(found[2])
            opened = AESGCM(key.versions[int(found[1]) - 1]).decrypt(locked[:12], locked[12:], self.associated(said))
        except (InvalidTag, ValueError):
            return httpx.Response(400, json={"errors": ["cipher: message authentication failed"]})
        return _data(plaintext=_text(opened))

    def associated(self, said: dict[str, Any]) -> bytes | None:
        return _raw(said.get("associated_data", "")) if self.knows_associated_data else None


@dataclass
class AzureVersion:
    key: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))
    enabled: bool = True


class AzureService:
    """One vault, the sign-in of its directory, and the token endpoint of the machine."""

    def __init__(self) -> None:
        self.keys: dict[str, dict[str, AzureVersion]] = {}
        self.operations = ["wrapKey", "unwrapKey", "sign"]
        self.tokens: list[str] = []
        self.token_requests: list[httpx.Request] = []
        self.has_identity, self.password, self.trouble, self.forbidden = True, APPS_PASSWORD, 0, False
        self.answer: httpx.Response | None = None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.trouble:
            return httpx.Response(self.trouble)
        if request.url.host == "169.254.169.254":
            return self.machine(request)
        if request.url.host.startswith("login."):
            return self.sign_in(request)
        assert request.url.params["api-version"] == "7.4"
        if request.headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens:
            return httpx.Response(401, json={"error": {"code": "Unauthorized", "message": "AKV10000"}})
        if self.forbidden:
            return _azure_error(403, "Forbidden", "ForbiddenByRbac")
        return self.answer or self.key(request)

    def machine(self, request: httpx.Request) -> httpx.Response:
        self.token_requests.append(request)
        if not self.has_identity or request.headers.get("metadata") != "true":
            return httpx.Response(400, json={"error": "invalid_request", "error_description": "Identity not found"})
        return self.granted(as_text=True)

    def sign_in(self, request: httpx.Request) -> httpx.Response:
        self.token_requests.append(request)
        if httpx.QueryParams(request.content.decode())["client_secret"] != self.password:
            return httpx.Response(401, json={"error": "invalid_client"})
        return self.granted(as_text=False)

    def granted(self, *, as_text: bool) -> httpx.Response:
        self.tokens.append(f"Planted-azure-token-{len(self.tokens)}")
        seconds: int | str = "86399" if as_text else 3599
        return httpx.Response(
            200, json={"access_token": self.tokens[-1], "expires_in": seconds, "token_type": "Bearer"}
        )

    def key(self, request: httpx.Request) -> httpx.Response:
        name, _, rest = request.url.path.removeprefix("/keys/").partition("/")
        said = json.loads(request.content) if request.content else {}
        versions = self.keys.get(name, {})
        if (request.method, rest) == ("POST", "create") or ((request.method, rest) == ("POST", "rotate") and versions):
            self.keys.setdefault(name, {})[secrets.token_hex(16)] = AzureVersion()
            return self.described(name)
        if not versions:
            return _azure_error(404, "KeyNotFound")
        if (request.method, rest) == ("GET", ""):
            return self.described(name)
        number, _, operation = rest.partition("/")
        if number not in versions:
            return _azure_error(404, "KeyNotFound")
        if request.method == "PATCH":
            versions[number].enabled = said["attributes"]["enabled"]
            return self.described(name, number)
        if not versions[number].enabled:
            return _azure_error(403, "Forbidden", "KeyDisabled")
        return self.used(versions[number].key, operation, said)

    def described(self, name: str, number: str = "") -> httpx.Response:
        number = number or list(self.keys[name])[-1]
        key = {"kid": f"{VAULT}/keys/{name}/{number}", "kty": "RSA", "key_ops": self.operations}
        return httpx.Response(200, json={"key": key, "attributes": {"enabled": self.keys[name][number].enabled}})

    def used(self, key: rsa.RSAPrivateKey, operation: str, said: dict[str, Any]) -> httpx.Response:
        value, padding = _raw_url(said["value"]), OAEP(MGF1(SHA256()), SHA256(), None)
        if (operation, said["alg"]) == ("wrapkey", "RSA-OAEP-256"):
            made = key.public_key().encrypt(value, padding)
        elif (operation, said["alg"]) == ("sign", "PS256"):
            made = key.sign(value, PSS(MGF1(SHA256()), SHA256.digest_size), utils.Prehashed(SHA256()))
        elif (operation, said["alg"]) == ("unwrapkey", "RSA-OAEP-256"):
            try:
                made = key.decrypt(value, padding)
            except ValueError:
                return _azure_error(400, "BadParameter")
        else:
            return _azure_error(400, "BadParameter")
        return httpx.Response(200, json={"value": base64.urlsafe_b64encode(made).rstrip(b"=").decode()})


@dataclass(frozen=True)
class SoftHsm:
    """A token of SoftHSM with the label `latchkey`, made for this process alone."""

    module: str
    pin_file: Path
    pin: str = "Planted-pin-4711"
    token: str = "latchkey"

    def key(self, label: str) -> str:
        return f"pkcs11:token={self.token};object={label}?module-path={self.module}&pin-source=file:{self.pin_file}"


def soft_hsm_needed() -> SoftHsm:
    """Skip the calling test where SoftHSM is absent; fail it in CI, where it must be there."""
    if shutil.which("softhsm2-util") and _module():
        return _soft_hsm()
    reason = "no SoftHSM on this machine; `apt-get install -y softhsm2` brings it"
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def _module() -> str:
    places = (
        "/usr/lib/softhsm",
        "/usr/lib/*/softhsm",
        "/usr/lib64/softhsm",
        "/usr/local/lib/softhsm",
        "/opt/homebrew/lib/softhsm",
    )
    found = (str(path) for place in places for path in Path("/").glob(f"{place[1:]}/libsofthsm2.so"))
    return next(found, "")


@cache
def _soft_hsm() -> SoftHsm:
    """The library reads its settings once per process, so there is one of these."""
    place = Path(tempfile.mkdtemp(prefix="latchkey-hsm-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    (place / "tokens").mkdir()
    (place / "conf").write_text(
        f"directories.tokendir = {place}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n"
    )
    os.environ["SOFTHSM2_CONF"] = str(place / "conf")
    hsm = SoftHsm(_module(), place / "pin")
    hsm.pin_file.write_text(f"{hsm.pin}\n")
    command = ["softhsm2-util", "--init-token", "--free", "--label", hsm.token, "--so-pin", "of-the-officer"]
    subprocess.run([*command, "--pin", hsm.pin], check=True, capture_output=True, timeout=120)
    return hsm


def _data(**data: Any) -> httpx.Response:
    return httpx.Response(200, json={"data": data})


def _azure_error(status: int, code: str, inner: str = "") -> httpx.Response:
    error: dict[str, Any] = {"code": code, "message": "..."}
    if inner:
        error["innererror"] = {"code": inner}
    return httpx.Response(status, json={"error": error})


def _raw(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _raw_url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")
