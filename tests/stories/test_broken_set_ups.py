"""Set-ups that are broken in one way each, really set up; `doctor` or `check_tenant` says the right sentence.

They are listed in docs/troubleshooting.md by the same names.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

from msp.microsoft.connection import Connection
from msp.microsoft.graph import Graph
from msp.microsoft.transport import trusted_authorities
from msp.ops import health
from msp.ops.services import free_port
from msp.outside import outside
from msp.simulator import certificates
from tenants.actions.check_tenant import check_tenant
from tests.pages.cast import forget_composition, installed
from tests.support.source import ROOT
from tests.support.world import World

PAGE = ROOT / "docs" / "troubleshooting.md"
GLOBAL_GRAPH = "https://graph.microsoft.com"


class Scene:
    """An installation that is in order, with one tenant and one shared account, until somebody breaks it."""

    def __init__(self, world: World, settings: Any, files: Path) -> None:
        self.world, self.cloud, self.settings, self.files = world, world.cloud, settings, files
        self.client_id = world.connection.client_id
        self.tenant = world.tenant("Contoso")
        self.there = self.cloud.tenant(str(self.tenant.directory_id))
        self.account = world.account(self.tenant)
        self.user = self.cloud.user(self.there.id, self.account.object_id)
        self.ways: dict[str, Any] = {}

    def set(self, **microsoft: Any) -> None:
        self.settings.MICROSOFT = self.settings.MICROSOFT | microsoft
        forget_composition()

    def consent(self, **granted: Any) -> None:
        self.cloud.consent(self.client_id, self.there.id, **granted)

    def permissions(self, *, without: str = "", besides: str = "") -> None:
        held = set(self.there.consents[self.client_id].permissions) - {without} | {besides} - {""}
        self.consent(permissions=tuple(sorted(held)))

    def certificate(
        self,
        *,
        key: Any = None,
        with_key: bool = True,
        other_key: bool = False,
        days: int = 400,
        sealed: KeySerializationEncryption | None = None,
    ) -> str:
        """A certificate with its key in one PEM file, wrong in one way; answers its path."""
        key = key or rsa.generate_private_key(65537, 2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "latchkey")])
        now = dt.datetime.now(dt.UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=500))
            .not_valid_after(now + dt.timedelta(days=days, hours=1))
            .sign(key, SHA256())
        )
        kept = rsa.generate_private_key(65537, 2048) if other_key else key
        pem = made.public_bytes(Encoding.PEM)
        if with_key:
            pem += kept.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, sealed or NoEncryption())
        place = self.files / "app.pem"
        place.write_bytes(pem)
        return str(place)

    def with_certificate(self, **wrong: Any) -> None:
        self.set(client_certificate=self.certificate(**wrong))


# Each breaks one thing


def client_id_is_not_set(scene: Scene) -> None:
    scene.set(client_id="")


def client_id_is_no_id(scene: Scene) -> None:
    scene.set(client_id="Latchkey")


def no_credential(scene: Scene) -> None:
    scene.set(client_certificate="", client_secret="")


def certificate_is_absent(scene: Scene) -> None:
    scene.set(client_certificate=str(scene.files / "nowhere.pem"))


def certificate_cannot_be_read(scene: Scene) -> None:
    scene.set(client_certificate=str(scene.files))


def certificate_without_key(scene: Scene) -> None:
    scene.with_certificate(with_key=False)


def key_of_another_certificate(scene: Scene) -> None:
    scene.with_certificate(other_key=True)


def key_is_not_rsa(scene: Scene) -> None:
    scene.with_certificate(key=ec.generate_private_key(ec.SECP256R1()))


def key_has_a_passphrase(scene: Scene) -> None:
    scene.with_certificate(sealed=BestAvailableEncryption(b"a passphrase"))


def certificate_has_ended(scene: Scene) -> None:
    scene.with_certificate(days=-3)


def certificate_ends_soon(scene: Scene) -> None:
    scene.with_certificate(days=20)


def certificate_and_secret(scene: Scene) -> None:
    scene.set(client_secret="one-too-many")


def address_without_tls(scene: Scene) -> None:
    scene.set(login_url="http://login.example")


def addresses_of_two_clouds(scene: Scene) -> None:
    scene.set(login_url="https://login.chinacloudapi.cn", graph_url=GLOBAL_GRAPH)


def only_one_address(scene: Scene) -> None:
    scene.set(login_url=scene.world.simulator.url, graph_url="")


def authorities_are_no_certificates(scene: Scene) -> None:
    place = scene.files / "authorities.pem"
    place.write_text("not a certificate")
    scene.set(ca_bundle=str(place))


def nobody_listens(scene: Scene) -> None:
    url = f"https://127.0.0.1:{free_port()}"
    scene.set(login_url=url, graph_url=url)


def name_is_not_resolved(scene: Scene) -> None:
    scene.set(login_url="https://nowhere.invalid", graph_url="https://nowhere.invalid")


def authority_is_not_trusted(scene: Scene) -> None:
    (scene.files / "stranger").mkdir()
    stranger, _context = certificates.ensure(scene.files / "stranger")
    scene.set(ca_bundle=str(stranger))


def proxy_is_no_address(scene: Scene) -> None:
    scene.set(https_proxy="proxy.example")


def secret_is_wrong(scene: Scene) -> None:
    scene.set(client_certificate="", client_secret="a-wrong-one")


def secret_has_expired(scene: Scene) -> None:
    scene.cloud.register_app(scene.client_id, secret="the-right-one", secret_expired=True)
    scene.set(client_certificate="", client_secret="the-right-one")


def certificate_is_not_registered(scene: Scene) -> None:
    scene.with_certificate()


def no_such_tenant(scene: Scene) -> None:
    scene.tenant.directory_id = "c0000000-0000-4000-8000-00000000dead"
    scene.tenant.save()


def nobody_consented(scene: Scene) -> None:
    scene.cloud.withdraw_consent(scene.client_id, scene.there.id)


def app_is_disabled_there(scene: Scene) -> None:
    scene.there.consents[scene.client_id].enabled = False


def tenant_hangs_up(scene: Scene) -> None:
    scene.cloud.knobs.set(scene.there.id, dead="reset")


def tenant_is_unavailable(scene: Scene) -> None:
    scene.cloud.knobs.set(scene.there.id, dead="503")


def may_not_set_passwords(scene: Scene) -> None:
    scene.permissions(without="User-PasswordProfile.ReadWrite.All")


def may_not_remove_methods(scene: Scene) -> None:
    scene.permissions(without="UserAuthenticationMethod.ReadWrite.All")


def may_do_too_much(scene: Scene) -> None:
    scene.permissions(besides="Directory.ReadWrite.All")


def has_no_role(scene: Scene) -> None:
    scene.consent(roles=())


def has_too_low_a_role(scene: Scene) -> None:
    scene.consent(roles=("fe930be7-5e62-47db-91af-98c3a49a38b1",))


def account_is_gone(scene: Scene) -> None:
    del scene.there.users[scene.user.id]


def account_was_made_anew(scene: Scene) -> None:
    account_is_gone(scene)
    scene.there.ids_by_name.clear()
    scene.cloud.add_user(scene.there.id, scene.user.upn)


def account_is_blocked(scene: Scene) -> None:
    scene.cloud.set_enabled(scene.there.id, scene.user.upn, False)


def account_is_synced(scene: Scene) -> None:
    scene.user.synced = True


def account_is_federated(scene: Scene) -> None:
    scene.there.federated = [scene.there.domain]


def account_is_a_guest(scene: Scene) -> None:
    scene.user.user_type = "Guest"


def no_premium_licence(scene: Scene) -> None:
    scene.there.plans = []


def software_tokens_are_forbidden(scene: Scene) -> None:
    scene.there.policies.methods["SoftwareOath"] = "disabled"


def nothing_asks_for_a_second_factor(scene: Scene) -> None:
    scene.there.policies.security_defaults = False


def clock_is_off_in_a_check(scene: Scene) -> None:
    known = Connection(**scene.settings.MICROSOFT)
    scene.ways = {"reader_for": Graph(known, wire=EarlierClock(known)).reader}


class EarlierClock(httpx.BaseTransport):
    """The way to the cloud, whose clock is ten minutes behind ours."""

    def __init__(self, known: Connection) -> None:
        self._way = httpx.HTTPTransport(verify=trusted_authorities(known.ca_bundle, "LATCHKEY_CA_BUNDLE"))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = self._way.handle_request(request)
        answer.headers["Date"] = earlier(minutes=10)
        return answer


def earlier(*, minutes: int) -> str:
    return (dt.datetime.now(dt.UTC) - dt.timedelta(minutes=minutes)).strftime("%a, %d %b %Y %H:%M:%S GMT")


@contextmanager
def late_server(place: Path, *, minutes: int) -> Iterator[str]:
    """Something that answers over TLS and tells an earlier time; its authority is in `place`/ca.pem."""

    class Answering(BaseHTTPRequestHandler):
        def date_time_string(self, timestamp: float | None = None) -> str:
            return earlier(minutes=minutes)

        def do_GET(self) -> None:
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    place.mkdir()
    _ca, context = certificates.ensure(place)
    server = HTTPServer(("127.0.0.1", 0), Answering)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=30)


@dataclass(frozen=True)
class Broken:
    """How it is broken, which line of doctor or item of the check tells, how that stands, and essential words."""

    name: str
    breaks: Callable[[Scene], None]
    line: str
    state: str
    words: tuple[str, ...]


SAID_BY_DOCTOR = [
    Broken("no client id", client_id_is_not_set, "app", "wrong", ("LATCHKEY_CLIENT_ID is not set",)),
    Broken("client id is not an id", client_id_is_no_id, "app", "wrong", ("is not an id", "App registrations")),
    Broken("no credential", no_credential, "credential", "wrong", ("Neither LATCHKEY_CLIENT_CERTIFICATE nor",)),
    Broken("certificate file is absent", certificate_is_absent, "credential", "wrong", ("nowhere.pem", "No such file")),
    Broken("certificate file cannot be read", certificate_cannot_be_read, "credential", "wrong", ("Is a directory",)),
    Broken("certificate without its key", certificate_without_key, "credential", "wrong", ("its private key",)),
    Broken("key of another certificate", key_of_another_certificate, "credential", "wrong", ("does not belong",)),
    Broken("key is not RSA", key_is_not_rsa, "credential", "wrong", ("not an RSA key",)),
    Broken("key has a passphrase", key_has_a_passphrase, "credential", "wrong", ("encrypted", "passphrase")),
    Broken("certificate has ended", certificate_has_ended, "credential", "wrong", ("ended on", "new RSA certificate")),
    Broken("certificate ends soon", certificate_ends_soon, "credential", "well", ("20 days left", "new RSA")),
    Broken("certificate and secret", certificate_and_secret, "credential", "well", ("certificate is used",)),
    Broken("address without TLS", address_without_tls, "addresses", "wrong", ("LATCHKEY_LOGIN_URL", "https://")),
    Broken("addresses of two clouds", addresses_of_two_clouds, "addresses", "wrong", ("do not belong together",)),
    Broken("only one address set", only_one_address, "addresses", "wrong", ("Set both",)),
    Broken("authorities cannot be read", authorities_are_no_certificates, "trust", "wrong", ("LATCHKEY_CA_BUNDLE",)),
    Broken("proxy is not an address", proxy_is_no_address, "trust", "wrong", ("LATCHKEY_HTTPS_PROXY",)),
    Broken("nobody listens", nobody_listens, "cloud global", "wrong", ("nobody listens there",)),
    Broken("name is not resolved", name_is_not_resolved, "cloud global", "wrong", ("look at DNS",)),
    Broken("authority is not trusted", authority_is_not_trusted, "cloud global", "wrong", ("not one we trust",)),
]

SAID_BY_THE_CHECK = [
    Broken("secret is wrong", secret_is_wrong, "credential", "wrong", ("7000215", "not to its id")),
    Broken("secret has expired", secret_has_expired, "credential", "wrong", ("7000222", "Make a new one")),
    Broken("certificate not registered", certificate_is_not_registered, "credential", "wrong", ("700027", "Upload")),
    Broken("certificate ended before a check", certificate_has_ended, "credential", "wrong", ("ended on",)),
    Broken("no such tenant", no_such_tenant, "tenant", "wrong", ("AADSTS90002", "Tenant ID")),
    Broken("nobody consented", nobody_consented, "consent", "wrong", ("Nobody has consented", "consent link")),
    Broken("app is disabled there", app_is_disabled_there, "consent", "wrong", ("disabled", "Enterprise applications")),
    Broken("tenant hangs up", tenant_hangs_up, "tenant", "wrong", ("gave no answer", "doctor")),
    Broken("tenant is unavailable", tenant_is_unavailable, "tenant", "wrong", ("503", "Check again in")),
    Broken(
        "may not change passwords",
        may_not_set_passwords,
        "permission.User-PasswordProfile.ReadWrite.All",
        "wrong",
        ("change shared passwords", "API permissions"),
    ),
    Broken(
        "may not remove methods",
        may_not_remove_methods,
        "permission.UserAuthenticationMethod.ReadWrite.All",
        "wrong",
        ("remove those of leavers", "consent again"),
    ),
    Broken("may do too much", may_do_too_much, "excess.Directory.ReadWrite.All", "warning", ("not needed", "Remove")),
    Broken("no directory role", has_no_role, "role", "wrong", ("holds no role", "Privileged Authentication Admin")),
    Broken("too low a directory role", has_too_low_a_role, "role", "wrong", ("User Administrator", "least role")),
    Broken("account is gone", account_is_gone, "account", "wrong", ("not in the directory", "Deleted users")),
    Broken("account was made anew", account_was_made_anew, "account", "wrong", ("different object", "who made it")),
    Broken("account is blocked", account_is_blocked, "account", "warning", ("blocked", "Enable it")),
    Broken("account is synced", account_is_synced, "account", "wrong", ("synced", "cloud-only account")),
    Broken("account is federated", account_is_federated, "account", "wrong", ("federated", "onmicrosoft.com")),
    Broken("account is a guest", account_is_a_guest, "account", "wrong", ("guest", "member account")),
    Broken("no premium licence", no_premium_licence, "licence.premium", "warning", ("no Entra ID P1", "Billing")),
    Broken(
        "software tokens are forbidden",
        software_tokens_are_forbidden,
        "policy.softwareoath",
        "warning",
        ("not allowed", "Authentication methods, Policies"),
    ),
    Broken(
        "nothing asks for a second factor",
        nothing_asks_for_a_second_factor,
        "policy.defaults",
        "warning",
        ("password alone", "Turn security defaults on"),
    ),
    Broken("clock is off", clock_is_off_in_a_check, "clock", "wrong", ("600 s away", "NTP")),
]


@pytest.fixture
def scene(world: World, credential: Path, tmp_path: Path, settings: Any) -> Iterator[Scene]:
    with installed(settings, world, credential, tmp_path):
        yield Scene(world, settings, tmp_path)


class WhenNothingIsBroken:
    def test_doctor_finds_everything_of_microsofts_well(self, scene: Scene):
        found = {f.subject: f.well for f in health.examine_microsoft()}
        assert set(found) == {"app", "credential", "addresses", "trust", "cloud global", "clock"}
        assert set(found.values()) == {True}

    def test_the_check_finds_nothing_wrong(self, scene: Scene):
        scene.there.plans = ["AAD_PREMIUM"]
        found = check_tenant(scene.tenant, by=scene.world.owner, outside=outside()).found
        assert {i.sentence: i.state for i in found if i.state != "ok"} == {}


class WhenASetUpIsBroken:
    @pytest.mark.parametrize("broken", SAID_BY_DOCTOR, ids=lambda broken: broken.name)
    def test_doctor_says_the_right_sentence(self, broken: Broken, scene: Scene):
        broken.breaks(scene)
        (found,) = [f for f in health.examine_microsoft() if f.subject == broken.line]
        assert found.well is (broken.state == "well")
        assert [w for w in broken.words if w not in found.words] == [], found.words

    @pytest.mark.parametrize("broken", SAID_BY_THE_CHECK, ids=lambda broken: broken.name)
    def test_the_check_says_the_right_sentence(self, broken: Broken, scene: Scene):
        broken.breaks(scene)
        check = check_tenant(scene.tenant, by=scene.world.owner, outside=replace(outside(), **scene.ways))
        key = f"{broken.line}.{scene.account.pk}" if broken.line in ("role", "account") else broken.line
        (item,) = [i for i in check.found if i.key == key]
        words = f"{item.sentence} {item.remedy}"
        assert item.state == broken.state, words
        assert [w for w in broken.words if w not in words] == [], words

    def test_a_clock_that_is_off_is_told_by_the_cloud_alone(self, scene: Scene):
        """A server of its own, since the simulated cloud's answers carry the right time."""
        late = scene.files / "late"
        with late_server(late, minutes=10) as url:
            scene.set(login_url=url, graph_url=url, ca_bundle=str(late / "ca.pem"))
            (found,) = [f for f in health.examine_microsoft() if f.subject == "clock"]
        assert found.well is False
        assert "NTP" in found.words

    def test_no_secret_is_repeated(self, scene: Scene):
        scene.set(client_secret="Planted-Secret-7", https_proxy="ftp://u:Planted-Secret-8@proxy.example")
        said = " ".join(f.words for f in health.examine_microsoft())
        assert "Planted" not in said


class EverySituation:
    def test_is_listed_for_those_who_look_for_trouble(self):
        text = PAGE.read_text()
        names = [b.name for b in (*SAID_BY_DOCTOR, *SAID_BY_THE_CHECK)]
        assert len(names) == len(set(names)) >= 20
        assert [name for name in names if f"| {name} |" not in text] == []
