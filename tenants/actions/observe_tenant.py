"""Read every shared account of one tenant from its directory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from django.db import IntegrityError
from django.utils.translation import gettext as _

from msp.errors import Busy, DirectoryError, NoConnection, Unreachable
from tenants.actions.observe_account import observe_account
from tenants.models import SharedAccount

if TYPE_CHECKING:
    from msp.outside import Outside


@dataclass
class Reading:
    """What a tour over some accounts of one tenant brought.

    `problems` says in words, for each account that was not read, why. `left` are the accounts not asked yet because
    the tenant wants patience for `retry_after` seconds.
    """

    read: list[SharedAccount] = field(default_factory=list)
    problems: dict[SharedAccount, str] = field(default_factory=dict)
    left: list[SharedAccount] = field(default_factory=list)
    retry_after: float = 0.0


def observe_tenant(accounts: Iterable[SharedAccount], *, outside: Outside) -> Reading:
    """One account after the other, all of one tenant, with `tenant` loaded. Raises nothing that a directory can say.

    A tenant that does not let us in, or cannot be reached, is not asked again for its other accounts.
    """
    reading, waiting = Reading(), list(accounts)
    while waiting:
        account = waiting.pop(0)
        try:
            observe_account(account, outside=outside)
        except Busy as busy:
            reading.left, reading.retry_after = [account, *waiting], busy.retry_after
            break
        except (NoConnection, Unreachable) as trouble:
            reading.problems |= {a: str(trouble) for a in [account, *waiting]}
            break
        except DirectoryError as trouble:
            reading.problems[account] = str(trouble)
        except IntegrityError:
            reading.problems[account] = _(
                "The directory says that this is the same user as another account here; nothing was written down. "
                "Remove one of the two."
            )
        else:
            reading.read.append(account)
    return reading
