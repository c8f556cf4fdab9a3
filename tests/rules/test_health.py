"""What `doctor` asks: each question has a good answer when all is well, and says what to do when it is not."""

from __future__ import annotations

import datetime as dt
import json
import os
import socket
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from django.core.cache import cache
from django.core.management import call_command
from django.db import OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import override_settings
from django.utils import timezone

from msp.ops import credential, health
from msp.ops.services import free_port
from msp.simulator.server import Simulator
from msp.vault.keepers.file import FileKeeper
from tenants.tasks import sweep
from tests.support.celery_worker import celery_worker, database_url
from tests.support.world import World, eventually

pytestmark = pytest.mark.django_db


class ServerThatSays:
    """What `connection` is to the question about the database: one that answers with a version, or not at all."""

    def __init__(self, version: int | None) -> None:
        self.version = version

    def cursor(self) -> ServerThatSays:
        if self.version is None:
            raise OperationalError("connection refused")
        return self

    def __enter__(self) -> ServerThatSays:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def execute(self, _sql: str) -> None:
        pass

    def fetchone(self) -> tuple[str]:
        return (str(self.version),)


@pytest.fixture
def no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens where the broker should be."""
    nowhere = Celery("nowhere", broker=f"redis://127.0.0.1:{free_port()}/0", set_as_current=False)
    nowhere.conf.broker_connection_retry = False
    monkeypatch.setattr(health, "app", nowhere)


class WhenTheDatabaseIsExamined:
    def test_it_is_well_with_every_migration_in(self):
        finding = health.database()
        assert finding.well
        assert "every migration is in" in finding.words

    def test_a_migration_that_waits_is_counted(self):
        recorder = MigrationRecorder(connection)
        last = recorder.migration_qs.filter(app="technicians").order_by("name").last()
        recorder.record_unapplied("technicians", last.name)
        finding = health.database()
        assert (finding.well, "1 migration waits" in finding.words, "migrate" in finding.words) == (False, True, True)

    def test_one_that_does_not_answer_is_named(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(health, "connection", ServerThatSays(None))
        finding = health.database()
        assert (finding.well, "DATABASE_URL" in finding.words) == (False, True)

    def test_one_that_is_too_old_is_said(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr(health, "connection", ServerThatSays(140012))
        finding = health.database()
        assert (finding.well, "older than 15" in finding.words) == (False, True)


class WhenTheKeysAreExamined:
    @pytest.fixture(autouse=True)
    def _keys(self, world: World, settings: Any, tmp_path: Path) -> None:
        settings.KEY_DIRECTORY = tmp_path / "keys"
        self.world, self.root = world, tmp_path / "keys" / "root.key"

    def seal_something(self) -> None:
        self.world.account(self.world.tenant("Contoso"))

    def test_before_the_first_secret_there_is_none_and_that_is_well(self):
        finding = health.keys()
        assert (finding.well, "no root key yet" in finding.words) == (True, True)

    def test_a_private_key_that_opens_everything_is_well(self):
        self.seal_something()
        finding = health.keys()
        assert (finding.well, "opens every data key" in finding.words) == (True, True)

    def test_a_key_that_others_can_read_is_not(self):
        self.seal_something()
        self.root.chmod(0o644)
        finding = health.keys()
        assert (finding.well, str(self.root) in finding.words) == (False, True)

    def test_a_missing_key_is_not_once_something_is_sealed(self):
        self.seal_something()
        self.root.unlink()
        finding = health.keys()
        assert (finding.well, "backup" in finding.words) == (False, True)

    def test_another_key_is_not(self):
        self.seal_something()
        self.root.unlink()
        FileKeeper(self.root.parent).make_unless_there()
        finding = health.keys()
        assert (finding.well, "is not the root key" in finding.words) == (False, True)


class WhenTheBrokerIsExamined:
    def test_one_that_answers_is_well(self):
        assert health.broker().well

    def test_one_that_is_away_is_not(self, no_broker: None):
        finding = health.broker()
        assert (finding.well, "REDIS_URL" in finding.words) == (False, True)


class WhenTheWorkerIsExamined:
    @pytest.mark.fault
    def test_one_that_runs_is_well(self, tmp_path: Path):
        environment = os.environ | {"DATABASE_URL": database_url(), "LATCHKEY_HOME": str(tmp_path)}
        with celery_worker(environment, tmp_path / "ready", tmp_path / "log", threads=1):
            assert eventually(lambda: health.worker().well, seconds=30)
            finding = health.worker()
        assert (finding.well, finding.words) == (True, "1 worker answers.")

    def test_none_is_not(self):
        finding = health.worker()
        assert (finding.well, "manage.py up" in finding.words) == (False, True)

    def test_one_behind_a_broker_that_is_away_is_not(self, no_broker: None):
        assert health.worker().well is False


class WhenBeatIsExamined:
    @pytest.fixture(autouse=True)
    def _no_sweep_yet(self):
        cache.delete("last-sweep")
        yield
        cache.delete("last-sweep")

    def test_a_sweep_a_moment_ago_is_well(self):
        sweep()
        finding = health.beat()
        assert (finding.well, "seconds ago" in finding.words) == (True, True)

    def test_a_sweep_that_is_overdue_is_not(self):
        cache.set("last-sweep", (timezone.now() - dt.timedelta(minutes=5)).isoformat())
        finding = health.beat()
        assert (finding.well, "300 seconds ago" in finding.words) == (False, True)

    def test_no_sweep_at_all_is_not(self):
        finding = health.beat()
        assert (finding.well, "no sweep yet" in finding.words) == (False, True)

    def test_a_time_that_cannot_be_read_is_not(self):
        backend = "django.core.cache.backends.redis.RedisCache"
        location = f"redis://127.0.0.1:{free_port()}/0"
        with override_settings(CACHES={"default": {"BACKEND": backend, "LOCATION": location}}):
            finding = health.beat()
        assert (finding.well, "cannot be read (ConnectionError)" in finding.words) == (False, True)


class WhenCloudsAndClockAreExamined:
    def looked_at(self, settings: Any, url: str, ca: object) -> dict[str, health.Finding]:
        settings.MICROSOFT = settings.MICROSOFT | {"login_url": url, "graph_url": url, "ca_bundle": str(ca)}
        return {finding.subject: finding for finding in health.clouds_and_clock()}

    def test_a_cloud_that_answers_over_tls_is_well_and_tells_the_time(self, simulator: Simulator, settings: Any):
        found = self.looked_at(settings, simulator.url, simulator.ca_path)
        assert {subject: finding.well for subject, finding in found.items()} == {"cloud global": True, "clock": True}

    def test_a_cloud_under_another_authority_is_not(self, simulator: Simulator, settings: Any, tmp_path: Path):
        stranger = credential.make(tmp_path / "stranger.pem")
        found = self.looked_at(settings, simulator.url, stranger)
        assert found["cloud global"].well is False
        assert simulator.url in found["cloud global"].words

    def test_a_cloud_that_is_away_is_not_and_then_the_clock_is_not_judged(self, simulator: Simulator, settings: Any):
        found = self.looked_at(settings, f"https://127.0.0.1:{free_port()}", simulator.ca_path)
        assert {subject: finding.well for subject, finding in found.items()} == {"cloud global": False, "clock": None}

    @pytest.mark.parametrize(("skew", "well"), [(None, None), (0.2, True), (-90, True), (200, False), (-200, False)])
    def test_the_clock_is_judged_by_the_difference(self, skew: float | None, well: bool | None):
        assert health.clock(skew).well is well


class WhenTheDoctorIsAsked:
    def test_trouble_with_one_question_does_not_stop_the_others(self, monkeypatch: pytest.MonkeyPatch):
        def away() -> health.Finding:
            raise OperationalError("gone")

        monkeypatch.setattr(health, "keys", away)
        found = {finding.subject: finding for finding in health.examine()}
        assert found["keys"].well is False
        assert "line about it first" in found["keys"].words
        assert {"database", "keys", "broker", "worker", "beat", "clock"} <= set(found)

    @pytest.mark.parametrize(("well", "ends"), [(True, 0), (None, 0), (False, 1)])
    def test_the_exit_code_says_whether_anything_is_wrong(
        self, well: bool | None, ends: int, monkeypatch: pytest.MonkeyPatch
    ):
        """An unchecked clock is no fault by itself."""
        findings = [health.Finding("database", True, "Fine."), health.Finding("clock", well, "As it is.")]
        monkeypatch.setattr("msp.ops.management.commands.doctor.examine", lambda: iter(findings))
        out, code = StringIO(), 0
        try:
            call_command("doctor", "--json", stdout=out)
        except SystemExit as end:
            code = int(end.code or 0)
        assert code == ends
        assert json.loads(out.getvalue())["well"] is (ends == 0)
        assert json.loads(out.getvalue())["findings"][1]["well"] is well


def test_a_free_port_is_one_where_nobody_listens():
    """What the tests above take for "away" must really be so."""
    with socket.socket() as trial:
        assert trial.connect_ex(("127.0.0.1", free_port())) != 0
