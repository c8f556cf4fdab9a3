"""From a bare Python to Latchkey's own environment. Standard library only.

The virtual environment is `.venv` in the clone (or LATCHKEY_VENV). A stamp in it holds the checksum of the
requirements it was made from, so that the next start only compares. What is half-made is made again.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

ROOT = Path(__file__).resolve().parent.parent
BASE, DEVELOPMENT = "requirements.txt", "requirements-dev.txt"
NEWEST_TRIED = (3, 13)
PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)\s*\\?$", re.MULTILINE)


class Stop(Exception):
    """Nothing can go on; the message is one clear line for the person at the terminal."""


def say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def main(argv: list[str]) -> int:
    """Run the command line in an environment that has everything. Exit code 2 means: could not even begin."""
    try:
        wanted = DEVELOPMENT if argv[1:2] in (["test"], ["faults"]) else BASE
        python = python_with(wanted)
        if python is not None:
            return go_on_with(python, argv)
        # Third-party packages are there from here on, and not a line earlier.
        if os.name == "nt":
            return on_windows(argv)
        return int(importlib.import_module("msp.ops.launch").main(argv))
    except Stop as stop:
        say(str(stop))
        return 2
    except KeyboardInterrupt:
        say("Stopped.")
        return 130


def on_windows(argv: list[str]) -> int:
    """Only management commands, on servers elsewhere: there is no Valkey for Windows to run one of our own."""
    if argv[1:2] in (["up"], ["demo"], ["test"], ["faults"], ["bench"]) or not (
        os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL")
    ):
        raise Stop(
            "On Windows set DATABASE_URL and REDIS_URL for management commands; up, demo, test, faults and bench "
            "need WSL."
        )
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "msp.settings")
    importlib.import_module("django.core.management").execute_from_command_line(argv)
    return 0


def go_on_with(python: Path, argv: list[str]) -> int:
    sys.stdout.flush()
    if os.name == "nt":  # execv there returns to the shell at once
        return subprocess.call([str(python), *argv])  # noqa: S603 - our own interpreter
    os.execv(python, [str(python), *argv])  # noqa: S606 - our own interpreter
    raise AssertionError("execv does not return")


# --- which Python ---------------------------------------------------------------------------------------------


def python_with(requirements: str) -> Path | None:
    """The interpreter that has `requirements`, installed now if need be; None when it is this one."""
    home = venv_directory()
    python = python_of(home)
    if is_stamped(home, requirements) and answers(python):
        return None if Path(sys.prefix).resolve() == home.resolve() else python
    if not home.exists() and has_pins(ROOT / requirements):
        return None
    with only_one_at_a_time(home):
        if not (is_stamped(home, requirements) and answers(python)):
            make(home, requirements)
    return python


def venv_directory() -> Path:
    return Path(os.environ.get("LATCHKEY_VENV") or ROOT / ".venv").expanduser().absolute()


def python_of(home: Path) -> Path:
    return home / "Scripts" / "python.exe" if os.name == "nt" else home / "bin" / "python"


def answers(python: Path) -> bool:
    """Whether the interpreter starts at all: a venv breaks when the Python it was made from goes away."""
    if python.resolve() == Path(sys.executable).resolve():
        return python.exists()
    try:
        return subprocess.run([str(python), "-I", "-S", "-c", ""], capture_output=True).returncode == 0  # noqa: S603
    except OSError:
        return False


def checksum(requirements: str) -> str:
    return hashlib.sha256((ROOT / requirements).read_bytes()).hexdigest()


def stamp_of(home: Path, requirements: str) -> Path:
    return home / f"{requirements}.sha256"


def is_stamped(home: Path, requirements: str) -> bool:
    try:
        return stamp_of(home, requirements).read_text() == checksum(requirements)
    except OSError:
        return False


def pins(requirements: Path) -> dict[str, str]:
    """Name -> version of every unconditional pin; those with a marker depend on the platform and are left out."""
    return dict(PIN.findall(requirements.read_text()))


def has_pins(requirements: Path) -> bool:
    """Whether the running interpreter has exactly the pinned versions."""
    try:
        return all(importlib.metadata.version(name) == version for name, version in pins(requirements).items())
    except importlib.metadata.PackageNotFoundError:
        return False


def venv_has_pins(python: Path, requirements: Path) -> bool:
    """The same question, asked of another interpreter."""
    code = "import sys, pathlib; sys.path.insert(0, sys.argv[1]); from msp import bootstrap as b; "
    code += "sys.exit(not b.has_pins(pathlib.Path(sys.argv[2])))"
    asked = [str(python), "-I", "-c", code, str(ROOT), str(requirements)]
    return subprocess.run(asked, capture_output=True).returncode == 0  # noqa: S603


# --- making it ------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def only_one_at_a_time(home: Path) -> Iterator[None]:
    """Two starts at once: the second waits for the first, then finds everything done."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        lock = (home / "latchkey.lock").open("w")
    except OSError as wrong:
        raise Stop(
            f"{home} cannot be written ({wrong.strerror}). Give a directory that can with LATCHKEY_VENV=path."
        ) from None
    with lock:
        if fcntl:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say("Another start is installing Latchkey here; waiting for it.")
                fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def make(home: Path, requirements: str) -> None:
    """Create or complete the environment, then stamp it."""
    python, unfinished = python_of(home), home / "unfinished"
    strangers = [entry for entry in home.iterdir() if entry.name not in ("latchkey.lock", "unfinished")]
    if strangers and not (home / "pyvenv.cfg").is_file():
        raise Stop(f"{home} is not a virtual environment and not empty. Give another path with LATCHKEY_VENV=path.")
    healthy = not unfinished.exists() and answers(python)
    if healthy and venv_has_pins(python, ROOT / requirements):
        stamp(home, python)
        return
    try:
        if not healthy:
            for entry in strangers:
                shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
        unfinished.touch()
        install(home, requirements, fresh=not healthy)
        unfinished.unlink()
        stamp(home, python)
    except OSError as wrong:
        raise Stop(f"{home} cannot be prepared: {wrong.strerror}. Start again when that is mended.") from None


def stamp(home: Path, python: Path) -> None:
    """The development set contains the other one, so look which of the two are really there."""
    for requirements in (BASE, DEVELOPMENT):
        if venv_has_pins(python, ROOT / requirements):
            stamp_of(home, requirements).write_text(checksum(requirements))


def install(home: Path, requirements: str, *, fresh: bool) -> None:
    python, pinned = python_of(home), str(ROOT / requirements)
    uv = working_uv()
    ensurepip = importlib.util.find_spec("ensurepip") is not None
    if fresh:
        say(f"Creating the virtual environment {home}")
        stage("Preparing Python", [sys.executable, "-m", "venv", "--without-pip", str(home)])
    how_many = len(re.findall(r"^[a-z0-9].*==", Path(pinned).read_text(), re.MULTILINE))
    title = f"Installing {how_many} pinned packages"
    if uv:
        command = [uv, "pip", "install", "--python", str(python), "--require-hashes", "--compile-bytecode"]
        stage(f"{title} with uv", [*command, "-r", pinned])
        return
    if ensurepip:
        stage("Preparing pip", [str(python), "-m", "ensurepip", "--upgrade", "--default-pip"])
        pip = [str(python), "-m", "pip"]
    elif pip_knows_other_pythons():
        pip = [sys.executable, "-m", "pip", "--python", str(python)]
    else:
        raise Stop(
            "This Python has neither pip nor ensurepip (Debian and Ubuntu ship them apart). "
            f"Run this, then start again: apt-get install -y python{sys.version_info[0]}.{sys.version_info[1]}-venv"
        )
    options = ["--require-hashes", "--disable-pip-version-check", "--no-input", "--quiet"]
    stage(f"{title} with pip", [*pip, "install", *options, "-r", pinned])


def working_uv() -> str | None:
    """uv's path, if there is one that runs (version managers leave stubs that do not)."""
    found = shutil.which("uv")
    if not found or os.environ.get("LATCHKEY_WITHOUT_UV"):
        return None
    return found if subprocess.run([found, "--version"], capture_output=True).returncode == 0 else None  # noqa: S603


def pip_knows_other_pythons() -> bool:
    """`pip --python` exists since pip 22.3."""
    asked = subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True, text=True)
    version = re.match(r"pip (\d+)\.(\d+)", asked.stdout)
    return version is not None and (int(version[1]), int(version[2])) >= (22, 3)


def stage(title: str, command: list[str]) -> None:
    """Run one step, showing that it lives; its own output only if it fails. Raises Stop."""
    began, told = time.monotonic(), 0
    live = sys.stderr.isatty()
    with contextlib.ExitStack() as stack:
        output = stack.enter_context(_scratch_file())
        running = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=ROOT)  # noqa: S603
        stack.callback(_end, running)
        if not live:
            say(f"{title} ...")
        while (code := _wait_a_second(running)) is None:
            seconds = int(time.monotonic() - began)
            if live:
                sys.stderr.write(f"\r{title} ... {seconds} s")
                sys.stderr.flush()
            elif seconds >= told + 10:
                told = seconds
                say(f"  still at it, {seconds} s")
        outcome = "done" if code == 0 else "failed"
        say(f"{chr(13) if live else ''}{title}: {outcome} after {time.monotonic() - began:.1f} s")
        if code == 0:
            return
        output.seek(0)
        lines = output.read().decode(errors="replace").strip().splitlines()
    raise Stop(why_it_failed(title, lines))


def why_it_failed(title: str, lines: list[str]) -> str:
    """The cause in one line where it is known, else the last lines of the tool."""
    text = "\n".join(lines)
    if re.search(r"No space left on device|Errno 28|os error 28", text):
        return "The disk is full. Make room and start again; the unfinished environment is then made anew."
    if re.search(r"Permission denied|Read-only file system", text):
        return f"{title}: a directory cannot be written. Give another one with LATCHKEY_VENV=path.\n{lines[-1]}"
    hint = "The installation did not finish; nothing else was changed. Check the network and start again."
    if sys.version_info[:2] > NEWEST_TRIED:
        hint = f"This Python is newer than any that was tried; use Python 3.{NEWEST_TRIED[1]}, or start again."
    return "\n".join([*lines[-12:], "", hint])


def _scratch_file() -> IO[bytes]:
    try:
        return tempfile.TemporaryFile()
    except OSError as wrong:
        raise Stop(f"No temporary file can be made ({wrong.strerror}). Make room or set TMPDIR.") from None


def _wait_a_second(running: subprocess.Popen[bytes]) -> int | None:
    try:
        return running.wait(1)
    except subprocess.TimeoutExpired:
        return None


def _end(running: subprocess.Popen[bytes]) -> None:
    if running.poll() is None:
        running.terminate()
        running.wait()
