"""Law 6: no secret outside the vault. A thousand are planted, everything that touches one is done, and then we look.

Claimed: none of them stands, whole or in a part of eight bytes, in any spelling of `tests.support.scan`, in the
database (rows, backup, files, write-ahead log), the broker (keys, append-only file), a log at DEBUG, a page of any
role, a mail, an error page, a report of a crash, an evidence or report file, the arguments or the environment of a
worker or web process, or an answer of Celery. Six digits of a code are looked for as several codes in one place.

Not claimed: that a process which uses a password has none in its memory. It must have. So no core file is written
of it (`msp.ops.leash`), and no report of a crash shows a variable (`msp.web.crash`). The environment of a process
holds what the operator puts there: `DATABASE_URL` with a password in it is the operator's choice, and there are
`_FILE` settings for each secret. What a page gives to one person on purpose, once (a reveal, a seed, a link), is not
among the pages that are looked at.
"""

from __future__ import annotations

import base64
import dataclasses
import importlib
import logging
import os
import re
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
from django.test import RequestFactory
from django.views.debug import technical_500_response

from msp.celery import app
from msp.errors import BadInput, LatchkeyError
from msp.ops.processes import Child, Service
from msp.ops.work_here import work_until_settled
from msp.outside import outside
from msp.reports.evidence import write_evidence
from msp.simulator import users
from msp.simulator.server import Simulator
from tests.faults import secrets_doors as doors
from tests.faults.secrets_enrolment import Enrolling
from tests.faults.secrets_story import ACCOUNTS, CANARY, OTHERS, TENANTS, Story
from tests.pages.cast import installed
from tests.support.celery_worker import celery_worker, environment_of
from tests.support.media import (
    backup,
    core_limit,
    environment_and_arguments,
    every_command_kept,
    running,
    table_files,
    with_children,
)
from tests.support.scan import (
    BY_CHANCE,
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
from tests.support.source import dotted, python_files
from tests.support.stage import build_world
from tests.support.world import eventually

OF_OUR_OWN_SERVER = {
    "PostgreSQL's write-ahead log",
    "PostgreSQL's own log",
    "files of the tables",
    "append-only file of the broker",
}
"""The files of a server that somebody else runs are not ours to read."""
EMBEDDED = not {"LATCHKEY_TEST_DATABASE_URL", "LATCHKEY_TEST_REDIS_URL"} & set(os.environ)


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
        self,
        story: Story,
        credential: Path,
        caplog: pytest.LogCaptureFixture,
        exceptions: list[str],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        settings: Any,
    ):
        caplog.set_level(logging.DEBUG)
        settings.MAIL_FROM = "latchkey@reseller.example"
        settings.MAIL_SERVER = dict
        broker = django_settings.CACHES["default"]["LOCATION"]
        with every_command_kept(broker) as commands:
            self.the_day_goes_by(story, credential, tmp_path, monkeypatch, settings)
            story.saw("append-only file of the broker", commands())
            story.saw("broker", broker_dump(broker))
        story.saw("log of the pages", caplog.text.encode())
        story.saw("texts of errors", "\n".join(exceptions).encode())
        assert len(story.scan.names) > 1000
        assert len(story.scan.codes) > BY_CHANCE * 3

        findings, silent = [], []
        for medium, parts in story.media.items():
            content = b"\n".join(parts)
            found = story.scan.findings(medium, content)
            leaks = [finding for finding in found if not finding.startswith(f"{CANARY} in ")]
            findings += leaks
            not_ours_to_read = medium in OF_OUR_OWN_SERVER and not content and not EMBEDDED
            if len(found) == len(leaks) and not not_ours_to_read:
                silent.append(medium)
        assert findings == [], "\n".join(findings)
        assert silent == [], "the canary was not seen there, so nothing can be said of these places"
        assert b"[withheld]" in b"".join(story.media["database dump"]), "Microsoft did echo passwords, and we saw it"

    def the_day_goes_by(
        self, story: Story, credential: Path, home: Path, monkeypatch: pytest.MonkeyPatch, settings: Any
    ) -> None:
        journal, log = journal_position(), home / "worker.log"
        story.people_come_in()
        story.accounts_are_imported()
        story.seeds_are_imported()
        story.everybody_enrols()
        assert Enrolling(story).in_every_way() == 5
        story.passwords_are_entered()
        story.passwords_are_revealed()
        story.a_password_is_handed_over()
        story.passwords_are_exported()
        story.the_partner_signs_in()
        story.sessions_begin_at_microsoft()
        doors.everything_breaks(story, monkeypatch, settings)
        doors.a_task_breaks(story, monkeypatch)

        faults = story.world.cloud.faults
        faults.plan(kind="reset_after_effect", method="PATCH", skip=3, times=2)
        faults.plan(kind="timeout_after_effect", method="DELETE", times=1, delay=0.5)
        faults.plan(kind="500", path="revokeSignInSessions", times=2)
        environment = environment_of(
            story.world, credential, home, LATCHKEY_LOG_LEVEL="DEBUG", LATCHKEY_SIGN_IN_PROBE="true"
        )
        environment["LATCHKEY_NOTE"] = story.word
        with (
            celery_worker(environment, home / "ready", log) as worker,
            doors.web_process(story, environment) as web,
            a_process_that_says(story.word),
        ):
            app.send_task(f"tasks.{story.word}")
            run = story.leaves(story.ana)
            doors.somebody_types_at(story, web)
            eventually(lambda: story.is_settled(run), seconds=120)
            doors.celery_is_asked(story)
            story.saw("process arguments", process_arguments())
            processes = [*with_children(worker), *with_children(web.process.pid)]
            story.saw("environment of the processes", environment_and_arguments(processes))
        assert story.world.cloud.effects.count(kind="password_changed", by="graph") > ACCOUNTS
        other = story.leaves(story.cid)
        work_until_settled(other, outside(), threads=4)

        leave_a_canary_where_nothing_else_says_it(story.word)
        doors.every_page_is_opened(story, [run, other])
        doors.mails_go_out(story)
        for one in (run, other):
            write_evidence(one, home / "evidence")
        assert story.what_was_made_is_planted() > TENANTS * ACCOUNTS + OTHERS
        story.saw("log of the worker", log.read_bytes())
        story.saw("evidence files", evidence_in(home / "evidence"))
        story.saw("database dump", database_dump())
        story.saw("backup", backup())
        story.saw("files of the tables", table_files())
        story.saw("PostgreSQL's write-ahead log", journal_since(journal))
        story.saw("PostgreSQL's own log", server_log())
        story.saw("sessions", sessions())


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


NAMES_A_SECRET = re.compile(
    r"(^|_)(password|passphrase|secret|token|seed|plaintext|cells|content|private_key|link_path|proxy)$"
)
NAMES_A_THING = {("Pkcs11Key", "token")}
"""A token of PKCS#11 is a device; this is its label."""


def _classes_that_hold_text() -> list[Any]:
    """(dataclass, the fields that by their name may hold a secret)."""
    found = []
    for path in python_files():
        if path.parts[:2] == ("msp", "simulator") or path.name == "__main__.py" or path.stem in ("wsgi", "celery"):
            continue
        module = importlib.import_module(dotted(path))
        for thing in vars(module).values():
            if not (isinstance(thing, type) and dataclasses.is_dataclass(thing) and thing.__module__ == dotted(path)):
                continue
            fields = [f for f in dataclasses.fields(thing) if NAMES_A_SECRET.search(f.name) and _may_hold(f.type)]
            names = [f.name for f in fields if (thing.__name__, f.name) not in NAMES_A_THING]
            if names:
                found.append(pytest.param(thing, names, id=f"{thing.__module__}.{thing.__qualname__}"))
    return found


def _may_hold(annotation: Any) -> bool:
    return bool(re.search(r"\b(str|bytes|Any|dict|list|tuple)\b", str(annotation)))


class Blank:
    """Whatever else a `repr` asks for."""

    def __getattr__(self, name: str) -> Blank:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __str__(self) -> str:
        return "blank"

    __repr__ = __str__


@pytest.mark.parametrize(("thing", "names"), _classes_that_hold_text())
class EveryRecordThatHoldsASecret:
    """A `repr` comes into a log by one careless line."""

    def test_does_not_say_it(self, thing: type, names: list[str]):
        planted = "Pw-7hU2-kx90-QQzz"
        one: Any = object.__new__(thing)
        for part in dataclasses.fields(thing):
            object.__setattr__(one, part.name, planted if part.name in names else Blank())
        assert planted not in repr(one)
        assert planted not in str(one)


class AReportOfACrash:
    """What Django would mail to administrators, or show on a page for developers."""

    def test_says_where_it_broke_and_not_with_which_values(self, rf: RequestFactory):
        # Made here, because the lines of code are shown.
        typed, in_hand, token = (secrets.token_urlsafe(12) for _ in range(3))
        request = rf.post(f"/access/link/{token}", {"password": typed})
        try:
            doors.breaks("the bridge")(in_hand)
        except doors.Crash:
            answer = technical_500_response(request, *sys.exc_info())
        page = answer.content.decode()
        assert "It broke at the bridge" in page
        assert "in broken" in page
        for secret in (typed, in_hand, token, django_settings.SECRET_KEY):
            assert secret not in page


class AProcessThatLatchkeyStarts:
    def test_leaves_no_core_file(self):
        """Core files hold the memory of a process, and that of a worker has passwords in it."""
        asleep = Service("asleep", [sys.executable, "-c", "import time; time.sleep(60)"], grace=5)
        with running(Child(asleep)) as child:
            command = Path(f"/proc/{child.process.pid}/cmdline")
            assert eventually(lambda: b"leash" not in command.read_bytes(), seconds=30)
            assert core_limit(child.process.pid) == "0"


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

    @pytest.mark.parametrize("start", range(0, len(SECRET) - 8, 3))
    @pytest.mark.parametrize("spelt", ["raw", "hex", "base64", "UTF-16"])
    def test_sees_any_eight_letters_of_it(self, start: int, spelt: str):
        scan = Scan()
        scan.plant("it", self.SECRET)
        part = self.SECRET[start : start + 8].encode()
        told = {
            "raw": part,
            "hex": part.hex().encode(),
            "base64": base64.b64encode(b"some words " + part + b" more"),
            "UTF-16": part.decode().encode("utf-16-le"),
        }[spelt]
        assert scan.findings("here", b"Wrong password: " + told + b"...")
        assert scan.findings("here", b"Wrong password: " + told[: len(told) // 2]) == []

    @pytest.mark.parametrize("place", [0, 1, 5, 2**20 - 3, 2**20, 2**20 + 7, 3 * 2**20 - 12])
    def test_sees_it_wherever_it_stands_in_something_long(self, place: int):
        scan = Scan()
        scan.plant("it", self.SECRET)
        content = b"x" * place + self.SECRET.encode() + b"x" * (3 * 2**20 - place)
        assert scan.findings("here", content)

    def test_takes_one_code_for_chance_and_several_for_a_leak(self):
        scan = Scan()
        for number in range(100_000, 100_010):
            scan.plant_code(str(number))
        assert scan.findings("here", b"job 100001 took 0.100002 s; 1000030, a100004 and 100005-1 are no codes") == []
        assert scan.findings("here", b"code=100001 code=100002 code=100003 code=100004") == ["4 codes in here"]

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
