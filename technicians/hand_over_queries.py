"""What pages and actions read of hand-over links. Where one stands is worked out, never stored."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass
from typing import Any

from django.db import models
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from technicians.models import Assignment, HandOverLink, Technician
from tenants.models import SecretVersion, SharedAccount

NEWEST = 10
"""How many links the page of an account shows."""


class Standing(models.TextChoices):
    """Where a hand-over link stands. Only a waiting one opens."""

    WAITING = "waiting", _("Waiting to be opened")
    OPENED = "opened", _("Opened")
    EXPIRED = "expired", _("Expired, never opened")
    WITHDRAWN = "withdrawn", _("Withdrawn, never opened")
    CHANGED = "changed", _("Closed, never opened: the password was changed")


@dataclass(frozen=True)
class LinkRow:
    """One link for the page of its account."""

    link: HandOverLink
    standing: Standing
    may_withdraw: bool


def links() -> QuerySet[Any]:
    """Every link with the facts that `standing_of` asks for."""
    return _with_facts(HandOverLink.objects.all())


def find_link(finder: str) -> HandOverLink | None:
    """The link that this part of an address finds, however it stands."""
    found: HandOverLink | None = links().filter(finder=hash_of(finder)).first()
    return found


def standing_of(link: HandOverLink, now: dt.datetime) -> Standing:
    """`link` comes from `links`. A link stands no longer than its password and its maker's access do."""
    version = link.version
    if link.opened_at:
        return Standing.OPENED
    if link.withdrawn_at:
        by_the_change = link.withdrawn_by_id is None and version.retired_at and version.retired_at <= link.withdrawn_at
        return Standing.CHANGED if by_the_change else Standing.WITHDRAWN
    if link.expires_at <= now:
        return Standing.EXPIRED
    if version.status not in SecretVersion.MAY_SIGN_IN:
        return Standing.CHANGED
    maker_holds_it: bool = link.maker_holds_it  # type: ignore[attr-defined]  # annotated by `links`
    return Standing.WAITING if maker_holds_it else Standing.WITHDRAWN


def links_on(account: SharedAccount, reader: Technician) -> list[LinkRow]:
    """The newest links of an account that the reader sees: one's own, or with a wider reach everybody's."""
    now = timezone.now()
    seen = _with_facts(HandOverLink.objects.visible_to(reader)).filter(version__secret__account=account)
    rows = []
    for link in seen.order_by("-created_at")[:NEWEST]:
        standing = standing_of(link, now)
        rows.append(LinkRow(link, standing, standing == Standing.WAITING and may_withdraw(reader, link)))
    return rows


def may_withdraw(person: Technician, link: HandOverLink) -> bool:
    """Its maker, and whoever decides who holds which account."""
    return person.is_active and (link.made_by_id == person.pk or person.may("assign"))


def hash_of(finder: str) -> bytes:
    return hashlib.sha256(finder.encode()).digest()


def _with_facts(found: QuerySet[Any]) -> QuerySet[Any]:
    held = Assignment.objects.live().filter(
        technician=OuterRef("made_by"), account=OuterRef("version__secret__account")
    )
    return found.select_related("version__secret__account__tenant", "made_by", "withdrawn_by", "reseller").annotate(
        maker_holds_it=Exists(held)
    )
