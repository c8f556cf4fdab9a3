"""A row whose status moves only along its table, and never over somebody else's move."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django.db import models
from django.utils import timezone

from msp.errors import MoveLost, MoveRefused


class Lifecycle(models.Model):
    """Give a model `status` and `NEXT` (status -> statuses it may become) and it moves by compare-and-set."""

    NEXT: ClassVar[dict[Any, set[Any]]] = {}
    status: Any

    changed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        abstract = True

    def advance(self, to: str, **changes: Any) -> None:
        """Move to `to` and set `changes` in the same update.

        Raises MoveRefused when the table has no such move, MoveLost when somebody else moved the row.
        """
        if to not in self.NEXT[self.status]:
            raise MoveRefused(f"{self} is {self.status}; it cannot become {to}.")
        changes |= {"status": to, "changed_at": timezone.now()}
        here: dict[str, Any] = {"pk": self.pk, "status": self.status}
        unmoved = type(self)._default_manager.filter(**here)
        if not unmoved.update(**changes):
            raise MoveLost(f"{self} was moved by someone else before it could become {to}.")
        for name, value in changes.items():
            setattr(self, name, value)


def advance_all(rows: Sequence[Lifecycle], to: str, **changes: Any) -> None:
    """Move rows of one model together, in one update for all that come from the same status.

    Raises as `advance` does; call it in a transaction, which is lost then.
    """
    changes |= {"status": to, "changed_at": timezone.now()}
    for status in dict.fromkeys(row.status for row in rows):
        same = [row for row in rows if row.status == status]
        for row in same:
            if to not in row.NEXT[status]:
                raise MoveRefused(f"{row} is {status}; it cannot become {to}.")
        here: dict[str, Any] = {"pk__in": [row.pk for row in same], "status": status}
        if type(same[0])._default_manager.filter(**here).update(**changes) != len(same):
            raise MoveLost(f"One of {len(same)} rows was moved by someone else before it could become {to}.")
        for row in same:
            for name, value in changes.items():
                setattr(row, name, value)
