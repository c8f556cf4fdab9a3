"""A private PostgreSQL and a private Valkey for the tests: started before Django reads its settings, gone after.

`conftest.py` names this module in `pytest_plugins`. LATCHKEY_TEST_DATABASE_URL and LATCHKEY_TEST_REDIS_URL
take the place of our own servers. With CI=true a skipped test is a failed run.
"""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings

from msp.ops.processes import ServiceTrouble
from msp.ops.servers import EmbeddedPair, Layout

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
NO_BROWSER = "no Chromium on this machine; `apt-get install -y chromium` (or LATCHKEY_CHROMIUM=path) brings it"
IN_CI = os.environ.get("CI", "").lower() == "true"
IS_XDIST_WORKER = "PYTEST_XDIST_WORKER" in os.environ


def chromium_path() -> str | None:
    """The Chromium that the browser tests drive, or None."""
    given = os.environ.get("LATCHKEY_CHROMIUM")
    return given or next((found for name in BROWSERS if (found := shutil.which(name))), None)


class PrivateServers:
    """The pair of one test session, in a temporary directory."""

    def __init__(self) -> None:
        self.place: Path | None = None
        self.pair: EmbeddedPair | None = None
        self.skipped: list[str] = []

    def start(self) -> None:
        """Once per session; tells Django where the servers are by way of the environment."""
        if self.place or IS_XDIST_WORKER:
            return
        self.place = _short_temporary_directory()
        atexit.register(self.stop)  # also when a broken import ends pytest before its own hooks run
        database, redis = (os.environ.get(f"LATCHKEY_TEST_{name}") for name in ("DATABASE_URL", "REDIS_URL"))
        layout = Layout(
            self.place / "postgres", self.place / "run", self.place / "valkey", self.place / "logs", durable=False
        )
        self.pair = EmbeddedPair(layout, postgres=not database, valkey=not redis)
        try:
            self.pair.start()
        except ServiceTrouble as trouble:
            shutil.rmtree(self.place)
            raise pytest.UsageError(f"The private servers of the tests did not start. {trouble}") from None
        os.environ |= environment_of(self.place, 0)
        os.environ["DATABASE_URL"] = database or layout.database_url
        os.environ["REDIS_URL"] = redis or layout.redis_url

    def stop(self) -> None:
        if self.pair:
            self.pair.stop()
        if self.place:
            shutil.rmtree(self.place, ignore_errors=True)
        self.pair = self.place = None


def environment_of(place: Path, number: int) -> dict[str, str]:
    """A data directory of its own for each test process; no limit of our own, since no test waits for it."""
    home = place / f"home{number}"
    home.mkdir(mode=0o700, exist_ok=True)
    return {"LATCHKEY_HOME": str(home), "LATCHKEY_METHOD_CALLS_PER_10_S": "0"}


def numbered(redis_url: str, database: int) -> str:
    """The same server, another of its numbered databases."""
    parts = urlsplit(redis_url)
    if parts.scheme.endswith("+socket"):
        return f"{redis_url}{'&' if parts.query else '?'}virtual_host={database}"
    return parts._replace(path=f"/{database}").geturl()


def _short_temporary_directory() -> Path:
    """Short, because socket paths must be; passable, because PostgreSQL may have to run as another user."""
    place = Path(tempfile.mkdtemp(prefix="latchkey-test-"))
    if len(str(place)) > 60:
        place.rmdir()
        place = Path(tempfile.mkdtemp(prefix="latchkey-test-", dir="/tmp"))
    place.chmod(0o711)
    return place


servers = PrivateServers()


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests() -> Iterator[None]:
    """Reached only when named with `-p`: even before pytest-django looks for the settings."""
    servers.start()
    return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Reached from conftest.py alone: in time as long as nothing has loaded the settings."""
    if settings.configured:
        return
    servers.start()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "msp.settings")
    assert settings.DATABASES, "loading the settings tells pytest-django to set Django up"


def pytest_unconfigure() -> None:
    servers.stop()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(config: pytest.Config, specs: list[Any]) -> None:
    """Each xdist process gets its own data directory and its own numbered Valkey database."""
    for number, spec in enumerate(specs):
        if servers.place:
            spec.env |= environment_of(servers.place, number)
        spec.env["REDIS_URL"] = numbered(os.environ["REDIS_URL"], number)


def pytest_report_header() -> str:
    if IS_XDIST_WORKER:
        return ""
    return f"database: {os.environ.get('DATABASE_URL', 'none; use `python3 manage.py test`').split('@')[-1]}"


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("browser") and not chromium_path():
        if IN_CI:
            pytest.fail(NO_BROWSER)
        pytest.skip(NO_BROWSER)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped and not hasattr(report, "wasxfail"):
        servers.skipped.append(report.nodeid)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if IN_CI and servers.skipped and not IS_XDIST_WORKER and session.exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if IN_CI and servers.skipped:
        line = f"CI: {len(servers.skipped)} test(s) were skipped; here that is a failure."
        terminalreporter.write_line(line, red=True)
