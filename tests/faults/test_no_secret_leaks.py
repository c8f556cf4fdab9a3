"""Law 6: no secret outside the vault. A hundred are planted, everything that touches one is done, and then we look."""

from __future__ import annotations

import base64
import logging
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import DatabaseError, connection

from msp.celery import app
from msp.errors import BadInput, LatchkeyError
from msp.ops.work_here import work_until_settled
from msp.outside import outside
from msp.reports.evidence import write_evidence
from msp.simulator import users
from msp.simulator.server import Simulator
from tests.faults.secrets_story import ACCOUNTS, TENANTS, Story
from tests.pages.cast import installed
from tests.support.celery_worker import celery_worker, environment_of
from tests.support.scan import (
    Scan,
    broker_dump,
    database_dump,
    evidence_in,
    journal_position,
    journal_since,
    process_arguments,
    server_log,
    sessions,
    spellings,
)
from tests.support.stage import build_world
from tests.support.world import eventually

OF_OUR_OWN_SERVER = ("PostgreSQL's write-ahead log", "PostgreSQL's own log")
"""The files of a server that somebody else runs are not ours to read."""


@pytest.fixture
def exceptions(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The text of every error of ours that is made in this process."""
    said: list[str] = []

    def remember(self: LatchkeyError, *args: object) -> None:
        Exception.__init__(self, *args)
        said.append(" ".join(map(str, args)))

    monkeypatch.setattr(LatchkeyError, "__init__", remember)
    return said


@pytest.fixture
def echoing_cloud(monkeypatch: pytest.MonkeyPatch, simulator: Simulator) -> Simulator:
    """A Microsoft that says the new password in its answers: in refusals, in denials, in internal faults."""
    patch, asked = users._change, iter(range(10_000))

    def echoes(call: Any) -> Any:
        password = (call.body or {}).get("passwordProfile", {}).get("password", "")
        match next(asked) % 6:
            case 1 | 2:
                raise call.error(400, "Request_BadRequest", f"The password {password} breaks a password policy.")
            case 3:
                raise call.error(403, "Authorization_RequestDenied", f"Nobody may set {password}")
            case 4:
                raise call.error(500, "InternalServerError", f"It went wrong with {password} in hand.")
        return patch(call)

    monkeypatch.setattr(users, "_change", echoes)
    return simulator


@pytest.fixture
def story(
    transactional_db: None, echoing_cloud: Simulator, credential: Path, tmp_path: Path, settings: Any
) -> Iterator[Story]:
    """The pages prove the application by a secret, the worker by its certificate."""
    world = build_world(echoing_cloud, credential, tmp_path)
    told = Story(world, tmp_path)
    client_secret = secrets.token_urlsafe(30)
    client_id = world.cloud.register_app(secret=client_secret)
    world.cloud.consent(client_id)
    told.scan.plant("client secret", client_secret)
    for number, line in enumerate(credential.read_text().partition("PRIVATE KEY-----")[2].splitlines()[3:6]):
        told.scan.plant(f"certificate key, line {number}", line)
    with installed(settings, world, credential, tmp_path):
        settings.MICROSOFT = settings.MICROSOFT | {
            "client_id": client_id, "client_certificate": "", "client_secret": client_secret,
        }  # fmt: skip
        told.scan.plant("key that signs sessions", django_settings.SECRET_KEY)
        yield told
    app.control.purge()


@pytest.mark.fault
class WhenEverythingThatTouchesASecretWasDone:
    def test_none_is_found_anywhere_and_a_canary_is_found_everywhere(
        self, story: Story, credential: Path, caplog: pytest.LogCaptureFixture, exceptions: list[str], tmp_path: Path
    ):
        caplog.set_level(logging.DEBUG)
        journal, log = journal_position(), tmp_path / "worker.log"

        story.people_come_in()
        story.accounts_are_imported()
        story.everybody_enrols()
        story.passwords_are_revealed()
        story.the_partner_signs_in()

        faults = story.world.cloud.faults
        faults.plan(kind="reset_after_effect", method="PATCH", skip=3, times=2)
        faults.plan(kind="timeout_after_effect", method="DELETE", times=1, delay=0.5)
        faults.plan(kind="500", path="revokeSignInSessions", times=2)
        environment = environment_of(
            story.world, credential, tmp_path, LATCHKEY_LOG_LEVEL="DEBUG", LATCHKEY_SIGN_IN_PROBE="true"
        )
        with celery_worker(environment, tmp_path / "ready", log), a_process_that_says(story.word):
            app.send_task(f"tasks.{story.word}")
            run = story.leaves(story.ana)
            eventually(lambda: story.is_settled(run), seconds=45)
            story.saw("process arguments", process_arguments())
        assert story.world.cloud.effects.count(kind="password_changed", by="graph") > ACCOUNTS
        other = story.leaves(story.cid)
        work_until_settled(other, outside(), threads=4)

        assert story.versions_are_planted() > TENANTS * ACCOUNTS
        assert len(story.scan.secrets) > 100
        leave_a_canary_where_nothing_else_says_it(story.word)
        for one in (run, other):
            story.every_page_is_opened(one)
            write_evidence(one, tmp_path / "evidence")
        story.saw("evidence files", evidence_in(tmp_path / "evidence"))
        story.saw("database dump", database_dump())
        for medium, content in zip(OF_OUR_OWN_SERVER, (journal_since(journal), server_log()), strict=True):
            story.saw(medium, content)
        story.saw("sessions", sessions())
        story.saw("broker", broker_dump(django_settings.CACHES["default"]["LOCATION"]))
        story.saw("log of the pages", caplog.text.encode())
        story.saw("log of the worker", log.read_bytes())
        story.saw("texts of errors", "\n".join(exceptions).encode())

        findings, silent = [], []
        for medium, parts in story.media.items():
            content = b"\n".join(parts)
            findings += story.scan.findings(medium, content)
            if medium in OF_OUR_OWN_SERVER and not content and "LATCHKEY_TEST_DATABASE_URL" in os.environ:
                continue
            if not story.canary.findings(medium, content):
                silent.append(medium)
        assert findings == [], "\n".join(findings)
        assert silent == [], "the canary was not seen there, so nothing can be said of these places"
        assert b"[withheld]" in b"".join(story.media["database dump"]), "Microsoft did echo passwords, and we saw it"


@contextmanager
def a_process_that_says(word: str) -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(120)", word])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def leave_a_canary_where_nothing_else_says_it(word: str) -> None:
    """In our log, in PostgreSQL's log, among the errors, and in a message that nobody takes from the queue."""
    logging.getLogger("msp.canary").debug("a %s", word)
    with suppress(DatabaseError), connection.cursor() as cursor:
        cursor.execute(f"SELECT 1 / 0 -- {word}")
    str(BadInput(word))
    app.send_task("tenants.tasks.nothing", [word])


class TheScan:
    """It looks for a value in every spelling, wherever it stands."""

    SECRET = 'Pw-"<&\\é%+ -Z9-0123456789'

    @pytest.mark.parametrize("spelling", sorted(spellings(SECRET.encode())))
    def test_sees_each_spelling_in_the_middle_of_something_else(self, spelling: str):
        scan = Scan()
        scan.plant("it", self.SECRET)
        content = b"before " + spellings(self.SECRET.encode())[spelling] + b" after"
        assert scan.findings("here", content)
        assert scan.findings("here", b"before after") == []

    @pytest.mark.parametrize("shift", range(3))
    def test_sees_base64_of_something_longer(self, shift: int):
        scan = Scan()
        scan.plant("it", self.SECRET)
        message = b"x" * shift + b'{"password": "' + self.SECRET.encode() + b'", "more": 1}'
        assert scan.findings("here", base64.b64encode(message))

    def test_never_says_the_secret(self):
        scan = Scan()
        scan.plant("it", self.SECRET)
        said = " ".join(scan.findings("here", self.SECRET.encode()))
        assert said.startswith("it in here")
        assert self.SECRET not in said

    def test_finds_bytes_that_are_no_text(self):
        scan = Scan()
        key = bytes(range(200, 232))
        scan.plant("key", key)
        assert scan.findings("here", key.hex().encode())
        assert scan.findings("here", b"\\\\x" + key.hex().encode())
        assert scan.findings("here", b"ab" + key + b"cd")
