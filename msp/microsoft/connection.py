"""Who we are at Microsoft, and how to reach it: the app's own credential, addresses, trust and patience."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Connection:
    """The app registration and the way to it.

    `client_certificate` is the path of a PEM file with the app's certificate; it goes before `client_secret` when
    both are given. Its unencrypted RSA key lies in the same file, unless `client_key` names a key in a key
    service (docs/keys.md says how): then `client_key_token_file` is the path of its token, PIN or secret, and
    `client_key_ca_bundle` that of the authorities to trust there instead of the usual ones.

    `login_url` and `graph_url`, when given, stand in for the hosts of every cloud, or of single ones (see
    `clouds.Cloud.elsewhere`). `ca_bundle` is the path of a PEM file with the authorities to trust instead of the
    usual ones; `https_proxy` is the address of an HTTP proxy, and may hold its password. `timeout_seconds` is the
    longest wait for one answer; methods calls end by themselves after 60 seconds at Microsoft ("authentication
    methods overview"). `method_calls_per_10_s` is the most that is asked of a tenant's methods and reports in ten
    seconds; 0 is no limit of our own.
    """

    client_id: str
    client_certificate: str = ""
    client_secret: str = field(default="", repr=False)
    client_key: str = ""
    client_key_token_file: str = ""
    client_key_ca_bundle: str = ""
    login_url: str = ""
    graph_url: str = ""
    ca_bundle: str = ""
    https_proxy: str = field(default="", repr=False)
    timeout_seconds: float = 65
    sign_in_probe: bool = False
    method_calls_per_10_s: int = 0
