"""A fresh second factor: sensitive acts ask for a code again, unless one was given a moment ago."""

from __future__ import annotations

import time
from functools import cache

from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import gettext as _

from msp.access.actions import check_code
from msp.access.rights import reader
from msp.errors import BadInput
from msp.vault.database import Vault
from msp.vault.keepers.chosen import chosen_keeper

GIVEN_AT = "factor_given_at"


@cache
def vault() -> Vault:
    """Opens the seeds of the second factors; the same keys as everywhere in this installation."""
    return Vault(chosen_keeper())


def remember_factor(request: HttpRequest) -> None:
    """A second factor was given just now, in this session."""
    request.session[GIVEN_AT] = time.time()


def is_fresh(request: HttpRequest) -> bool:
    """Was a second factor given within the last FRESH_FACTOR_MINUTES?"""
    given_at = request.session.get(GIVEN_AT)
    if given_at is None:
        return False
    return bool(0 <= time.time() - given_at < settings.FRESH_FACTOR_MINUTES * 60)


def demand_code(request: HttpRequest, code: str) -> None:
    """Pass when the factor is fresh or the code is right. Raises BadInput; call it before the act."""
    if is_fresh(request):
        return
    if not code.strip():
        raise BadInput(_("This needs a fresh code from your authenticator. Type it and try again; nothing was done."))
    check_code(reader(request), code, vault=vault())
    remember_factor(request)
