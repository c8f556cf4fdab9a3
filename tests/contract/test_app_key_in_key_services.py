"""The key of the app's certificate with Azure Key Vault (a double: none could be reached) and in a real SoftHSM.

The transit engine signs in tests/rules/test_microsoft_signing.py.
"""

from __future__ import annotations

import datetime as dt
import secrets
from pathlib import Path
from typing import Any

import httpx
import jwt
import pkcs11
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from msp.errors import BadInput, Busy, DirectoryError, NoConnection
from msp.key_services.names import Pkcs11Key, key_named
from msp.key_services.pkcs11_token import Pkcs11Token
from msp.microsoft.connection import Connection
from msp.microsoft.signing import client_assertion, way_to_sign
from msp.microsoft.signing.kept import APPS_KEY
from tests.support.key_services import APP, DIRECTORY, VAULT, AzureService, AzureVersion, soft_hsm_needed

URL = "https://login.microsoftonline.com/contoso.example/oauth2/v2.0/token"


def certificate_of(key: rsa.RSAPublicKey) -> x509.Certificate:
    """By an authority of its own, because the key itself cannot be had."""
    now, authority = dt.datetime.now(dt.UTC), rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "latchkey test")])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key)
        .serial_number(7)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(authority, hashes.SHA256())
    )


class AppWithAKeptKey:
    """Its certificate lies here; `key` names where its key is."""

    @pytest.fixture(autouse=True)
    def _place(self, tmp_path: Path) -> None:
        self.place = tmp_path
        self.service = AzureService()
        self.key, self.token_file = "", ""

    def install(self, public: rsa.RSAPublicKey) -> None:
        (self.place / "certificate.pem").write_bytes(certificate_of(public).public_bytes(Encoding.PEM))

    def assertion(self) -> str:
        certificate = str(self.place / "certificate.pem")
        connection = Connection("app", certificate, client_key=self.key, client_key_token_file=self.token_file)
        sign = way_to_sign(connection, wire=httpx.MockTransport(self.service))
        return client_assertion(sign(), "app", URL)

    def read_by_microsoft(self, assertion: str) -> dict[str, Any]:
        public = x509.load_pem_x509_certificate((self.place / "certificate.pem").read_bytes()).public_key()
        read: dict[str, Any] = jwt.decode(assertion, public, algorithms=["PS256"], audience=URL)
        return read

    def trouble(self) -> DirectoryError:
        with pytest.raises((NoConnection, Busy)) as caught:
            self.assertion()
        assert "Nothing was sent to Microsoft" in str(caught.value)
        return caught.value


class WhenAzureKeyVaultHasTheKey(AppWithAKeptKey):
    @pytest.fixture(autouse=True)
    def _vault(self, _place: None) -> None:
        self.key = f"azure+{VAULT}/app"
        self.service.keys["app"] = {"0" * 32: AzureVersion()}
        self.install(self.service.keys["app"]["0" * 32].key.public_key())

    def test_the_certificate_proves_what_it_signs(self) -> None:
        assert self.read_by_microsoft(self.assertion())["iss"] == "app"

    def test_its_silence_is_a_matter_of_patience(self) -> None:
        self.service.trouble = 503
        assert (type(self.trouble()), self.trouble().code) == (Busy, "key_keeper_silent")

    def test_a_missing_right_is_for_a_person_to_mend(self) -> None:
        self.service.forbidden = True
        assert (type(self.trouble()), self.trouble().code) == (NoConnection, "key_keeper_refused")

    def test_a_version_that_the_certificate_does_not_know_never_reaches_microsoft(self) -> None:
        self.service.keys["app"]["1" * 32] = AzureVersion()
        assert "does not fit the certificate" in str(self.trouble())

    def test_a_key_that_it_does_not_have_is_told_by_its_setting(self) -> None:
        self.key = f"azure+{VAULT}/another"
        assert "Correct LATCHKEY_CLIENT_KEY" in str(self.trouble())

    def test_an_app_without_a_password_is_told_by_the_setting(self) -> None:
        self.key = f"azure+{VAULT}/app?tenant={DIRECTORY}&client={APP}"
        with pytest.raises(BadInput, match="LATCHKEY_CLIENT_KEY_TOKEN_FILE"):
            self.assertion()
        (self.place / "password").write_text("")
        self.token_file = str(self.place / "password")
        assert self.trouble().code == "key_keeper_token_missing"


class WhenAPkcs11TokenHasTheKey(AppWithAKeptKey):
    @pytest.fixture(autouse=True)
    def _token(self, _place: None) -> None:
        self.hsm = soft_hsm_needed()
        self.label = f"app-{secrets.token_hex(4)}"
        self.key = self.hsm.key(self.label)
        self.install(self.generated())

    def generated(self) -> rsa.RSAPublicKey:
        """Another pair of keys under the label; the private one stays in the token."""
        name = key_named(self.key, "LATCHKEY_CLIENT_KEY", otherwise="empty")
        assert isinstance(name, Pkcs11Key)

        def generate(session: pkcs11.Session) -> rsa.RSAPublicKey:
            public, _ = session.generate_keypair(pkcs11.KeyType.RSA, 2048, label=self.label, store=True)
            modulus = int.from_bytes(public[pkcs11.Attribute.MODULUS], "big")
            return rsa.RSAPublicNumbers(65537, modulus).public_key()

        return Pkcs11Token(name, APPS_KEY).use(generate)

    def test_the_certificate_proves_what_it_signs(self) -> None:
        assert self.read_by_microsoft(self.assertion())["iss"] == "app"

    def test_of_two_keys_the_certificates_own_signs(self) -> None:
        """While a certificate is renewed, the next key lies beside the present one."""
        following = self.generated()
        assert self.read_by_microsoft(self.assertion())
        self.install(following)
        assert self.read_by_microsoft(self.assertion())

    def test_a_certificate_of_another_key_never_reaches_microsoft(self) -> None:
        self.install(rsa.generate_private_key(65537, 2048).public_key())
        assert "does not fit the certificate" in str(self.trouble())

    def test_a_label_without_a_key_is_told(self) -> None:
        self.key = self.hsm.key(f"{self.label}-none")
        assert "no such key. Correct LATCHKEY_CLIENT_KEY" in str(self.trouble())

    def test_a_file_without_a_pin_is_told(self) -> None:
        (self.place / "pin").write_text("")
        self.key = self.key.replace(str(self.hsm.pin_file), str(self.place / "pin"))
        trouble = self.trouble()
        assert trouble.code == "key_keeper_token_missing"
        assert str(self.place / "pin") in str(trouble)
