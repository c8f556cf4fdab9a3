"""`rotate_keys --data-keys` is killed with -9 again and again over 10,000 secrets, while somebody reads them."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.db import connection

from msp.ops.sealed import SEALED
from msp.vault.database import Vault
from msp.vault.keepers.file import FileKeeper
from msp.vault.models import DataKey, Turnover
from tenants.models import SecretVersion
from tests.support.celery_worker import database_url
from tests.support.many_secrets import fill, plaintext_of
from tests.support.world import found_reseller

pytestmark = [pytest.mark.fault, pytest.mark.django_db(transaction=True)]

TENANTS, VERSIONS = 200, 50
SECRETS = TENANTS * VERSIONS
REST_SECONDS = "3"
"""A reader that read a row must open it within this time; the reader here needs some milliseconds."""
READS_PER_PROCESS = 50


class Reader:
    """Opens one secret after another, each as a process would that was started a moment ago."""

    def __init__(self, keys: Path) -> None:
        self.keys, self.reads, self.failures = keys, 0, list[str]()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._read)

    def __enter__(self) -> Reader:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(60)

    def _read(self) -> None:
        ids = list(SecretVersion.objects.values_list("pk", flat=True))
        dice = random.Random()
        try:
            while not self._over.is_set():
                if self.reads % READS_PER_PROCESS == 0:
                    vault = Vault(FileKeeper(self.keys))
                version = SecretVersion.objects.select_related("secret__account").get(pk=dice.choice(ids))
                try:
                    assert vault.open(bytes(version.sealed), version.place) == plaintext_of(version)
                except Exception as wrong:
                    self.failures.append(f"{type(wrong).__name__}: {wrong}")
                self.reads += 1
        finally:
            connection.close()


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "keys").mkdir(mode=0o700)
    yield tmp_path


def begin(home: Path) -> subprocess.Popen[str]:
    environment = os.environ | {"DATABASE_URL": database_url(), "LATCHKEY_HOME": str(home)}
    command = [sys.executable, "-m", "msp.ops.inner", "rotate_keys", "--data-keys", "--rest-seconds", REST_SECONDS]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )  # fmt: skip


def kill_once(home: Path, done: Callable[[], int], enough: int) -> None:
    command, end = begin(home), time.monotonic() + 300
    while done() < enough and command.poll() is None and time.monotonic() < end:
        time.sleep(0.02)
    command.kill()
    _out, said = command.communicate(timeout=60)
    assert command.returncode == -signal.SIGKILL, said


class WhenTheTurnoverIsKilledAgainAndAgain:
    def test_every_secret_opens_at_every_moment_and_nothing_old_is_left_at_the_end(self, home: Path):
        reseller, _owner = found_reseller("Northwind IT", "olga@reseller.example")
        keeper = FileKeeper(home / "keys")
        fill(reseller, Vault(keeper), tenants=TENANTS, versions=VERSIONS)
        old_root, old_keys = keeper.current(), set(DataKey.objects.values_list("pk", flat=True))
        seed = random.randrange(10**9)
        dice = random.Random(seed)

        def rewrapped() -> int:
            return DataKey.objects.exclude(root_key_id=old_root).count()

        def renewed() -> int:
            return DataKey.objects.retired().count()

        def resealed() -> int:
            return SECRETS - SEALED[0].sealed_by(old_keys).count()

        with Reader(home / "keys") as reader:
            kill_once(home, rewrapped, dice.randrange(1, TENANTS))
            kill_once(home, renewed, dice.randrange(1, TENANTS))
            kill_once(home, resealed, dice.randrange(1, SECRETS // 2))
            kill_once(home, resealed, dice.randrange(SECRETS // 2, SECRETS))
            last = begin(home)
            _out, said = last.communicate(timeout=400)
            assert last.returncode == 0, said
            assert Vault(keeper).keeper.current() != old_root

        assert reader.failures == [], f"seed {seed}"
        assert reader.reads > 100
        assert sorted(path.name for path in (home / "keys").glob("root*")) == ["root.key"]
        assert set(DataKey.objects.that_open().values_list("root_key_id", flat=True)) == {keeper.current()}
        assert not DataKey.objects.that_open().filter(pk__in=old_keys).exists()
        assert DataKey.objects.live().count() == TENANTS
        assert [column.sealed_by(old_keys).count() for column in SEALED] == [0] * len(SEALED)
        assert Turnover.objects.filter(finished_at__isnull=False).count() == Turnover.objects.count() == 1
        vault = Vault(keeper)
        versions = SecretVersion.objects.select_related("secret__account").iterator(chunk_size=2000)
        assert sum(vault.open(bytes(v.sealed), v.place) == plaintext_of(v) for v in versions) == SECRETS
