"""From a bare Python to an environment: in a small clone whose only requirement is a wheel made here."""

from __future__ import annotations

import ast
import base64
import hashlib
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from msp import bootstrap

ROOT = Path(bootstrap.__file__).parent.parent
INNER = """
import sys, importlib.metadata
def main(argv):
    print("ran", argv[1], sys.prefix, importlib.metadata.version("latchkey-probe"))
    return 7
"""


def make_wheel(place: Path) -> str:
    """A real wheel of an empty package; returns its sha256."""
    info = "latchkey_probe-1.0.dist-info"
    files = {
        "latchkey_probe.py": b"",
        f"{info}/METADATA": b"Metadata-Version: 2.1\nName: latchkey-probe\nVersion: 1.0\n",
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    lines = []
    for name, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        lines.append(f"{name},sha256={digest},{len(content)}\n")
    files[f"{info}/RECORD"] = "".join([*lines, f"{info}/RECORD,,\n"]).encode()
    wheel = place / "latchkey_probe-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return hashlib.sha256(wheel.read_bytes()).hexdigest()


class Clone:
    """A clone of the few files that come before the first installed package."""

    def __init__(self, place: Path) -> None:
        self.place = place
        (place / "msp" / "ops").mkdir(parents=True)
        for name in ("manage.py", "msp/__init__.py", "msp/bootstrap.py"):
            (place / name).write_bytes((ROOT / name).read_bytes())
        (place / "msp" / "ops" / "__init__.py").touch()
        (place / "msp" / "ops" / "launch.py").write_text(INNER)
        self.require(make_wheel(place))

    def require(self, sha256: str) -> None:
        for name in (bootstrap.BASE, bootstrap.DEVELOPMENT):
            (self.place / name).write_text(f"latchkey-probe==1.0 \\\n    --hash=sha256:{sha256}\n")

    @property
    def venv(self) -> Path:
        return self.place / ".venv"

    def environment(self, **extra: str) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        offline = {"PIP_NO_INDEX": "1", "UV_NO_INDEX": "1", "UV_OFFLINE": "1", "UV_NO_CONFIG": "1"}
        return kept | offline | {"PIP_FIND_LINKS": str(self.place), "UV_FIND_LINKS": str(self.place)} | extra

    def begin(self, **extra: str) -> subprocess.Popen[str]:
        python = getattr(sys, "_base_executable", sys.executable)
        return subprocess.Popen(
            [python, "manage.py", "greet"],
            cwd=self.place,
            env=self.environment(**extra),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def start(self, **extra: str) -> tuple[int, str, str]:
        running = self.begin(**extra)
        out, err = running.communicate(timeout=120)
        return running.returncode, out, err


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path)


class WhenTheCloneIsNew:
    def test_the_command_runs_in_an_environment_of_its_own(self, clone: Clone) -> None:
        code, out, err = clone.start()
        assert (code, out) == (7, f"ran greet {clone.venv} 1.0\n"), err

    def test_every_stage_is_shown_with_its_time_and_nothing_of_the_tools(self, clone: Clone) -> None:
        _, _, err = clone.start()
        assert "Installing 1 pinned packages" in err
        assert "done after" in err
        assert "Successfully installed" not in err

    def test_the_second_start_installs_nothing(self, clone: Clone) -> None:
        clone.start()
        code, _, err = clone.start()
        assert (code, err) == (7, "")

    def test_it_works_without_uv(self, clone: Clone) -> None:
        code, out, err = clone.start(LATCHKEY_WITHOUT_UV="1")
        assert (code, out) == (7, f"ran greet {clone.venv} 1.0\n"), err
        assert "with pip" in err

    def test_two_starts_at_once_do_not_break_each_other(self, clone: Clone) -> None:
        both = [clone.begin(), clone.begin()]
        answers = [(one.communicate(timeout=120), one.returncode) for one in both]
        assert [code for _, code in answers] == [7, 7], answers


class WhenTheEnvironmentIsNotWhatItShouldBe:
    def test_a_half_made_one_is_made_again(self, clone: Clone) -> None:
        clone.start()
        (clone.venv / "unfinished").touch()
        (clone.venv / f"{bootstrap.BASE}.sha256").unlink()
        (clone.venv / "lib" / "left-over").touch()
        code, _, err = clone.start()
        assert code == 7, err
        assert not (clone.venv / "lib" / "left-over").exists()
        assert not (clone.venv / "unfinished").exists()

    def test_one_whose_python_is_gone_is_made_again(self, clone: Clone) -> None:
        clone.start()
        python = clone.venv / "bin" / "python"
        python.unlink()
        python.symlink_to("/nowhere/python3")
        code, out, err = clone.start()
        assert (code, out) == (7, f"ran greet {clone.venv} 1.0\n"), err

    def test_changed_requirements_are_noticed(self, clone: Clone) -> None:
        clone.start()
        requirements = clone.place / bootstrap.BASE
        requirements.write_text("# a word more\n" + requirements.read_text())
        assert not bootstrap.is_stamped(clone.venv, bootstrap.BASE)
        code, _, _ = clone.start()
        assert code == 7
        stamp = (clone.venv / f"{bootstrap.BASE}.sha256").read_text()
        assert stamp == hashlib.sha256(requirements.read_bytes()).hexdigest()

    def test_a_package_with_another_hash_is_refused_with_the_tools_last_lines(self, clone: Clone) -> None:
        clone.require("0" * 64)
        code, out, err = clone.start()
        assert (code, out) == (2, "")
        assert "latchkey-probe" in err
        assert "start again" in err
        assert "Traceback (most recent call last)" not in err

    def test_a_directory_that_is_no_environment_is_left_alone(self, clone: Clone) -> None:
        precious = clone.place / "precious"
        precious.mkdir()
        (precious / "letter.txt").write_text("dear")
        code, _, err = clone.start(LATCHKEY_VENV=str(precious))
        assert code == 2
        assert "is not a virtual environment" in err
        assert (precious / "letter.txt").read_text() == "dear"

    def test_a_place_that_cannot_be_written_gets_one_line(self, clone: Clone) -> None:
        code, _, err = clone.start(LATCHKEY_VENV="/dev/null/venv")
        assert code == 2
        assert err.count("\n") == 1
        assert "/dev/null/venv cannot be written" in err


class WhenThePythonIsTooOld:
    def test_manage_py_can_still_be_read_by_it(self) -> None:
        ast.parse((ROOT / "manage.py").read_text(), feature_version=(3, 6))

    def test_it_says_so_in_one_line(self) -> None:
        code = "import runpy, sys; sys.version_info = (3, 9, 2); runpy.run_path('manage.py', run_name='__main__')"
        ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
        assert ran.returncode == 2
        assert ran.stderr.startswith("Latchkey needs Python 3.11 or newer; this is Python 3.9.")
        assert ran.stderr.count("\n") == 1


class WhenSomethingGoesWrongOnTheMachine:
    @pytest.mark.parametrize(
        "line",
        [
            "OSError: [Errno 28] No space left on device",
            "error: failed to write to file `x`: No space left on device (os error 28)",
        ],
    )
    def test_a_full_disk_is_called_a_full_disk(self, line: str) -> None:
        assert bootstrap.why_it_failed("Installing", ["noise", line]).startswith("The disk is full.")

    def test_an_unknown_cause_is_shown_as_the_tool_said_it(self) -> None:
        assert "the tool's own words" in bootstrap.why_it_failed("Installing", ["the tool's own words"])


class TheFirstFiles:
    def test_need_nothing_but_the_standard_library(self) -> None:
        code = (
            "import sys; sys.path.insert(0, sys.argv[1]); before = set(sys.modules); import msp.bootstrap; "
            "new = {name.split('.')[0] for name in set(sys.modules) - before} - {'msp'}; "
            "print(sorted(new - set(sys.stdlib_module_names)))"
        )
        ran = subprocess.run([sys.executable, "-I", "-c", code, str(ROOT)], capture_output=True, text=True, check=True)
        assert ran.stdout == "[]\n"
