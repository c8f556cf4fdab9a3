"""With a root key that is missing or wrong nothing is started that could write, and the reason is one sentence."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest
from django.core.management import get_commands
from django.db import transaction

from msp.ledger.models import Entry
from msp.ops.root_key import OURS, WITH_ANY_ROOT_KEY, trouble_for, trouble_with_root_key
from msp.vault.database import Vault
from msp.vault.envelope import Place
from msp.vault.keepers.file import FileKeeper
from msp.vault.models import DataKey, Turnover
from technicians.models import Technician
from tests.support.celery_worker import database_url

OUR_COMMANDS = sorted(name for name, app in get_commands().items() if str(app).startswith(OURS))
STARTS = {
    "a command": ["-m", "msp.ops.inner", "create_owner", "olga@reseller.example"],
    "up and demo": ["-m", "msp.ops.inner", "migrate", "--no-input", "--verbosity=0"],
    "the web server": ["-c", "import msp.wsgi"],
    "the worker": ["-m", "celery", "-A", "msp.celery", "worker", "--pool", "threads", "--concurrency", "1"],
}


def spoil(keys: Path, how: str) -> None:
    (keys / "root.key").unlink()
    if how == "wrong":
        FileKeeper(keys).make_unless_there()


def seal_something(keys: Path) -> None:
    with transaction.atomic():
        Vault(FileKeeper(keys)).seal(b"x", Place(str(uuid.uuid4()), "", "a_secret", "1", 1))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("how", ["missing", "wrong"])
@pytest.mark.parametrize("start", STARTS)
class WhenTheRootKeyDoesNotFit:
    def test_it_ends_at_once_says_why_and_writes_nothing(self, start: str, how: str, tmp_path: Path):
        keys = tmp_path / "keys"
        seal_something(keys)
        spoil(keys, how)
        before = (DataKey.objects.count(), Technician.objects.count(), Entry.objects.count())
        environment = os.environ | {
            "DATABASE_URL": database_url(), "LATCHKEY_HOME": str(tmp_path), "DJANGO_SETTINGS_MODULE": "msp.settings",
        }  # fmt: skip
        ended = subprocess.run(
            [sys.executable, *STARTS[start]], env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        said = ended.stdout + ended.stderr
        assert ended.returncode == 1, said
        assert {"missing": "root.key is missing", "wrong": "is not the root key"}[how] in said
        assert "Traceback" not in said
        assert (DataKey.objects.count(), Technician.objects.count(), Entry.objects.count()) == before
        assert not Turnover.objects.exists()


@pytest.mark.django_db
class EveryCommandOfOurs:
    @pytest.fixture(autouse=True)
    def _spoilt(self, settings: Any, tmp_path: Path) -> None:
        settings.KEY_DIRECTORY = self.keys = tmp_path / "keys"
        seal_something(self.keys)
        assert trouble_with_root_key() == ""
        spoil(self.keys, "wrong")

    def test_is_stopped_before_it_begins(self):
        stopped = {name for name in OUR_COMMANDS if "is not the root key" in trouble_for(name)}
        assert set(OUR_COMMANDS) - stopped == WITH_ANY_ROOT_KEY
        assert {"offboard", "import", "create_owner", "rotate_keys", "shred_secrets"} <= stopped

    def test_is_not_stopped_by_one_data_key_of_many_that_is_damaged(self):
        """A start must be quick, whatever keeps the root key; `doctor` tries every data key."""
        DataKey.objects.update(wrapped=b"damaged", root_key_id=FileKeeper(self.keys).current())
        seal_more = Vault(FileKeeper(self.keys))
        for _ in range(2):
            seal_more.seal(b"x", Place(str(uuid.uuid4()), "", "a_secret", "1", 1))
        DataKey.objects.filter(wrapped=b"damaged").update(created_at="2040-01-01T00:00:00Z")
        assert trouble_with_root_key() == ""

    def test_of_djangos_own_is_not_asked(self):
        assert trouble_for("migrate") == ""
