"""Post an event to somebody else's server, signed, and only to where a server of this house may be sent.

The body is a DSSE envelope signed with the key that signs evidence, so the receiver can check it with the public half.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import socket
import ssl
from collections.abc import Iterator
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from msp.errors import LatchkeyError
from msp.evidence import key_id, signed_bytes
from msp.ledger.canonical import canonical

PAYLOAD_TYPE = "application/vnd.latchkey.event+json"
"""Another one than evidence has, so that an event can never be shown as evidence."""
SECONDS = httpx.Timeout(10, connect=5)
NAT64 = ipaddress.ip_network("64:ff9b::/96")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class WebhookTrouble(LatchkeyError):
    """The event did not arrive, or it is not known whether it did. The message says why, and what to do."""


def envelope(event: dict[str, Any], key: Ed25519PrivateKey) -> bytes:
    """The DSSE v1 envelope of the event. Raises BadInput for what has no canonical JSON."""
    payload = canonical(event)
    signature = key.sign(signed_bytes(PAYLOAD_TYPE, payload))
    return json.dumps(
        {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"keyid": key_id(key.public_key()), "sig": base64.b64encode(signature).decode()}],
        }
    ).encode()


def post(url: str, body: bytes, *, headers: dict[str, str], trusted: ssl.SSLContext, inside: bool) -> None:
    """Post once; a status of 2xx is success. Raises WebhookTrouble.

    With `inside` the server may stand in a private network, and on this machine without TLS; else it is https to a
    public address. The name is resolved once and the connection goes to the address that was looked at, so that a
    second answer of the name server cannot lead elsewhere. Redirects are not followed.
    """
    target = checked(url, inside=inside)
    addresses = list(_addresses(target, inside=inside))
    with httpx.Client(verify=trusted, trust_env=False, timeout=SECONDS, follow_redirects=False) as client:
        for number, address in enumerate(addresses, start=1):
            try:
                status = _ask(client, target, address, body, headers)
            except httpx.ConnectError as wrong:
                if number < len(addresses):
                    continue
                raise WebhookTrouble(f"No connection to {target.host} opened; nothing arrived. See to it.") from wrong
            except (httpx.HTTPError, ssl.SSLError) as wrong:
                raise WebhookTrouble(
                    f"{target.host} gave no answer ({type(wrong).__name__}); it may have arrived. See to that server."
                ) from wrong
            if not 200 <= status < 300:
                raise WebhookTrouble(_refusal(target.host, status))
            return


def checked(url: str, *, inside: bool) -> httpx.URL:
    """The address, when it is one to which an event may go. Raises WebhookTrouble."""
    try:
        found = httpx.URL(url)
    except httpx.InvalidURL:
        found = httpx.URL("")
    if not found.host or found.userinfo or found.scheme not in ("https", "http"):
        raise WebhookTrouble("The webhook is no https address without a user name; nothing was sent. Correct it.")
    if found.scheme == "http" and not (inside and found.host in ("localhost", "127.0.0.1", "::1")):
        raise WebhookTrouble("The webhook is not https; nothing was sent. Give an address that begins with https://.")
    return found


def _addresses(target: httpx.URL, *, inside: bool) -> Iterator[Address]:
    port = target.port or (443 if target.scheme == "https" else 80)
    try:
        answers = socket.getaddrinfo(target.host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as wrong:
        raise WebhookTrouble(f"The name {target.host} cannot be resolved; nothing was sent. Look at DNS.") from wrong
    found = list(dict.fromkeys(ipaddress.ip_address(str(answer[4][0]).partition("%")[0]) for answer in answers))
    if not inside and not all(is_public(address) for address in found):
        raise WebhookTrouble(
            f"{target.host} is an address of a private network; nothing was sent. If that is meant, set "
            "LATCHKEY_WEBHOOKS_INSIDE=1."
        )
    yield from found


def is_public(address: Address) -> bool:
    """Not of this machine, a private network or a group, whatever it is wrapped in."""
    if isinstance(address, ipaddress.IPv6Address):
        if address in NAT64:
            return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        wrapped = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if wrapped is not None:
            return is_public(wrapped)
    return address.is_global and not address.is_multicast


def _ask(client: httpx.Client, target: httpx.URL, address: Address, body: bytes, headers: dict[str, str]) -> int:
    there = target.copy_with(host=str(address))
    named = {"Host": target.netloc.decode(), "Content-Type": "application/json", **headers}
    extensions = {"sni_hostname": target.host}
    # Only the status counts, so whatever else the server has to say is not read.
    with client.stream("POST", there, content=body, headers=named, extensions=extensions) as answer:
        return answer.status_code


def _refusal(host: str, status: int) -> str:
    if 300 <= status < 400:
        return f"{host} answered {status}, a redirect, which is not followed. Give the address where it leads."
    return f"{host} answered {status}; it did not take the event. See to that server."
