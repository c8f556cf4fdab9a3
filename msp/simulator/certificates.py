"""A certificate authority of the cloud's own and a server certificate for the names by which the cloud is reached.

These are this machine's loopback names and the hosts of Microsoft's clouds: a client whose name resolution points there
needs no other address. The authority is trusted by nobody who was not given its file.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from . import hosts

# Fixed, so that a test that moves its clock still gets a certificate that is valid now.
BORN = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
LIFE = dt.timedelta(days=36500)


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner reads, whole or not at all."""
    beside = path.with_name(f".{path.name}.new")
    descriptor = os.open(beside, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as written:
        written.write(content)
    beside.replace(path)


def ensure(state_dir: Path, host: str = "") -> tuple[Path, ssl.SSLContext]:
    """(path of the authority's certificate, a server context); made on first use, kept while it has all names.

    `host` is one more name or address that the certificate should carry. A certificate that lacks one is made anew,
    with a new authority, since the key of the former is gone.
    """
    ca_path, chain = state_dir / "ca.pem", state_dir / "server.pem"
    if not (ca_path.exists() and chain.exists() and _carries(chain, _names(host))):
        ca_pem, server_pem = _make(host)
        write_private(chain, server_pem)
        write_private(ca_path, ca_pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(chain)
    return ca_path, context


def _carries(chain: Path, names: list[x509.GeneralName]) -> bool:
    """Whether the certificate in a file is for all these names; one that cannot be read is for none."""
    try:
        found = x509.load_pem_x509_certificate(chain.read_bytes())
        carried = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound):
        return False
    return set(names) <= set(carried)


def _make(host: str) -> tuple[bytes, bytes]:
    """(authority certificate, server certificate with its key), both PEM. The authority's key is thrown away."""
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Simulated cloud authority")])
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Simulated cloud")])
    authority = (
        _builder(issuer, issuer, ca_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    server = (
        _builder(subject, issuer, key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(_names(host)), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return authority.public_bytes(pem), server.public_bytes(pem) + private


def _builder(subject: x509.Name, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(BORN)
        .not_valid_after(BORN + LIFE)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _names(host: str) -> list[x509.GeneralName]:
    found: list[x509.GeneralName] = [
        x509.DNSName("localhost"),
        *(x509.DNSName(name) for name in hosts.LOGIN_HOSTS | hosts.GRAPH_HOSTS),
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
        x509.IPAddress(ipaddress.ip_address("::1")),
    ]
    if host and host not in ("localhost", "127.0.0.1", "::1"):
        try:
            found.append(x509.IPAddress(ipaddress.ip_address(host)))
        except ValueError:
            found.append(x509.DNSName(host))
    return found
