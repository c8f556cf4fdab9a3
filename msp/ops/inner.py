"""`python -m msp.ops.inner COMMAND`: one management command, as the supervisor runs it beside its services."""

from __future__ import annotations

import sys

from django.core.exceptions import ImproperlyConfigured

from msp.ops.home import say
from msp.ops.oneshot import execute
from msp.ops.processes import COULD_NOT_BEGIN, wrong_setting


def main(arguments: list[str]) -> int:
    try:
        return execute(["manage.py", *arguments])
    except ImproperlyConfigured as wrong:
        say(wrong_setting(wrong))
        return COULD_NOT_BEGIN


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
