"""`python -m msp.ops.inner COMMAND`: one management command, as the supervisor runs it beside its services.

`migrate` is the first of them, so after it the root key is tried: with a wrong one nothing else is started.
"""

from __future__ import annotations

import importlib
import sys

from django.core.exceptions import ImproperlyConfigured

from msp.ops.home import say
from msp.ops.oneshot import close_pools, execute
from msp.ops.processes import COULD_NOT_BEGIN, wrong_setting


def main(arguments: list[str]) -> int:
    try:
        code = execute(["manage.py", *arguments])
        if arguments[:1] == ["migrate"] and not code:
            try:
                importlib.import_module("msp.ops.root_key").stop_on_trouble()
            finally:
                close_pools()
        return code
    except ImproperlyConfigured as wrong:
        say(wrong_setting(wrong))
        return COULD_NOT_BEGIN


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
