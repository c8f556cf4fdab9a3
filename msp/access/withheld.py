"""What a log line may not tell: the token in the address of a one-time link."""

from __future__ import annotations

import logging
import re

LINK = re.compile(r"(/access/link/|/hand-over/)[^/\s?'\"]+")


class TokensWithheld(logging.Filter):
    """Writes `[withheld]` in place of the token; the rest of the line stays."""

    def filter(self, record: logging.LogRecord) -> bool:
        told = record.getMessage()
        if LINK.search(told):
            record.msg, record.args = LINK.sub(r"\1[withheld]", told), None
        return True
