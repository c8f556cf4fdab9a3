"""Seeds that a file brings. They are told apart and remembered by their fingerprint, and never kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from msp.access.seed_words import why_no_seed
from msp.access.seeds import SeedRefused, read_seed
from msp.importing.preview import Plan, SeedFound
from msp.importing.sources.record import Record
from tenants.actions.remember_seed import SeedsSeen
from tenants.models import SharedAccount

if TYPE_CHECKING:
    from msp.outside import Outside
    from technicians.models import Technician


class FoundSeeds:
    """The seeds of one file on their way into a plan. `found_in` is what the fingerprint says of this file."""

    def __init__(self, plan: Plan, *, by: Technician, outside: Outside, found_in: str) -> None:
        self._plan, self._found_in = plan, found_in
        self._seen = SeedsSeen(by, outside)
        self._here: dict[bytes, dict[SharedAccount, int]] = {}

    def new(self, record: Record, account: SharedAccount) -> bytes:
        """The seed's bytes if it was never seen for this account; b"" when there is nothing to remember."""
        if not record.seed.strip():
            return b""
        try:
            seed = read_seed(record.seed).key
        except SeedRefused as refused:
            message = _("%(why)s It was not taken; a password beside it is.") % {"why": why_no_seed(refused.reason)}
            self._plan.warn(record.line, "seed", message)
            return b""
        earlier = self._seen.where(seed)
        here = self._here.setdefault(seed, {})
        known = account in here or any(found.account_id == account.pk for found in earlier)
        self._say_where_else(record, account, seed)
        here.setdefault(account, record.line)
        found = SeedFound(str(account.pk), f"{account} ({account.tenant})")
        if found not in self._plan.seeds:
            self._plan.seeds.append(found)
        return b"" if known else seed

    def _say_where_else(self, record: Record, account: SharedAccount, seed: bytes) -> None:
        for other, line in self._here[seed].items():
            if other != account:
                message = _("Line %(line)d has the same seed for another account, %(account)s (%(tenant)s).")
                named = {"line": line, "account": other, "tenant": other.tenant}
                self._plan.warn(record.line, "seed", message % named)
        for found in self._seen.where(seed):
            if found.account_id != account.pk or found.found_in != self._found_in:
                message = _("This seed was seen before, for %(account)s (%(tenant)s), in another file: %(file)s.")
                if found.found_in == self._found_in:
                    message = _("This seed was seen before, for another account, %(account)s (%(tenant)s).")
                named = {"account": found.account, "tenant": found.account.tenant, "file": found.found_in}
                self._plan.warn(record.line, "seed", message % named)

    def note(self) -> None:
        """One sentence for the file as a whole, when it had seeds."""
        if self._plan.seeds:
            self._plan.notes.append(
                _(
                    "This file has seeds of authenticators in it. They are not stored: whoever has the file has the "
                    "same codes. Each such account gets the finding “shared seed”; replace it by independent "
                    "authenticators, one for each technician."
                )
            )
