"""The recovery kit: the root key split into shares of words, of which some together bring it back.

SLIP-0039 (https://github.com/satoshilabs/slips/blob/master/slip-0039.md): one group, no passphrase, 33 words for 32
bytes. A share tells nothing about the key; neither do all but one of those that are needed.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from django.utils.translation import gettext as _
from shamir_mnemonic import MnemonicError, combine_mnemonics, generate_mnemonics
from shamir_mnemonic import Share as Parsed
from shamir_mnemonic.constants import CHECKSUM_LENGTH_WORDS, CUSTOMIZATION_STRING_EXTENDABLE, MAX_SHARE_COUNT
from shamir_mnemonic.rs1024 import create_checksum
from shamir_mnemonic.wordlist import WORD_INDEX_MAP, WORDLIST

from msp.errors import BadInput
from msp.vault.envelope import KEY_BYTES
from msp.vault.keepers.file import root_key_id

WORDS = 33
MOST = MAX_SHARE_COUNT

_BITS_OF_A_WORD = 10


@dataclass(frozen=True)
class Share:
    """One share as somebody typed it. `kit` is the same for all shares of one kit, and `number` counts from 1."""

    kit: int
    number: int
    threshold: int
    words: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True)
class Kit:
    """A root key in shares, fresh from the press."""

    root_key_id: str
    shares: tuple[Share, ...]

    @property
    def number(self) -> int:
        return self.shares[0].kit

    @property
    def threshold(self) -> int:
        return self.shares[0].threshold


def split(root: bytes, *, shares: int, threshold: int) -> Kit:
    """The key (32 bytes) in `shares` shares, of which any `threshold` bring it back. Raises BadInput."""
    if not 2 <= threshold <= shares <= MOST:
        raise BadInput(
            _("A kit has up to %(most)d shares, and at least 2 of them are needed; no kit was made.") % {"most": MOST}
        )
    [mnemonics] = generate_mnemonics(1, [(threshold, shares)], root)
    kit = Kit(root_key_id(root), tuple(read_share(mnemonic) for mnemonic in mnemonics))
    # Whoever prints a kit finds out too late that it was printed wrong.
    if combine(kit.shares[-threshold:]) != root:
        raise BadInput(_("The shares did not give the root key back, so no kit was made. Try again."))
    return kit


def read_share(text: str) -> Share:
    """A share as it was typed or read, with or without the numbers of its words. Raises BadInput, naming the word."""
    words = words_in(text)
    for place, word in enumerate(words, start=1):
        if word not in WORD_INDEX_MAP:
            raise BadInput(_not_in_the_list(place, word))
    if len(words) != WORDS:
        raise BadInput(
            _("A share has %(right)d words, and here are %(found)d; nothing was changed. Type it again.")
            % {"right": WORDS, "found": len(words)}
        )
    try:
        parsed = Parsed.from_mnemonic(" ".join(words))
    except MnemonicError:
        raise BadInput(_does_not_fit([WORD_INDEX_MAP[word] for word in words])) from None
    if parsed.group_count != 1 or len(parsed.value) != KEY_BYTES or not parsed.extendable:
        raise BadInput(_("This is a share of something else than a root key of Latchkey; nothing was changed."))
    return Share(parsed.identifier, parsed.index + 1, parsed.member_threshold, tuple(words))


def words_in(text: str) -> list[str]:
    """Its words in lower case; numbers, dots and line ends do not count."""
    return re.findall(r"[^\W\d_]+", text.lower())


def combine(shares: Sequence[Share]) -> bytes:
    """The key. Raises BadInput when they are too few, of different kits, or one and the same twice."""
    require_one_kit(shares)
    distinct = {share.number: share for share in shares}
    needed = shares[0].threshold if shares else 2
    if len(distinct) < needed:
        raise BadInput(
            _("This kit needs %(needed)d different shares, and there are %(found)d; nothing was changed.")
            % {"needed": needed, "found": len(distinct)}
        )
    try:
        return bytes(combine_mnemonics([" ".join(share.words) for share in list(distinct.values())[:needed]]))
    except MnemonicError:
        raise BadInput(
            _("These shares do not give a key together, though each one is well written; nothing was changed. Are they "
              "of kits that were made at different times?")
        ) from None  # fmt: skip


def require_one_kit(shares: Sequence[Share]) -> None:
    """Raises BadInput unless all of them are of one kit."""
    for share in shares:
        if (share.kit, share.threshold) != (shares[0].kit, shares[0].threshold):
            raise BadInput(
                _("Share %(number)d is of kit %(kit)d, the first one is of kit %(first)d; nothing was changed. Bring "
                  "shares of one kit.")
                % {"number": share.number, "kit": share.kit, "first": shares[0].kit}
            )  # fmt: skip


def _not_in_the_list(place: int, word: str) -> str:
    said = _("Word %(place)d (%(word)s) is not in the list of words; nothing was changed.") % {
        "place": place,
        "word": word,
    }
    near = difflib.get_close_matches(word, WORDLIST, n=3, cutoff=0.7)
    return f"{said} " + (_("Is it %s?") % " / ".join(near) if near else _("Look at the sheet again."))


def _does_not_fit(indices: Sequence[int]) -> str:
    said = _("A word of this share is another one than on its sheet: the checksum does not fit; nothing was changed.")
    place = _misfit(indices)
    return f"{said} " + (_("Look at word %d first.") % place if place else _("Compare all of them."))


def _misfit(indices: Sequence[int]) -> int | None:
    """The place (from 1) of the one word that would mend the checksum if it were another one; None if there is none.

    The checksum is linear: what flipped bits of a word do to it does not depend on the other words. It finds any
    single wrong word (SLIP-0039: a Reed-Solomon code that detects three).
    """
    data, given = list(indices[:-CHECKSUM_LENGTH_WORDS]), _number(indices[-CHECKSUM_LENGTH_WORDS:])
    right = _checksum(data)
    off = right ^ given
    for place in range(len(indices)):
        reach = {0}
        for bit in range(_BITS_OF_A_WORD):
            effect = _effect(data, right, place, 1 << bit)
            reach |= {so_far ^ effect for so_far in reach}
        if off in reach:
            return place + 1
    return None


def _effect(data: list[int], right: int, place: int, flipped: int) -> int:
    if place >= len(data):
        words_behind: int = len(data) + CHECKSUM_LENGTH_WORDS - 1 - place
        return flipped << (_BITS_OF_A_WORD * words_behind)
    other = list(data)
    other[place] ^= flipped
    return _checksum(other) ^ right


def _checksum(data: Sequence[int]) -> int:
    return _number(create_checksum(data, CUSTOMIZATION_STRING_EXTENDABLE))


def _number(words: Sequence[int]) -> int:
    number: int = 0
    for word in words:
        number = (number << _BITS_OF_A_WORD) | word
    return number
