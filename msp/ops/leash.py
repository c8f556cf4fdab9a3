"""Runs one command that must not outlive the process which started it. Standard library only.

    python -I -S leash.py PARENT SIGNAL USER GROUP COMMAND [ARGUMENT ...]

PARENT is the process id to be tied to, SIGNAL the number sent to the command when that process dies,
USER and GROUP the numbers to run as ("-" keeps the present ones).

Linux does it by itself: PR_SET_PDEATHSIG survives execve(2), but is cleared when the user changes, and is
sent when the *thread* that forked ends (prctl(2)); so the user changes first, and callers start from a
thread that lives as long as they do. Elsewhere this process stays and watches.

The command leaves no core file when it crashes: the memory of a worker has passwords in it. Limits survive
execve(2). Where the system pipes cores to a program (core(5)), systemd-coredump obeys this limit, too.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
import time

PR_SET_PDEATHSIG = 1


def become(user: str, group: str) -> None:
    if user == "-":
        return
    os.setgroups([])
    os.setgid(int(group))
    os.setuid(int(user))
    os.environ["HOME"] = "/"


def watch(parent: int, farewell: int, command: list[str]) -> int:
    """For systems without a parent-death signal: run the command as a child and look every half second."""
    child = os.fork()
    if not child:
        os.execvp(command[0], command)  # noqa: S606 - that is its purpose
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        signal.signal(number, lambda received, _frame: os.kill(child, received))
    told = False
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status) & 0xFF
        if os.getppid() != parent and not told:
            os.kill(child, farewell)
            told = True
        time.sleep(0.5)


def main(arguments: list[str]) -> int:
    parent, farewell = int(arguments[0]), int(arguments[1])
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    become(arguments[2], arguments[3])
    command = arguments[4:]
    if not sys.platform.startswith("linux"):
        return watch(parent, farewell, command)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, farewell, 0, 0, 0)
    # The parent may have died before the line above; nobody would tell us then.
    if os.getppid() != parent:
        return 1
    try:
        os.execvp(command[0], command)  # noqa: S606 - that is its purpose
    except OSError as wrong:
        sys.stderr.write(f"{command[0]} cannot be started: {wrong.strerror}.\n")
        return 127


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
