"""The generator of shared passwords. Chance comes from the system's generator (`secrets`) and from nothing else.

Entra asks for 8 to 256 characters, three of four classes and no Unicode (entra-docs concept-sspr-policy). It refuses
names of the user and of the tenant inside a password, in any case and with some digits and symbols read as letters;
names of fewer than four characters do not count (entra-docs concept-password-ban-bad).
"""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Callable, Iterable
from functools import cache, lru_cache
from importlib import resources

from django.utils.translation import gettext as _

from msp.errors import BadInput
from tenants.password_plans import BUILT_IN, Rules

ALPHABETS = {
    "lower": "abcdefghijklmnopqrstuvwxyz",
    "upper": "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "digits": "0123456789",
    "symbols": "-/()&@?!",
}
"""Symbols are those that the first symbol page of iOS, Gboard and Samsung's keyboard have in common in every country
(so no $), without what these exchange by themselves (quotes) and what is hard to tell apart (. and , : and ;). The
digits are on that page too."""
LOOK_ALIKES = frozenset("lI1oO0")
READ_AS_LETTERS = str.maketrans("01$@", "olsa")
ONE_IN = 5
"""One in so many characters is a digit or a symbol, on average: few changes between the two pages of a phone."""
CLASSES_ASKED = 3
SHORTEST_PART = 4
PARTS_AT_MOST = 100
"""Even the hundred parts that rule out most words leave 5,100 of them: 61 bits for five, and the capital and the digit
make up for what the names of one account rule out."""
TRIES = 10_000


def new_password(rules: Rules = BUILT_IN, *, forbidden: Iterable[str] = ()) -> str:
    """One new password. `forbidden` are parts of names (`name_parts`); they count when the rules forbid names.

    Random characters begin with a letter and are worth at least 60 bits (12 characters of the narrowest choice), 140
    and more with the 24 of the built-in policy. Words are worth at least 60 bits to somebody who knows the list (five
    of them). Every password that fits the rules can come; one that does not is drawn again as a whole. Raises BadInput
    for rules that `why_impossible` objects to.
    """
    parts = _small((*rules.forbidden_parts, *(forbidden if rules.forbid_names else ())))
    draw = _words(rules, parts) if rules.style == "words" else _characters(rules)
    for _try in range(TRIES):
        password = draw()
        if _fits(password, rules, parts):
            return password
    raise BadInput(
        _(
            "No password can be made by this policy: it forbids too much. Nothing was changed, the password in force "
            "still stands. Take forbidden parts out of the policy."
        )
    )


def why_impossible(rules: Rules) -> dict[str, str]:
    """What no password could meet, by the name of the rule; empty when the rules are good.

    Asked when a policy is saved, so that a change of a password never meets it.
    """
    wrong = {}
    kinds = set(rules.classes)
    if rules.style == "random" and (len(kinds) < CLASSES_ASKED or not kinds <= set(ALPHABETS)):
        wrong["classes"] = _("Microsoft asks for three of the four kinds of characters: choose at least three.")
    if short := [part for part in rules.forbidden_parts if len(part) < SHORTEST_PART]:
        wrong["forbidden_parts"] = _(
            "%(part)s is too short: a part has at least %(least)d characters, or hardly any password is left."
        ) % {"part": short[0], "least": SHORTEST_PART}
    elif len(rules.forbidden_parts) > PARTS_AT_MOST:
        wrong["forbidden_parts"] = _("These are too many parts: at most %(most)d.") % {"most": PARTS_AT_MOST}
    return wrong


def name_parts(*names: str) -> set[str]:
    """What Entra may take for one of these names: the name, its parts, and these run together, from four letters on."""
    found: set[str] = set()
    for name in names:
        plain = unicodedata.normalize("NFKD", name.lower()).encode("ascii", "ignore").decode()
        pieces = re.split(r"[^a-z0-9]+", plain)
        found |= {plain.strip(), "".join(pieces), *pieces}
    return {part for part in found if len(part) >= SHORTEST_PART}


def _characters(rules: Rules) -> Callable[[], str]:
    kinds = {
        kind: [c for c in letters if rules.look_alikes or c not in LOOK_ALIKES]
        for kind, letters in ALPHABETS.items()
        if kind in rules.classes
    }
    letters = [*kinds.get("lower", ()), *kinds.get("upper", ())]
    others = [*kinds.get("digits", ()), *kinds.get("symbols", ())]

    def draw() -> str:
        rest = (secrets.choice(letters if secrets.randbelow(ONE_IN) else others) for _place in range(rules.length - 1))
        return secrets.choice(letters) + "".join(rest)

    return draw


def _words(rules: Rules, parts: frozenset[str]) -> Callable[[], str]:
    """`acorn-Lucky-stream7-...`: one word with a capital, one (perhaps the same) with a digit behind it."""
    known = _words_without(parts)
    digits = [c for c in ALPHABETS["digits"] if rules.look_alikes or c not in LOOK_ALIKES]

    def draw() -> str:
        chosen = [secrets.choice(known) for _place in range(rules.words)]
        capital, digit = secrets.randbelow(rules.words), secrets.randbelow(rules.words)
        chosen[capital] = chosen[capital].capitalize()
        chosen[digit] += secrets.choice(digits)
        return "-".join(chosen)

    return draw


def _small(parts: Iterable[str]) -> frozenset[str]:
    return frozenset(part.lower() for part in parts if part)


def _fits(password: str, rules: Rules, parts: Iterable[str]) -> bool:
    if rules.style == "random" and not all(set(ALPHABETS[kind]) & set(password) for kind in rules.classes):
        return False
    if rules.style == "words" and not rules.look_alikes and LOOK_ALIKES & set(re.findall("[A-Z]", password)):
        return False
    return not _holds(password, parts)


def _holds(text: str, parts: Iterable[str]) -> bool:
    low = text.lower()
    read = low.translate(READ_AS_LETTERS)
    return any(part in low or part in read for part in parts)


@lru_cache(maxsize=64)
def _words_without(parts: frozenset[str]) -> tuple[str, ...]:
    """The words in which none of these parts stands."""
    return tuple(word for word in _long_list() if not _holds(word, parts))


@cache
def _long_list() -> tuple[str, ...]:
    """The EFF's long list for diceware, 7,776 words without its four with a hyphen; xkcdpass carries the file."""
    lines = resources.files("xkcdpass").joinpath("static", "eff-long").read_text(encoding="ascii").split()
    return tuple(sorted(word for word in set(lines) if re.fullmatch("[a-z]+", word)))
