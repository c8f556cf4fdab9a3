#!/usr/bin/env python3
"""Every command of Latchkey. Needs nothing but a Python; this file stays readable for very old ones."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - whoever starts it with an older one gets a line, not a trace
    sys.stderr.write("Latchkey needs Python 3.11 or newer; this is Python %d.%d. " % sys.version_info[:2])  # noqa: UP031
    sys.stderr.write("Install a newer one and start again, for example: python3.11 manage.py demo\n")
    sys.exit(2)

from msp import bootstrap

if __name__ == "__main__":
    sys.exit(bootstrap.main(sys.argv))
