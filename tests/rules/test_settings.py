"""A setting is right, or the command ends in one line that names it and never says its value."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from msp import env
from msp.ops import people, places, services
from msp.ops.flows import Choices, keep_address
from msp.ops.home import REAL, Home

SERVERS = {"DATABASE_URL": "postgres://nobody@127.0.0.1:1/none", "REDIS_URL": "redis://127.0.0.1:1/0"}
"""Given, so that no command starts servers of its own."""


def run(home: Path, *arguments: str, **given: str) -> subprocess.CompletedProcess[str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LATCHKEY_VENV") if name in os.environ}
    environment = kept | SERVERS | {"LATCHKEY_HOME": str(home)} | given
    command = [sys.executable, str(places.ROOT / "manage.py"), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


def said(ended: subprocess.CompletedProcess[str]) -> str:
    """The one line on standard error of a command that could not begin."""
    assert (ended.returncode, ended.stdout) == (2, ""), ended.stderr
    (line,) = ended.stderr.splitlines()
    return line


class WhenASettingIsWrong:
    @pytest.mark.parametrize(
        "command", [["check"], ["run", "list"], ["doctor"], ["migrate"], ["import", "accounts", "-"], ["up"], ["demo"]]
    )
    def test_every_command_ends_with_two_and_one_line(self, command: list[str], tmp_path: Path) -> None:
        if command[0] in ("up", "demo"):
            command = [*command, "--port", str(services.free_port())]
        ended = run(tmp_path / "home", *command, DATABASE_URL="mysql://u:Planted-Secret-7@h/db")
        if command[0] == "demo":  # its simulator begins before the settings are read, and makes its authority
            assert ended.returncode == 2
            assert "Traceback" not in ended.stderr
            assert "DATABASE_URL must name a PostgreSQL database" in ended.stderr.splitlines()[-1]
        else:
            assert "DATABASE_URL must name a PostgreSQL database" in said(ended)
        assert "Planted" not in ended.stderr + ended.stdout

    @pytest.mark.parametrize(
        ("name", "value", "words"),
        [
            ("LATCHKEY_LEASE_SECONDS", "three", "must be a whole number"),
            ("LATCHKEY_BEHIND_TLS", "maybe", "must be on or off"),
            ("DATABASE_URL", "postgre://u:Planted-Secret-7@h/db", "must name a PostgreSQL database"),
            ("DATABASE_URL", "postgres://u:Planted-Secret-7@h:port/db", "port"),
            ("REDIS_URL", "http://u:Planted-Secret-7@h/0", "must name a Redis or Valkey server"),
            ("LATCHKEY_CLIENT_SECRET_FILE", "/nowhere/secret", "cannot be read (No such file or directory)"),
        ],
    )
    def test_the_line_names_it_and_not_its_value(self, name: str, value: str, words: str, tmp_path: Path) -> None:
        line = said(run(tmp_path / "home", "check", **{name: value}))
        assert name in line
        assert words in line
        assert "Planted" not in line


class WhenNobodyReadsTheOutput:
    def test_a_command_ends_without_a_trace(self, tmp_path: Path) -> None:
        """As in `manage.py help migrate | head -0`."""
        reading, writing = os.pipe()
        os.close(reading)
        command = [sys.executable, str(places.ROOT / "manage.py"), "diffsettings"]
        environment = os.environ | SERVERS | {"LATCHKEY_HOME": str(tmp_path / "home")}
        ended = subprocess.run(command, env=environment, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
        os.close(writing)
        assert (ended.returncode, ended.stderr) == (141, "")


class WhenASwitchIsRead:
    @pytest.mark.parametrize(("text", "on"), [("on", True), ("True", True), ("1", True), ("off", False), ("No", False)])
    def test_the_usual_words_are_understood(self, text: str, on: bool, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LATCHKEY_BEHIND_TLS", text)
        assert env.switch("LATCHKEY_BEHIND_TLS", not on) is on

    def test_a_slip_of_the_pen_is_not_taken_for_no(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LATCHKEY_BEHIND_TLS", "ture")
        with pytest.raises(ImproperlyConfigured, match="LATCHKEY_BEHIND_TLS"):
            env.switch("LATCHKEY_BEHIND_TLS", False)


@pytest.mark.django_db
class WhenALinkIsPrinted:
    @pytest.fixture
    def home(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
        """An installation that was started on port 8811."""
        monkeypatch.setenv("LATCHKEY_HOME", str(tmp_path / "home"))
        monkeypatch.delenv("LATCHKEY_URL", raising=False)
        home = Home.here()
        home.open(REAL)
        keep_address(home, Choices(port=8811))
        return home

    def link(self, base: str = "") -> str:
        return people.one_time_link(None, minutes=5, base=base).partition("/access/")[0]

    def test_it_begins_with_the_address_that_was_started_last(self, home: Home) -> None:
        assert self.link() == "http://127.0.0.1:8811"
        keep_address(home, Choices(port=8822))
        assert self.link() == "http://127.0.0.1:8822"

    def test_an_address_that_was_given_stands_above_it_and_survives_a_start(
        self, home: Home, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("LATCHKEY_URL", "https://keys.example/")
        home.keep_settings({"LATCHKEY_URL": "https://keys.example/"})
        keep_address(home, Choices(port=8833))
        assert self.link() == "https://keys.example"
        assert home.settings() == {"LATCHKEY_URL": "https://keys.example/"}

    def test_whoever_asks_for_another_one_gets_it(self, home: Home) -> None:
        assert self.link("https://other.example") == "https://other.example"

    def test_before_the_first_start_it_is_the_default(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("LATCHKEY_HOME", str(tmp_path / "empty"))
        monkeypatch.delenv("LATCHKEY_URL", raising=False)
        assert self.link() == people.DEFAULT_BASE
