"""Is everything well? One question per function; each answer says what to do if it is not."""

from __future__ import annotations

import datetime as dt
import email.utils
import socket
import ssl
from collections.abc import Callable, Iterator

import httpx
from django.conf import settings
from django.core.cache import cache
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connection, connections
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from kombu.exceptions import OperationalError

from msp.celery import app
from msp.errors import BadInput, KeyTrouble
from msp.microsoft.clouds import CLOUDS, cloud_named
from msp.microsoft.transport import trusted_authorities
from msp.ops.finding import Finding
from msp.ops.mail_setup import mail_server
from msp.ops.microsoft_setup import setup
from msp.vault.database import Vault
from msp.vault.keepers.chosen import chosen_keeper
from tenants.models import Tenant
from tenants.silence_queries import silent_runs

OLDEST_SWEEP = dt.timedelta(minutes=2)
MOST_SKEW_SECONDS = 120
"""Entra ID tolerates five minutes of clock difference in assertions; half of that is time to act."""
OLDEST_POSTGRES = 150000


def examine() -> Iterator[Finding]:
    """Every finding, in the order in which a person would mend things."""
    questions: list[tuple[str, Callable[[], Finding]]] = [
        ("database", database),
        ("keys", keys),
        ("broker", broker),
        ("worker", worker),
        ("beat", beat),
        ("mail", mail_server),
        ("runs", runs),
    ]
    for subject, question in questions:
        try:
            yield question()
        except DatabaseError:
            yield Finding(subject, False, _("The database does not answer. Look at the line about it first."))
    yield from examine_microsoft()


def examine_microsoft() -> Iterator[Finding]:
    """What we say of ourselves there, the way to it, and its clock."""
    yield from setup()
    yield from clouds_and_clock()


def database() -> Finding:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SHOW server_version_num")
            version = int(cursor.fetchone()[0])
    except DatabaseError:
        return Finding("database", False, _("It does not answer. Start it, or correct DATABASE_URL."))
    if version < OLDEST_POSTGRES:
        return Finding("database", False, _("PostgreSQL is older than 15. Upgrade the server."))
    executor = MigrationExecutor(connections[DEFAULT_DB_ALIAS])
    waiting = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    if waiting:
        words = ngettext("%d migration waits.", "%d migrations wait.", waiting) % waiting
        return Finding("database", False, words + " " + _("Run `python3 manage.py migrate`."))
    return Finding("database", True, _("PostgreSQL %d answers and every migration is in.") % (version // 10000))


def keys() -> Finding:
    """Which keeper has the root key, whether it answers, and whether its key opens what is sealed."""
    try:
        keeper = chosen_keeper()
        Vault(keeper).check_root_key()
        there, where = keeper.is_there(), keeper.describe()
    except (KeyTrouble, BadInput) as trouble:
        return Finding("keys", False, str(trouble))
    if not there and settings.KEYS["named"] == "environment":
        words = _("There is no root key yet. Make one by `openssl rand -base64 32`, set it as %s, and restart.")
        return Finding("keys", False, words % where)
    if not there:
        words = _("There is no root key yet; it is made when the first secret is sealed (%s).")
        return Finding("keys", True, words % where)
    return Finding("keys", True, _("The root key opens every data key (%s). Is its backup elsewhere?") % where)


def broker() -> Finding:
    try:
        with app.connection_for_write(connect_timeout=3) as line:
            line.ensure_connection(max_retries=1, timeout=3)
    except (OSError, OperationalError):
        return Finding("broker", False, _("It does not answer. Start it, or correct REDIS_URL."))
    return Finding("broker", True, _("It answers."))


def worker() -> Finding:
    hint = _("No worker answers. Start one with `python3 manage.py up`, or look at its output.")
    try:
        # A worker that became ready a moment ago may not listen yet, and a busy one may be late: ask twice.
        answers = app.control.inspect(timeout=2).ping() or app.control.inspect(timeout=4).ping() or {}
    except (OSError, OperationalError):
        return Finding("worker", False, hint)
    if not answers:
        return Finding("worker", False, hint)
    count = len(answers)
    return Finding("worker", True, ngettext("%d worker answers.", "%d workers answer.", count) % count)


def beat() -> Finding:
    """The sweep writes its time down; it is beat that asks for it, so its age tells about both."""
    try:
        said = cache.get("last-sweep")
    except Exception as wrong:
        return Finding("beat", False, _("The time of the last sweep cannot be read (%s).") % type(wrong).__name__)
    if not said:
        return Finding("beat", False, _("There was no sweep yet. Start beat with `python3 manage.py up`."))
    age = timezone.now() - dt.datetime.fromisoformat(said)
    seconds = round(age.total_seconds())
    words = ngettext("The last sweep was %d second ago.", "The last sweep was %d seconds ago.", seconds) % seconds
    if age > OLDEST_SWEEP:
        return Finding("beat", False, words + " " + _("Start beat, or look at its output and at the worker's."))
    return Finding("beat", True, words)


def runs() -> Finding:
    """Asked of the rows, so that it shows when worker and beat are dead and nothing else can raise an alarm."""
    silent = silent_runs().count()
    if silent:
        words = ngettext(
            "%d run has something to do and has not moved for 15 minutes.",
            "%d runs have something to do and have not moved for 15 minutes.",
            silent,
        )
        return Finding("runs", False, words % silent + " " + _("Look at the lines about worker and beat, then at it."))
    return Finding("runs", True, _("Every run that has something to do is moving, or waits for a known reason."))


def clouds_and_clock() -> Iterator[Finding]:
    """Ask the login and Graph addresses of each cloud that a tenant is in; their Date header tells the time."""
    skew: float | None = None
    try:
        names = sorted(set(Tenant.objects.values_list("cloud", flat=True))) or [next(iter(CLOUDS))]
    except DatabaseError:
        names = [next(iter(CLOUDS))]
    for name in names:
        silent = []
        try:
            urls = _urls_of(name)
        except BadInput as wrong:
            yield Finding(f"cloud {name}", False, str(wrong))
            continue
        for url in urls:
            try:
                answer = _ask(url)
            except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError, BadInput) as wrong:
                silent.append(f"{url} ({_why(wrong)})")
                continue
            skew = skew if skew is not None else _difference(answer.headers.get("Date"))
        if silent:
            words = _("Not reachable over TLS: %s. Check network, proxy, addresses and LATCHKEY_CA_BUNDLE.")
            yield Finding(f"cloud {name}", False, words % ", ".join(silent))
        else:
            yield Finding(f"cloud {name}", True, _("Sign-in and Graph are reachable."))
    yield clock(skew)


def _urls_of(cloud_name: str) -> list[str]:
    known = settings.MICROSOFT
    cloud = cloud_named(cloud_name).elsewhere(login_url=known["login_url"], graph_url=known["graph_url"])
    return list(dict.fromkeys((cloud.login_url, cloud.graph_url)))


def _ask(url: str) -> httpx.Response:
    """On the same way as every call: our authorities, our proxy, and nothing of the environment's."""
    known = settings.MICROSOFT
    with httpx.Client(
        verify=trusted_authorities(known["ca_bundle"], "LATCHKEY_CA_BUNDLE"),
        proxy=known.get("https_proxy") or None,
        trust_env=False,
        timeout=10,
    ) as client:
        return client.get(url)


def _why(wrong: BaseException | None) -> str:
    """What stood in the way, in words; the innermost cause tells most."""
    text, cause = type(wrong).__name__, wrong
    while cause is not None:
        if isinstance(cause, socket.gaierror):
            return _("the name cannot be resolved: look at DNS")
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _("its certificate is not one we trust")
        if isinstance(cause, ConnectionRefusedError):
            return _("nobody listens there")
        if isinstance(cause, TimeoutError | httpx.TimeoutException):
            return _("no answer in time")
        if isinstance(cause, BadInput):
            return str(cause)
        cause = cause.__cause__ or cause.__context__
    return text


def clock(skew: float | None) -> Finding:
    if skew is None:
        return Finding("clock", None, _("Not checked: no cloud told the time."))
    if abs(skew) > MOST_SKEW_SECONDS:
        words = _("This machine is %d seconds away from the cloud's clock. Set it by NTP; codes and tokens fail else.")
        return Finding("clock", False, words % skew)
    seconds = max(1, round(abs(skew)))
    words = ngettext(
        "It agrees with the cloud's within %d second.", "It agrees with the cloud's within %d seconds.", seconds
    )
    return Finding("clock", True, words % seconds)


def _difference(date: str | None) -> float | None:
    """Our time minus theirs, in seconds (the header has whole seconds)."""
    if not date:
        return None
    try:
        theirs = email.utils.parsedate_to_datetime(date)
    except ValueError:
        return None
    return (timezone.now() - theirs).total_seconds()
