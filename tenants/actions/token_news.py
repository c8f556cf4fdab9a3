"""Who hears what became of a token of our own. This side knows nothing of people and their enrolments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from tenants.models import Method, Registration

if TYPE_CHECKING:
    from msp.outside import Outside


class TokenNews(Protocol):
    """Each is called in the transaction that writes the same thing down about the token, except where it says so."""

    def made(self, registration: Registration) -> None:
        """It lies in the tenant's inventory."""
        ...

    def unwanted(self, registration: Registration) -> str:
        """Why it must not be activated any more, in words; "" when it may be. Also called outside a transaction."""
        ...

    def give_up(self, registration: Registration, because: str) -> None:
        """Nobody is to have it: what it was made for is over, and the token with it. In a transaction of its own."""
        ...

    def hold(self, registration: Registration) -> None:
        """Lock whoever's decision could end it, before its own row is locked: everybody does so in this order."""
        ...

    def active(self, registration: Registration, method: Method, outside: Outside) -> str:
        """It is on the account. Answers why nobody can have it after all, "" when it is bound. `sealed` still opens."""
        ...

    def refused(self, registration: Registration, problem: str, outside: Outside) -> None:
        """Microsoft said no, for good."""
        ...
