"""What happens to sign-ins: second factors are set up and asked, links are made and used, and all of it ends."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import secrets
from typing import Any
from urllib.parse import quote, urlencode

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from msp.access.models import DIGITS, STEP_SECONDS, OneTimeLink, TotpDevice
from msp.errors import BadInput
from msp.ledger.record import record
from msp.vault.database import Vault

SEED_BYTES = 20
ISSUER = "Latchkey"


def make_totp_device(person: Any, *, vault: Vault, confirmed: bool = False) -> tuple[TotpDevice, bytes]:
    """A new seed of 160 bits from the system's generator, sealed; the seed in clear is for its QR code, once."""
    seed = secrets.token_bytes(SEED_BYTES)
    with transaction.atomic():
        TotpDevice.objects.filter(user=person, confirmed=False).delete()
        device = TotpDevice(user=person, name="authenticator", confirmed=confirmed)
        device.sealed = vault.seal(seed, device.place)
        device.save()
    return device, seed


def otpauth_uri(person: Any, seed: bytes) -> str:
    """What the QR code of a second factor holds: SHA-1, 6 digits, 30 s, which every app understands."""
    label = quote(f"{ISSUER}:{person.email}", safe=":@")
    secret = base64.b32encode(seed).decode().rstrip("=")
    return f"otpauth://totp/{label}?" + urlencode(
        {"secret": secret, "issuer": ISSUER, "algorithm": "SHA1", "digits": DIGITS, "period": STEP_SECONDS}
    )


def check_code(person: Any, code: str, *, vault: Vault) -> TotpDevice:
    """The device whose code this is. Raises BadInput with the reason; wrong codes slow down the next try."""
    with transaction.atomic():
        device = TotpDevice.objects.select_for_update().filter(user=person, confirmed=True).first()
        if device is None:
            raise BadInput(_("You have no authenticator set up."))
        allowed, _facts = device.verify_is_allowed()
        if not allowed:
            raise BadInput(_("Too many wrong codes. Wait a moment, then try the next code."))
        right = device.accepts(code.strip().replace(" ", ""), vault.open(bytes(device.sealed), device.place))
        if right:
            device.throttle_reset()
        else:
            device.throttle_increment()
    if not right:
        raise BadInput(_("That code is wrong or was used already. Wait for the next one."))
    return device


def confirm_device(device: TotpDevice, code: str, *, vault: Vault) -> None:
    """The first right code proves that the person holds the authenticator. Raises BadInput."""
    seed = vault.open(bytes(device.sealed), device.place)
    if not device.accepts(code.strip().replace(" ", ""), seed):
        raise BadInput(_("That code does not fit. Check the clock of your phone and type the next code."))
    with transaction.atomic():
        TotpDevice.objects.filter(pk=device.pk).update(confirmed=True)
        TotpDevice.objects.filter(user=device.user).exclude(pk=device.pk).delete()
        record(
            "second_factor.set_up", reseller_id=device.user.reseller_id, actor=device.user, technician_id=device.user.pk
        )


def make_link(person: Any | None, *, minutes: int) -> str:
    """The token of a new one-time link; it is shown once and never stored. `person` None: the set-up page."""
    token = secrets.token_urlsafe(32)
    expires_at = timezone.now() + dt.timedelta(minutes=minutes)
    OneTimeLink.objects.create(person=person, token_hash=_hash(token), expires_at=expires_at)
    return token


def find_link(token: str) -> OneTimeLink | None:
    """The link, if it is neither used nor expired."""
    return (
        OneTimeLink.objects.select_related("person")
        .filter(token_hash=_hash(token), used_at=None, expires_at__gt=timezone.now())
        .first()
    )


def find_set_up_link(link_id: str | None) -> OneTimeLink | None:
    """The link to the set-up page that a browser came by, if it is neither used nor expired."""
    if link_id is None:
        return None
    return OneTimeLink.objects.filter(pk=link_id, person=None, used_at=None, expires_at__gt=timezone.now()).first()


def use_link(link: OneTimeLink) -> bool:
    """Burn it. False when somebody was faster."""
    return bool(OneTimeLink.objects.filter(pk=link.pk, used_at=None).update(used_at=timezone.now()))


def choose_password(person: Any, password: str) -> None:
    """The person's own password for Latchkey; every other session of theirs ends. Raises BadInput when it is weak."""
    try:
        validate_password(password, person)
    except ValidationError as weak:
        raise BadInput(" ".join(weak.messages)) from weak
    person.set_password(password)
    with transaction.atomic():
        person.save(update_fields=["password"])
        record("sign_in.password_chosen", reseller_id=person.reseller_id, actor=person, technician_id=person.pk)


def record_sign_in(person: Any, *, how: str) -> None:
    """Both factors were given. Call it before the session is opened: no record, no sign-in."""
    with transaction.atomic():
        person.last_login = timezone.now()
        person.save(update_fields=["last_login"])
        record("sign_in", reseller_id=person.reseller_id, actor=person, technician_id=person.pk, how=how)


def end_sign_ins(person: Any) -> None:
    """Second factors and links go; sessions die because the person is not active and the password hash changed."""
    TotpDevice.objects.filter(user=person).delete()
    OneTimeLink.objects.filter(person=person).delete()


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def forget_links() -> int:
    """Delete the links that nobody can use any more; says how many."""
    gone, _rows = OneTimeLink.objects.filter(Q(expires_at__lte=timezone.now()) | Q(used_at__isnull=False)).delete()
    return gone
