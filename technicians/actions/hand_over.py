"""Leave a password for somebody outside behind a link that opens once, and close such links again.

Latchkey keeps the ciphertext, the link keeps the key: neither of them alone tells the password.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from msp.errors import BadInput, MoveLost, NotPermitted
from msp.ledger.record import record
from technicians.actions.moderate_reveals import clock, moderate
from technicians.check_out_queries import check_out_of
from technicians.hand_over_queries import Standing, find_link, hash_of, links, may_withdraw, standing_of
from technicians.models import Assignment, HandOverLink, Reveal, Technician
from technicians.reveal_plans import unanswered
from tenants.actions.demand_change import demand_change
from tenants.models import ChangeDemand, SecretVersion, SharedAccount
from tenants.password_plans import Rules
from tenants.policy_queries import policy_of

if TYPE_CHECKING:
    from msp.outside import Outside

LONGEST_LIFE = dt.timedelta(hours=72)
FINDER_BYTES, KEY_BYTES, NONCE_BYTES, CHECK_BYTES = 16, 32, 12, 4
FORMAT = "latchkey/hand-over/1"


@dataclass(frozen=True)
class MadeLink:
    """A new link. `link_path` is the secret: path and fragment, of which browsers send only the path. Never keep it.

    `versions` are the password versions inside; `changes_from` is when automation may change the password.
    """

    link: HandOverLink
    link_path: str
    versions: tuple[SecretVersion, ...]
    changes_from: dt.datetime

    def __repr__(self) -> str:
        return f"MadeLink({self.link})"


@dataclass(frozen=True)
class Opened:
    """What the one opening of a link gives: `ciphertext` is nonce and AES-256-GCM text, bound to `link_id`."""

    link_id: str
    ciphertext: bytes


def make_link(
    technician: Technician,
    account: SharedAccount,
    *,
    recipient: str,
    reason: str,
    life: dt.timedelta,
    outside: Outside,
    ticket: str = "",
) -> MadeLink:
    """A link to the versions that may sign in. It ends with its `life`, or with the maker's assignment before that.

    The door has asked for a fresh second factor. Raises NotPermitted without a live assignment or against the
    policy, BadInput for what was typed or without a stored password, LedgerClosed when it cannot be written down.
    """
    recipient, reason, ticket = recipient.strip(), reason.strip(), ticket.strip()
    _check_words(recipient, reason, life)
    now = timezone.now()
    with transaction.atomic():
        rules = policy_of(account).rules
        # The row lock makes an offboarding that runs at this moment come before or after, never in between.
        person = Technician.objects.select_for_update(no_key=True).get(pk=technician.pk)
        # This one does the same with a check-out.
        SharedAccount.objects.select_for_update(no_key=True).only("pk").get(pk=account.pk)
        assignment = _live_assignment(person, account, now)
        _check_check_out(person, account, rules, now)
        if wrong := unanswered(rules, reason=reason, ticket=ticket):
            raise BadInput(f"{wrong} {_('No link was made.')}")
        versions = _versions_that_may_sign_in(account)
        moderate(person, account, rules, now=now)
        finder = _in_base64(secrets.token_bytes(FINDER_BYTES))
        link = HandOverLink(
            reseller_id=account.reseller_id,
            version=next((v for v in versions if v.status in SecretVersion.IN_FORCE), versions[0]),
            made_by=person,
            recipient=recipient,
            reason=reason,
            finder=hash_of(finder),
            created_at=now,
            expires_at=min(now + life, assignment.until_at or now + life),
        )
        _write_down(link, account, versions, ticket)
        key = secrets.token_bytes(KEY_BYTES)
        link.ciphertext = _sealed(link, key, _message(account, versions, outside))
        link.save(force_insert=True)
        # Not before the recipient had the time to use it: a change closes the link.
        changes_from = link.expires_at + dt.timedelta(hours=rules.hours_after_reveal)
        demand_change(account, ChangeDemand.Because.HAND_OVER, by=person, detail=recipient, due_at=changes_from)
    path = reverse("hand_over:open", args=[finder])
    return MadeLink(link, f"{path}#{_in_base64(key + _check_of(finder, key))}", tuple(versions), changes_from)


def open_link(finder: str, *, address: str | None) -> Opened | None:
    """The ciphertext, to one caller only: of two at once, one gets it. None for a link that is not there or closed.

    `address` is where the call came from. Raises LedgerClosed when it cannot be written down: then it was not opened.
    """
    now = timezone.now()
    with transaction.atomic():
        link = find_link(finder)
        if link is None or standing_of(link, now) != Standing.WAITING:
            return None
        emptied = HandOverLink.objects.waiting().filter(pk=link.pk)
        if not emptied.update(opened_at=now, opened_from=address, ciphertext=b""):
            return None
        _record("hand_over.opened", link, by=None, opened_from=address)
    return Opened(str(link.pk), bytes(link.ciphertext))


def withdraw_link(link: HandOverLink, *, by: Technician) -> None:
    """It does not open any more. Raises NotPermitted, and MoveLost when it was opened or closed before."""
    if not may_withdraw(by, link):
        raise NotPermitted(_("Only its maker and managers may withdraw a link; it was not changed."))
    with transaction.atomic():
        if not _close(link, by=by):
            raise MoveLost(
                _("This link was opened or closed before, so there was nothing to withdraw. See where it stands now.")
            )
        _record("hand_over.withdrawn", link, by=by, because="by hand")


def withdraw_links_of(technician: Technician, *, by: Technician | None) -> int:
    """Every waiting link of somebody whose access ends; says how many. Call it inside the transaction of its cause."""
    closed = 0
    for link in links().filter(made_by=technician, opened_at=None, withdrawn_at=None).exclude(ciphertext=b""):
        if _close(link, by=by):
            _record("hand_over.withdrawn", link, by=by, because="the access of its maker ended")
            closed += 1
    return closed


def close_links() -> int:
    """Empty the links that expired, and those that the change of the password or the maker's access closed."""
    closed = 0
    for link in links().exclude(ciphertext=b""):
        standing = standing_of(link, timezone.now())
        if standing == Standing.WAITING:
            continue
        with transaction.atomic():
            if standing == Standing.EXPIRED:
                if HandOverLink.objects.filter(pk=link.pk).exclude(ciphertext=b"").update(ciphertext=b""):
                    _record("hand_over.expired", link, by=None)
                    closed += 1
            elif _close(link, by=None):
                because = "the password was changed" if standing == Standing.CHANGED else "its maker lost the account"
                _record("hand_over.withdrawn", link, by=None, because=because)
                closed += 1
    return closed


# --- what must be so ---------------------------------------------------------------------------------------------


def _check_words(recipient: str, reason: str, life: dt.timedelta) -> None:
    if not recipient or len(recipient) > 200:
        raise BadInput(_("Say in at most 200 characters who gets the password; no link was made."))
    if not reason or len(reason) > 500:
        raise BadInput(_("Say in at most 500 characters why the password leaves the house; no link was made."))
    if not dt.timedelta(0) < life <= LONGEST_LIFE:
        raise BadInput(_("A link lives at most 72 hours; choose a shorter time. No link was made."))


def _live_assignment(person: Technician, account: SharedAccount, now: dt.datetime) -> Assignment:
    live: Assignment | None = Assignment.objects.live(now).filter(technician=person, account=account).first()
    if not person.may("reveal") or live is None:
        raise NotPermitted(_("This account is not assigned to you now; no link was made."))
    return live


def _check_check_out(person: Technician, account: SharedAccount, rules: Rules, now: dt.datetime) -> None:
    held = check_out_of(account, now)
    if held is not None and held.technician_id != person.pk:
        raise NotPermitted(
            _(
                "%(name)s has checked this account out until %(time)s, so nobody else hands over its password; no "
                "link was made. Wait until then, or ask %(name)s to check it in."
            )
            % {"name": held.technician, "time": clock(held.until_at)}
        )
    if held is None and rules.check_out_required:
        raise NotPermitted(
            _(
                "The policy gives this password only to whoever has checked the account out; no link was made. "
                "Check it out first."
            )
        )


def _versions_that_may_sign_in(account: SharedAccount) -> list[SecretVersion]:
    found = SecretVersion.objects.filter(secret__account=account).that_may_sign_in()
    versions = list(found.select_related("secret__account").order_by("-number"))
    if not versions:
        raise BadInput(_("Latchkey has no password of this account; import it, or rotate it once. No link was made."))
    return versions


# --- writing it down ---------------------------------------------------------------------------------------------


def _write_down(link: HandOverLink, account: SharedAccount, versions: list[SecretVersion], ticket: str) -> None:
    """Whoever makes a link can read it too, so each version counts as revealed to its maker."""
    Reveal.objects.bulk_create(
        Reveal(
            reseller_id=link.reseller_id,
            technician=link.made_by,
            version=version,
            act=Reveal.Act.HANDED_OVER,
            reason=link.reason,
            ticket=ticket,
            at=link.created_at,
        )
        for version in versions
    )
    _record(
        "password.handed_over",
        link,
        by=link.made_by,
        versions=[version.number for version in versions],
        reason=link.reason,
        ticket=ticket,
        expires_at=link.expires_at,
    )


def _record(verb: str, link: HandOverLink, *, by: Technician | None, **facts: Any) -> None:
    account = link.version.secret.account
    record(
        verb,
        reseller_id=link.reseller_id,
        actor=by,
        tenant_id=account.tenant_id,
        account_id=account.pk,
        technician_id=link.made_by_id,
        link=str(link.pk),
        recipient=link.recipient,
        **facts,
    )


def _close(link: HandOverLink, *, by: Technician | None) -> bool:
    """False when somebody was faster. A link that only expired is emptied, not withdrawn."""
    waiting = HandOverLink.objects.waiting().filter(pk=link.pk)
    return bool(waiting.update(withdrawn_at=timezone.now(), withdrawn_by=by, ciphertext=b""))


# --- the cryptography that a browser can undo --------------------------------------------------------------------


def _message(account: SharedAccount, versions: list[SecretVersion], outside: Outside) -> bytes:
    """JSON: `account` is the user name; `passwords` are `password` and `state` (of the version), the newest first."""
    opened = [(outside.vault.open(bytes(v.sealed), v.place).decode(), v.status) for v in versions]
    passwords = [{"password": password, "state": status} for password, status in opened]
    return json.dumps({"account": account.user_principal_name, "passwords": passwords}).encode()


def _sealed(link: HandOverLink, key: bytes, message: bytes) -> bytes:
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, message, f"{FORMAT}/{link.pk}".encode())


def _check_of(finder: str, key: bytes) -> bytes:
    """By this the browser tells a link that was not copied whole, before its one opening is spent."""
    return hashlib.sha256(f"{FORMAT}/{finder}/".encode() + key).digest()[:CHECK_BYTES]


def _in_base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")
