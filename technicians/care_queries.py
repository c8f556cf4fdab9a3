"""What stands open about the password of one account, and what the reader may do about it."""

from __future__ import annotations

from dataclasses import dataclass

from technicians.actions.enter_password import may_care
from technicians.models import Technician
from tenants.models import ChangeDemand, SecretVersion, SharedAccount


@dataclass(frozen=True)
class Care:
    """`undecided` are the versions among which it is not known which signs in, newest first; empty when it is.

    `settled` is the one in force when it is known; None also when there is no password here.
    """

    settled: SecretVersion | None
    undecided: list[SecretVersion]
    demands: list[ChangeDemand]
    may_rotate: bool
    may_care: bool


def care_of(account: SharedAccount, person: Technician) -> Care:
    """Call it only for an account that the reader may see."""
    versions = list(SecretVersion.objects.filter(secret__account=account).that_may_sign_in().order_by("-number"))
    known = all(version.status == SecretVersion.Status.CURRENT for version in versions)
    return Care(
        settled=versions[0] if known and versions else None,
        undecided=[] if known else versions,
        demands=list(
            ChangeDemand.objects.open().filter(secret__account=account).select_related("version").order_by("since")
        ),
        may_rotate=person.may("rotate") and not account.break_glass,
        may_care=may_care(person, account),
    )
