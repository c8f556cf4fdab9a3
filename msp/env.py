"""Every setting is an environment variable, read here and nowhere else.

Each has a safe default or a loud stop that names it. `NAME_FILE` may hold the path of a file with the value.
`LATCHKEY_HOME/latchkey.env` may hold settings too; the process environment wins over it.
"""

from __future__ import annotations

import importlib.util
import os
import secrets
from email.utils import parseaddr
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured
from environ.fileaware_mapping import FileAwareMapping

from msp.errors import BadInput, KeyTrouble
from msp.key_services.names import key_named
from msp.ops import places

ROOT = places.ROOT
HOME = places.home()

_env = environ.FileAwareEnv()
# Read at each use: what lies in a file is a secret, which must neither stay in memory nor be older than the file.
_env.ENVIRON = FileAwareMapping(cache=False)
if (HOME / "latchkey.env").is_file():
    environ.Env.read_env(HOME / "latchkey.env")


def socket_directory(home: Path = HOME) -> Path:
    """Where the private Unix sockets of one data directory live."""
    return places.socket_directory(home)


YES = frozenset({"true", "on", "ok", "y", "yes", "1"})
NO = frozenset({"false", "off", "n", "no", "0", ""})


def text(name: str, default: str = "") -> str:
    try:
        return str(_env.str(name, default=default))
    except OSError as wrong:
        raise ImproperlyConfigured(f"{name}_FILE names a file that cannot be read ({wrong.strerror}).") from None


def number(name: str, default: int) -> int:
    try:
        return int(text(name, str(default)))
    except ValueError as wrong:
        raise ImproperlyConfigured(f"{name} must be a whole number.") from wrong


def switch(name: str, default: bool) -> bool:
    said = text(name, "yes" if default else "no").strip().lower()
    if said not in YES | NO:
        raise ImproperlyConfigured(f"{name} must be on or off.")
    return said in YES


def names(name: str, default: list[str]) -> list[str]:
    return list(_env.list(name, default=default))


DATABASE_URL = text("DATABASE_URL") or f"postgres:///latchkey?host={socket_directory()}&user=latchkey"
REDIS_URL = text("REDIS_URL") or f"redis+socket://{socket_directory()}/valkey.sock"


def package_directory(name: str) -> Path:
    """Where an installed package lies, without running any of its code."""
    found = importlib.util.find_spec(name)
    if found is None or found.origin is None:
        raise ImproperlyConfigured(f"The package {name} is not installed; install requirements.txt.")
    return Path(found.origin).parent


def database() -> dict[str, Any]:
    """Django's description of the database, from DATABASE_URL; PostgreSQL only, with a small connection pool."""
    # Looked at before it is parsed, because the parser quotes what it does not know, with the password in it.
    if not DATABASE_URL.startswith(("postgres://", "postgresql://")):
        raise ImproperlyConfigured("DATABASE_URL must name a PostgreSQL database (postgres://...).")
    try:
        found: dict[str, Any] = dict(environ.Env.db_url_config(DATABASE_URL))
    except ValueError:
        raise ImproperlyConfigured("DATABASE_URL is no address that can be read; is its port a number?") from None
    options = found.setdefault("OPTIONS", {})
    if "host" in options:
        found["HOST"] = options.pop("host")
    if "user" in options:
        found["USER"] = options.pop("user")
    options["pool"] = {"min_size": 1, "max_size": number("LATCHKEY_DATABASE_POOL", 40), "timeout": 30}
    return found


def web_secret() -> str:
    """The key that signs sessions: SECRET_KEY, or a file made on first use beside the other keys (mode 0600)."""
    given = text("SECRET_KEY")
    if given:
        return given
    place = HOME / "keys" / "web.key"
    try:
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(os.open(place, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as made:  # noqa: PTH123 - it takes no mode
            made.write(secrets.token_urlsafe(50))
    except FileExistsError:
        pass
    except OSError as wrong:
        raise ImproperlyConfigured(
            f"{place.parent} cannot be written ({wrong.strerror}); set LATCHKEY_HOME to a directory that can."
        ) from wrong
    return place.read_text()


def key_keeper() -> str:
    """LATCHKEY_KEYS: who keeps the root key. Looked at now, so that a wrong one stops every process at its start."""
    said = text("LATCHKEY_KEYS", "file").strip()
    if said not in ("file", "environment"):
        try:
            key_named(said, "LATCHKEY_KEYS", otherwise="file, environment")
        except BadInput as wrong:
            raise ImproperlyConfigured(str(wrong)) from None
    return said


def root_key() -> str:
    """Never held in a setting, which commands print: the keeper asks for it at each use. Raises KeyTrouble."""
    return _root_keys_in("LATCHKEY_ROOT_KEY")


def older_root_keys() -> str:
    return _root_keys_in("LATCHKEY_OLDER_ROOT_KEYS")


def _root_keys_in(name: str) -> str:
    try:
        return text(name)
    except ImproperlyConfigured as wrong:
        raise KeyTrouble(f"{wrong} Without it no secret is sealed or opened; nothing was changed.") from None


def cache_url() -> str:
    """REDIS_URL in redis-py's own spelling: for a Unix socket Celery has other words."""
    if not REDIS_URL.startswith(("redis://", "rediss://", "redis+socket://")):
        raise ImproperlyConfigured("REDIS_URL must name a Redis or Valkey server (redis://... or redis+socket://...).")
    return REDIS_URL.replace("redis+socket://", "unix://", 1).replace("virtual_host=", "db=", 1)


MAIL_SCHEMES = {"smtp": 25, "smtp+tls": 587, "smtps": 465}
"""Without encryption, with STARTTLS, with TLS from the first byte: each with its usual port."""


def mail_server() -> dict[str, Any]:
    """What Django's SMTP backend is made with, from LATCHKEY_SMTP_URL; {} without one.

    Asked for at each use, so that its password is never held in a setting, which commands print.
    """
    given = text("LATCHKEY_SMTP_URL").strip()
    if not given:
        return {}
    try:
        url = urlsplit(given)
        host, port = url.hostname, url.port
    except ValueError:
        raise ImproperlyConfigured("LATCHKEY_SMTP_URL is no address that can be read; is its port a number?") from None
    if url.scheme not in MAIL_SCHEMES or not host:
        raise ImproperlyConfigured("LATCHKEY_SMTP_URL must name a mail server (smtp+tls://, smtps:// or smtp://...).")
    if url.scheme == "smtp" and url.password:
        raise ImproperlyConfigured("LATCHKEY_SMTP_URL with a password must begin with smtp+tls:// or smtps://.")
    return {
        "host": host,
        "port": port or MAIL_SCHEMES[url.scheme],
        "username": unquote(url.username or ""),
        "password": unquote(url.password or ""),
        "use_tls": url.scheme == "smtp+tls",
        "use_ssl": url.scheme == "smtps",
        "timeout": 20,
    }


def mail_from() -> str:
    """The sender of every mail; "" when nothing is mailed. Looked at now, so that a wrong setting stops every start."""
    if not mail_server():
        return ""
    sender = text("LATCHKEY_MAIL_FROM").strip()
    if "@" not in parseaddr(sender)[1] or len(sender.splitlines()) > 1:
        raise ImproperlyConfigured("LATCHKEY_MAIL_FROM must be the address that mails come from.")
    return sender
