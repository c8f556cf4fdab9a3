"""Turning keys over while everybody works on: another root key, and by choice other data keys.

Every step can be repeated. What is still to do stands in the rows: data keys that another root key wrapped, live
data keys that are older than the turnover, envelopes that name a retired data key. So a turnover that was killed
anywhere goes on where it was, and two at once only help each other.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from msp.errors import KeyTrouble
from msp.vault.database import Vault, hold_root_keys_alone
from msp.vault.models import DataKey, Turnover
from msp.vault.reseal import Sealed, destroy_unused, reseal_everything

Tell = Callable[[str], None]
BETWEEN_LINES = 5.0
"""Seconds between two lines about progress."""


@dataclass
class Counts:
    """What one run of the command did; after a crash the run before it did the rest."""

    root_key_id: str = ""
    rewrapped: int = 0
    root_keys_retired: int = 0
    renewed: int = 0
    resealed: int = 0
    destroyed: int = 0
    unreadable: tuple[str, ...] = ()


def begin(vault: Vault, *, data_keys: bool) -> tuple[Turnover, bool]:
    """The unfinished turnover, else a new one, and whether it is new. Call it in a transaction. Raises KeyTrouble.

    `data_keys` asked for later is added to an unfinished one. Nothing is made yet.
    """
    vault.check_root_key()
    hold_root_keys_alone()
    unfinished = Turnover.objects.filter(finished_at=None).first()
    if unfinished:
        unfinished.data_keys |= data_keys
        unfinished.save(update_fields=["data_keys"])
        return unfinished, False
    if not vault.keeper.is_there():
        raise KeyTrouble(
            f"There is no root key yet ({vault.keeper.describe()}), so there is none to leave; nothing was changed."
        )
    current = vault.keeper.current()
    # Somebody may have put another key in front already: in the environment that is the only way.
    leaves = sorted(_wrapped_by() - {current}) or [current]
    return Turnover.objects.create(leaves=leaves, data_keys=data_keys), True


def go_on(turnover: Turnover, vault: Vault, columns: Sequence[Sealed], *, rest_seconds: float, tell: Tell) -> Counts:
    """Everything up to the end, outside any transaction. Raises KeyTrouble; what is done by then stays done.

    `rest_seconds` is how long the old data keys still open what somebody read just before it was sealed anew.
    """
    counts = Counts()
    with transaction.atomic():
        # Somebody may go on with the same turnover at this moment: one of us makes the key.
        hold_root_keys_alone()
        if vault.keeper.current() in turnover.leaves:
            vault.keeper.make_next()
    counts.root_key_id = vault.keeper.current()
    tell(f"The root key {counts.root_key_id} is in use ({vault.keeper.describe()}).")
    _leave_root_keys(turnover, vault, counts, tell)
    if turnover.data_keys:
        for row in DataKey.objects.live().filter(created_at__lt=turnover.begun_at).iterator():
            counts.renewed += vault.renew(row)
        tell(f"{counts.renewed} data keys were replaced.")
    if DataKey.objects.retired().exists():
        _leave_data_keys(vault, columns, counts, rest_seconds, tell)
    return counts


def finish(turnover: Turnover) -> None:
    """Nothing is left to do."""
    Turnover.objects.filter(pk=turnover.pk, finished_at=None).update(finished_at=timezone.now())


def _leave_root_keys(turnover: Turnover, vault: Vault, counts: Counts, tell: Tell) -> None:
    """Wrap every data key anew, then retire what wraps none. Again, if somebody wrapped one meanwhile."""
    while True:
        current = vault.keeper.current()
        for row in DataKey.objects.that_open().exclude(root_key_id=current).iterator():
            counts.rewrapped += vault.rewrap(row)
        with transaction.atomic():
            hold_root_keys_alone()
            in_use = _wrapped_by() | {vault.keeper.current()}
            if not in_use & set(turnover.leaves):
                for root_key_id in turnover.leaves:
                    vault.keeper.retire(root_key_id)
                counts.root_keys_retired = len(turnover.leaves)
                break
    tell(f"{counts.rewrapped} data keys were wrapped anew; nothing needs {', '.join(turnover.leaves)} any more.")


def _leave_data_keys(vault: Vault, columns: Sequence[Sealed], counts: Counts, rest_seconds: float, tell: Tell) -> None:
    told_at = time.monotonic()

    def progress(resealed: int) -> None:
        nonlocal told_at
        if time.monotonic() - told_at >= BETWEEN_LINES:
            told_at = time.monotonic()
            tell(f"{resealed} secrets were sealed anew so far.")

    walked = reseal_everything(vault, columns, progress)
    tell(f"{walked.resealed} secrets were sealed anew. The old data keys rest for {rest_seconds:g} s.")
    time.sleep(rest_seconds)
    # What was written meanwhile by somebody who read before.
    late = reseal_everything(vault, columns, progress)
    counts.resealed, counts.unreadable = walked.resealed + late.resealed, late.unreadable
    counts.destroyed = destroy_unused(columns)
    tell(f"{counts.destroyed} old data keys were destroyed.")


def _wrapped_by() -> set[str]:
    """The root keys that something is wrapped with."""
    return set(DataKey.objects.that_open().values_list("root_key_id", flat=True).distinct())
