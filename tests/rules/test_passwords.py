"""The generator: Entra's rules always, what the policy says, typeable on a phone, and by chance alone."""

from __future__ import annotations

import math
import re
import string
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from itertools import pairwise

import pytest

from msp.errors import BadInput
from tenants.password_plans import BUILT_IN, Rules
from tenants.passwords import (
    ALPHABETS,
    LOOK_ALIKES,
    PARTS_AT_MOST,
    _long_list,
    name_parts,
    new_password,
    why_impossible,
)

SAMPLES = 10_000
NAMES = name_parts("Northwind Toys GmbH", "northwind-toys.example", "shared-admin", "sage")
THREE = ("lower", "digits", "symbols")
POLICIES = {
    "built in": BUILT_IN,
    "the shortest of the fewest kinds": Rules(length=12, classes=THREE),
    "without symbols": Rules(length=16, classes=("lower", "upper", "digits")),
    "without small letters": Rules(length=14, classes=("upper", "digits", "symbols")),
    "look-alikes wanted": Rules(length=20, look_alikes=True),
    "with forbidden parts": Rules(forbidden_parts=("winter", "2026", "Tea-")),
    "words": Rules(style="words"),
    "five words, with forbidden parts": Rules(style="words", words=5, forbidden_parts=("able", "ness", "er-s")),
    "words, look-alikes wanted": Rules(style="words", words=7, look_alikes=True),
}
ENTRAS_CLASSES = (string.ascii_lowercase, string.ascii_uppercase, string.digits, string.punctuation)


@pytest.fixture(params=POLICIES.keys())
def sample(request: pytest.FixtureRequest) -> tuple[Rules, list[str]]:
    return POLICIES[request.param], made_by(request.param)


@cache
def made_by(name: str) -> list[str]:
    return [new_password(POLICIES[name], forbidden=NAMES) for _ in range(SAMPLES)]


class EveryPassword:
    """10,000 of each policy."""

    def test_meets_entras_rules(self, sample):
        _rules, made = sample
        for password in made:
            assert 8 <= len(password) <= 256
            assert sum(bool(set(kind) & set(password)) for kind in ENTRAS_CLASSES) >= 3
            assert set(password) <= set("".join(ENTRAS_CLASSES))

    def test_is_never_made_twice(self, sample):
        assert len(set(sample[1])) == SAMPLES

    def test_holds_no_forbidden_part_and_no_name_in_any_case_or_disguise(self, sample):
        rules, made = sample
        unwanted = {part.lower() for part in (*rules.forbidden_parts, *NAMES)}
        for password in made:
            low = password.lower()
            for text in (low, low.replace("0", "o").replace("1", "l").replace("@", "a")):
                assert not [part for part in unwanted if part in text]

    def test_begins_with_a_letter(self, sample):
        assert all(password[0] in string.ascii_letters for password in sample[1])


@pytest.mark.parametrize("rules", [r for r in POLICIES.values() if r.style == "random"], ids=str)
class EveryPasswordOfRandomCharacters:
    def test_has_the_length_and_every_chosen_kind_and_no_other(self, rules: Rules):
        chosen = {kind: set(ALPHABETS[kind]) for kind in rules.classes}
        for password in (new_password(rules) for _ in range(500)):
            assert len(password) == rules.length
            assert all(kind & set(password) for kind in chosen.values())
            assert set(password) <= set().union(*chosen.values())

    def test_has_look_alikes_only_when_they_are_wanted(self, rules: Rules):
        seen = set("".join(new_password(rules) for _ in range(1000)))
        assert bool(seen & LOOK_ALIKES) == rules.look_alikes

    def test_asks_for_few_changes_of_the_keyboard(self, rules: Rules):
        """On a phone, letters are on one page, digits and symbols on another."""
        made = [new_password(rules) for _ in range(1000)]
        changes = sum(a.isalpha() != b.isalpha() for password in made for a, b in pairwise(password))
        assert changes / 1000 < rules.length / 2.4


class TheChance:
    """Figures that a fair generator misses less than once in a million runs."""

    @pytest.fixture(autouse=True)
    def _made(self) -> None:
        self.made = made_by("built in")

    def test_lets_every_character_occur_evenly_among_its_own_kind(self):
        seen = Counter("".join(password[1:] for password in self.made))
        for kind in (ALPHABETS["lower"] + ALPHABETS["upper"], ALPHABETS["digits"] + ALPHABETS["symbols"]):
            counts = [seen[c] for c in kind if c not in LOOK_ALIKES]
            assert min(counts) > 0.8 * max(counts)

    def test_fixes_no_place(self):
        for place in range(BUILT_IN.length):
            seen = Counter(password[place] for password in self.made)
            assert seen.most_common(1)[0][1] < SAMPLES / 20
            assert len(seen) >= 48

    def test_lets_no_character_follow_from_the_one_before(self):
        pairs = Counter(pair for password in self.made for pair in pairwise(password[1:]))
        assert pairs.most_common(1)[0][1] < 3 * sum(pairs.values()) / 48**2

    def test_puts_capital_and_digit_of_words_anywhere(self):
        made = [new_password(Rules(style="words")).split("-") for _ in range(3000)]
        capitals = Counter(next(n for n, word in enumerate(words) if word[0].isupper()) for words in made)
        digits = Counter(next(n for n, word in enumerate(words) if word[-1].isdigit()) for words in made)
        for places in (capitals, digits):
            assert set(places) == set(range(6))
            assert min(places.values()) > 3000 / 6 * 0.7

    def test_draws_words_from_the_whole_list(self):
        made = "-".join(new_password(Rules(style="words")) for _ in range(5000))
        seen = set(re.sub("[0-9]", "", made).lower().split("-"))
        assert len(seen) > 7500
        assert 5 * math.log2(len(seen)) > 60


class APasswordOfWords:
    def test_has_so_many_words_one_capital_and_one_digit(self):
        for count in (5, 8, 12):
            for _ in range(300):
                password = new_password(Rules(style="words", words=count))
                words = password.split("-")
                assert len(words) == count
                assert all(re.fullmatch("[A-Z]?[a-z]{2,9}[0-9]?", word) for word in words)
                assert len(re.findall("[A-Z]", password)) == len(re.findall("[0-9]", password)) == 1

    def test_has_no_capital_and_no_digit_that_is_taken_for_another(self):
        for _ in range(3000):
            assert not set(new_password(Rules(style="words"))) & set("IO01")


class WhenRulesCannotBeMet:
    @pytest.mark.parametrize(
        ("rules", "field"),
        [
            (Rules(classes=("lower", "upper")), "classes"),
            (Rules(classes=("lower", "lower", "lower", "upper")), "classes"),
            (Rules(classes=("lower", "upper", "digits", "runes")), "classes"),
            (Rules(classes=()), "classes"),
            (Rules(forbidden_parts=("winter", "abc")), "forbidden_parts"),
            (Rules(forbidden_parts=tuple(f"part{n}" for n in range(PARTS_AT_MOST + 1))), "forbidden_parts"),
        ],
    )
    def test_the_rule_that_asks_too_much_is_named(self, rules: Rules, field: str):
        assert list(why_impossible(rules)) == [field]

    @pytest.mark.parametrize("rules", POLICIES.values(), ids=POLICIES.keys())
    def test_nothing_is_said_against_rules_that_can(self, rules: Rules):
        assert why_impossible(rules) == {}

    def test_words_do_not_ask_for_kinds(self):
        assert why_impossible(Rules(style="words", classes=())) == {}

    def test_the_generator_stops_instead_of_searching_for_ever(self):
        everything = Rules(forbidden_parts=tuple(string.ascii_letters))
        with pytest.raises(BadInput, match="the password in force still stands"):
            new_password(everything)

    def test_the_hardest_policy_that_may_be_saved_still_gives_words_worth_sixty_bits(self):
        hard = Rules(style="words", words=5, forbidden_parts=tuple(parts_that_rule_out_most(PARTS_AT_MOST)))
        assert why_impossible(hard) == {}
        assert 5 * math.log2(len(words_left(hard))) > 60
        assert all(new_password(hard, forbidden=NAMES) for _ in range(50))


def words_left(rules: Rules) -> list[str]:
    return [word for word in _long_list() if not any(part in word for part in rules.forbidden_parts)]


def parts_that_rule_out_most(count: int) -> Iterator[str]:
    """One after another the four letters that stand in most of the words that are left."""
    left = set(_long_list())
    for _ in range(count):
        [(worst, _times)] = Counter(word[n : n + 4] for word in left for n in range(len(word) - 3)).most_common(1)
        yield worst
        left = {word for word in left if worst not in word}


class TheNames:
    def test_count_whole_in_parts_and_run_together(self):
        assert name_parts("Northwind Toys") == {"northwind toys", "northwind", "toys", "northwindtoys"}

    def test_count_from_four_letters_on(self):
        assert name_parts("IT AG", "3M", "j.doe@a.b") == {"it ag", "itag", "j.doe@a.b", "jdoeab"}

    def test_count_without_their_accents(self):
        assert "backerei" in name_parts("Bäckerei")
        assert name_parts("東京") == set()

    def test_count_only_where_the_policy_forbids_names(self):
        free = Rules(forbid_names=False)
        assert new_password(free, forbidden=string.ascii_letters)
        with pytest.raises(BadInput):
            new_password(replace(free, forbid_names=True), forbidden=string.ascii_letters)
