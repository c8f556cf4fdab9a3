"""What Latchkey asks of whoever keeps the root key: wrap a data key, unwrap it, and move on to another root key."""

from __future__ import annotations

from typing import Protocol


class KeyKeeper(Protocol):
    """The keeper of the root key. Safe to use from any thread; never gives the root key away.

    A root key has an id of at most 200 characters that tells nothing about it. One of them is current: it wraps.
    Older ones only unwrap, until `retire`. `bound` is what a wrapped key belongs to: it opens with exactly that.
    Everything raises KeyTrouble, in one sentence for the operator, without a byte of any key.
    """

    def describe(self) -> str:
        """Where the root key is, for a person; never a secret."""
        ...

    def is_there(self) -> bool:
        """Whether there is a root key that can be used. Raises KeyTrouble when one is there but may not be used."""
        ...

    def make_unless_there(self) -> None:
        """First use of an installation. Call it only when no data key exists that an older root key wrapped."""
        ...

    def current(self) -> str:
        """The id of the root key that wraps from now on."""
        ...

    def wrap(self, data_key: bytes, bound: bytes) -> tuple[bytes, str]:
        """The wrapped data key (32 bytes in), and the id of the root key that wrapped it."""
        ...

    def unwrap(self, wrapped: bytes, wrapped_by: str, bound: bytes, *, what: str) -> bytes:
        """The data key. Raises KeyTrouble, naming `what`, when the root key is missing or anything differs."""
        ...

    def make_next(self) -> str:
        """Make another root key current and say its id; older ones unwrap as before. A crash leaves either state."""
        ...

    def retire(self, root_key_id: str) -> None:
        """Forget a root key that nothing is wrapped with any more; never the current one. Again is no error."""
        ...
