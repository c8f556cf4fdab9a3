"""What Latchkey knows already of the passwords that a file brings."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from msp.errors import KeyTrouble
from tenants.models import SecretVersion, SharedAccount

if TYPE_CHECKING:
    from msp.outside import Outside


class KnownPasswords:
    """The versions of some accounts, in one query. Values are opened only to be compared."""

    def __init__(self, accounts: Iterable[SharedAccount], outside: Outside) -> None:
        self._outside = outside
        self._versions: dict[Any, list[SecretVersion]] = {}
        by_id = {account.pk: account for account in accounts}
        found = SecretVersion.objects.filter(secret__account__in=list(by_id)).select_related("secret")
        for version in found.order_by("-number"):
            version.secret.account = by_id[version.secret.account_id]
            self._versions.setdefault(version.secret.account_id, []).append(version)

    def changing(self, account: SharedAccount) -> bool:
        return any(version.status in SecretVersion.ON_THE_WAY for version in self._of(account))

    def in_force(self, account: SharedAccount) -> SecretVersion | None:
        return next((v for v in self._of(account) if v.status in SecretVersion.IN_FORCE), None)

    def is_in_force(self, account: SharedAccount, password: str) -> bool:
        """Raises KeyTrouble when the version in force does not open."""
        version = self.in_force(account)
        return version is not None and self._value(version) == password.encode()

    def earlier(self, account: SharedAccount, password: str) -> SecretVersion | None:
        """The youngest version that is over and had this value. What does not open any more is like nothing."""
        over = (v for v in self._of(account) if v.status not in SecretVersion.IN_FORCE)
        return next((version for version in over if self._opens_to(version, password)), None)

    def _of(self, account: SharedAccount) -> list[SecretVersion]:
        return self._versions.get(account.pk, [])

    def _value(self, version: SecretVersion) -> bytes:
        return self._outside.vault.open(bytes(version.sealed), version.place)

    def _opens_to(self, version: SecretVersion, password: str) -> bool:
        try:
            return self._value(version) == password.encode()
        except KeyTrouble:
            return False
