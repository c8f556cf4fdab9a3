"""The key that somebody pastes or whose picture they send: one seed of the kind that Microsoft makes, or a sentence."""

from __future__ import annotations

from django.utils.translation import gettext as _

from msp.access.pictures import texts_in
from msp.access.seed_words import why_no_seed
from msp.access.seeds import NoSeed, Oddity, SeedRefused, read_seed
from msp.errors import BadInput


def key_in(text: str, picture: bytes = b"") -> bytes:
    """The text where there is one, else the one code in the picture. Raises BadInput, never with what was given."""
    if not text.strip() and picture:
        text = _only(texts_in(picture))
    try:
        seed = read_seed(text)
    except SeedRefused as refused:
        raise BadInput(why_no_seed(refused.reason)) from None
    if Oddity.NOT_DEFAULT in seed.oddities:
        raise BadInput(why_no_seed(NoSeed.BAD_PARAMETER))
    return seed.key


def _only(texts: list[str]) -> str:
    """Several codes in one picture may be of several accounts."""
    if len(texts) != 1:
        raise BadInput(
            _("There are several codes in this picture. Nothing was taken; cut out the one of this account.")
        )
    return texts[0]
