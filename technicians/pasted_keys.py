"""The key that somebody pastes or whose picture they send: one seed of the kind that Microsoft makes, or a sentence."""

from __future__ import annotations

from django.utils.translation import gettext as _

from msp.access.migration import MigrationSet, is_migration, read_codes
from msp.access.migration_words import what_is_wrong, why_not_taken
from msp.access.pictures import texts_in
from msp.access.seed_words import why_no_seed
from msp.access.seeds import NoSeed, Oddity, SeedRefused, read_seed
from msp.errors import BadInput


def key_in(text: str, picture: bytes = b"") -> bytes:
    """The text where there is one, else the one code in the picture. Raises BadInput, never with what was given."""
    if not text.strip() and picture:
        text = _only(texts_in(picture))
    if is_migration(text):
        return _of_export(read_codes([text]))
    try:
        seed = read_seed(text)
    except SeedRefused as refused:
        raise BadInput(why_no_seed(refused.reason)) from None
    if Oddity.NOT_DEFAULT in seed.oddities:
        raise BadInput(why_no_seed(NoSeed.BAD_PARAMETER))
    return seed.key


def _of_export(found: MigrationSet) -> bytes:
    """An export of one account is that account's key; one of several says that it is, and why else it is of no use."""
    if len(found.accounts) == 1 and not found.not_taken and found.is_whole:
        return found.accounts[0].key
    told = [*what_is_wrong(found), *(why_not_taken(one.reason) for one in found.not_taken)]
    raise BadInput(" ".join([why_no_seed(NoSeed.MIGRATION_EXPORT), *dict.fromkeys(told)]))


def _only(texts: list[str]) -> str:
    """Several codes in one picture may be of several accounts."""
    if len(texts) != 1:
        raise BadInput(
            _("There are several codes in this picture. Nothing was taken; cut out the one of this account.")
        )
    return texts[0]
