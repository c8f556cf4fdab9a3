"""What a person is told whose text is no seed."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from msp.access.seeds import NoSeed

WHY: dict[NoSeed, str | Promise] = {
    NoSeed.EMPTY: _("There is no seed here."),
    NoSeed.NO_SECRET: _("This address has no secret in it."),
    NoSeed.BAD_SECRET: _(
        "This is no seed: it has letters that no seed has, or it lost some. A spreadsheet may have changed it."
    ),
    NoSeed.BAD_PARAMETER: _(
        "This seed asks for something that Entra ID does not take (algorithm, digits or period), or says one thing "
        "twice."
    ),
    NoSeed.UNSUPPORTED_TYPE: _(
        "This is another kind of code (for example Steam, or one that counts), which Entra ID does not take."
    ),
    NoSeed.MICROSOFT_PUSH: _(
        "This is the code for Microsoft Authenticator with notifications. Go back and choose “I want to use a "
        "different authenticator app”."
    ),
    NoSeed.PUSH_CODE: _(
        "These nine digits are printed under the code for Microsoft Authenticator with notifications. Go back and "
        "choose “I want to use a different authenticator app”."
    ),
    NoSeed.ONE_TIME_CODE: _("This is a one-time code. What is wanted is the long key, not the code."),
    NoSeed.MIGRATION_EXPORT: _("This is a bulk export of an authenticator app, which has many seeds in it."),
    NoSeed.PASSKEY: _("This is the code of a passkey on another device, not a seed."),
    NoSeed.OTHER_URL: _("This is the address of a web page, not a seed."),
}


def why_no_seed(reason: NoSeed) -> str:
    """A sentence in the reader's language, without the text that was refused."""
    return str(WHY[reason])
