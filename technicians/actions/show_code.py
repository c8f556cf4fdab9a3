"""Show one code of a seed that is kept here, to the one person it is kept for: written down first, shown afterwards."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils.translation import gettext as _

from msp.errors import BadInput
from technicians.actions.keep_code import write_shown
from technicians.actions.kept_code_rules import locked_for, not_too_often
from technicians.codes import SECONDS, code_at
from technicians.models import KeptCode, Technician

if TYPE_CHECKING:
    from msp.outside import Outside


@dataclass(frozen=True)
class ShownCode:
    """Six digits and for how many seconds Microsoft shows none newer. Never log or store it."""

    code: str = field(repr=False)
    seconds_left: int


def show_code(kept: KeptCode, *, by: Technician, outside: Outside) -> ShownCode:
    """The code of this moment, never the seed. The door has asked for a fresh second factor.

    Raises NotPermitted for anybody else and without a live assignment, BadInput when nothing is kept any more or too
    often, KeyTrouble, and LedgerClosed when it cannot be written down: then nothing is shown.
    """
    with transaction.atomic():
        person, found = locked_for(by, kept)
        if found.until is not None:
            raise BadInput(
                _("This seed is kept for your next phone and not for its codes; nothing was shown. Ask your phone.")
            )
        not_too_often(person, found)
        write_shown(found, "code.shown", by=person)
        return _code_now(outside.vault.open(bytes(found.sealed), found.place))


def _code_now(seed: bytes) -> ShownCode:
    now = time.time()
    return ShownCode(code_at(seed, int(now // SECONDS)), SECONDS - int(now) % SECONDS)
