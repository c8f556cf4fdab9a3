"""Where a command line goes once everything is installed: tests, a supervisor, or a management command."""

from __future__ import annotations

import errno
import importlib
import os
import sys

from django.core.exceptions import ImproperlyConfigured

from msp.ops import flows, measuring, testing
from msp.ops.home import say
from msp.ops.processes import COULD_NOT_BEGIN, ServiceTrouble, wrong_setting

NOBODY_READS = 141
"""What a shell reports of a program that ended on a broken pipe (128 + SIGPIPE)."""

OF_THE_MACHINE = {errno.ENOSPC: "The disk is full", errno.EDQUOT: "The disk quota is used up"}


def main(argv: list[str]) -> int:
    """Returns the exit code of the command; 2 with one line when it could not even begin."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "msp.settings")
    command, arguments = (argv[1] if len(argv) > 1 else ""), argv[2:]
    try:
        if command == "test":
            return testing.run(arguments)
        if command == "faults":
            return testing.break_things(arguments)
        if command == "bench":
            return measuring.run(arguments)
        if command in ("up", "demo"):
            choices = flows.read_choices(command, arguments)
            return flows.demo(choices) if command == "demo" else flows.up(choices)
        # Loads Django, which the supervisor has no use for.
        return int(importlib.import_module("msp.ops.oneshot").manage(argv, command, arguments))
    except ServiceTrouble as trouble:
        say(str(trouble))
    except ImproperlyConfigured as wrong:
        say(wrong_setting(wrong))
    except BrokenPipeError:
        # Whoever read our output, such as `head`, has enough; what is still in the buffer goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NOBODY_READS
    except OSError as wrong:
        if wrong.errno not in (*OF_THE_MACHINE, errno.EACCES, errno.EROFS, errno.EPERM):
            raise
        cause = OF_THE_MACHINE.get(wrong.errno, f"{wrong.filename} cannot be written ({wrong.strerror})")
        say(f"{cause}. Nothing was half-done that the next start would not mend; start again when there is room.")
    return COULD_NOT_BEGIN
