"""What a person is told about the codes of an export that could not be used, or not all of it."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from msp.access.migration import MigrationSet, NotTaken, Trouble

WHY_NOT_TAKEN: dict[NotTaken, str | Promise] = {
    NotTaken.NO_KEY: _("It has no key."),
    NotTaken.COUNTS: _("It counts instead of following the clock, which Entra ID does not take."),
    NotTaken.ALGORITHM: _("It asks for another algorithm than SHA-1, which Entra ID does not take."),
    NotTaken.DIGITS: _("Its codes do not have six digits, which Entra ID does not take."),
}

WHAT_IS_WRONG: dict[Trouble, str | Promise] = {
    Trouble.NOTHING: _("There is no code here. Choose the picture of a code that the app shows when it exports."),
    Trouble.NOT_A_MIGRATION: _(
        "One of these is no export of an authenticator app. It was left out; give a single key by itself."
    ),
    Trouble.MALFORMED: _(
        "One of these codes is damaged or cut off, and nothing was taken from it. Scan or copy it again as a whole."
    ),
    Trouble.PARTS_MISSING: _("Codes of this export are still missing."),
    Trouble.OTHER_SET: _(
        "Codes of two exports are mixed. Those of the first were taken; start again with the other export by itself."
    ),
    Trouble.PART_TWICE: _("One code was given twice. It was taken once; nothing is to be done."),
}


def why_not_taken(reason: NotTaken) -> str:
    """A sentence in the reader's language about one account."""
    return str(WHY_NOT_TAKEN[reason])


def what_is_wrong(found: MigrationSet) -> list[str]:
    """Sentences in the reader's language, in a fixed order, without anything that was in the codes."""
    sentences = [str(WHAT_IS_WRONG[trouble]) for trouble in Trouble if trouble in found.troubles - {*_COUNTED}]
    if found.missing:
        parts = ", ".join(str(part) for part in found.missing)
        sentences.append(_now("Still missing of this export: code %(parts)s. Scan it, too.") % {"parts": parts})
    return sentences


_COUNTED = (Trouble.PARTS_MISSING,)
"""Told with the numbers of the codes instead."""
