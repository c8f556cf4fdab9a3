"""One is one: what commands and pages count is said as a person would."""

from __future__ import annotations

import inspect
import re

import pytest

from msp.ops import quantities
from tests.support.source import ROOT, TEMPLATES

WORDS = [
    word
    for _name, word in inspect.getmembers(quantities, inspect.isfunction)
    if word.__module__ == "msp.ops.quantities"
]


class EveryQuantity:
    @pytest.mark.parametrize("word", WORDS, ids=lambda word: word.__name__)
    def test_differs_between_one_and_more_and_counts(self, word):
        one, two, none = (word(count) for count in (1, 2, 0))
        assert one.startswith("1 ") and two.startswith("2 ") and none.startswith("0 ")
        assert one[2:] != two[2:] == none[2:]


NOUNS = "accounts|tenants|steps|methods|authenticators|passwords|rows|minutes|customers|technicians|people|looks"


class EverySentenceWithANumber:
    def test_in_a_page_counts_what_it_names(self):
        """A number before a plural stands where `count` chose the plural."""
        spoken = re.compile(r"{% blocktranslate(?P<head>[^%]*)%}(?P<text>.*?){% endblocktranslate %}", re.DOTALL)
        wrong = [
            f"{page.name}: {found['text']}"
            for page in sorted(TEMPLATES.rglob("*.html"))
            for found in spoken.finditer(page.read_text())
            if re.search(rf"}}}} ({NOUNS})\b", found["text"]) and " count " not in f" {found['head']} "
        ]
        assert wrong == []

    def test_in_a_command_is_said_by_a_quantity(self):
        commands = sorted((ROOT / "msp" / "ops").rglob("*.py"))
        wrong = [
            f"{file.name}: {found[0]}"
            for file in commands
            if file.name != "quantities.py"
            for found in re.finditer(rf"[^\s{{]*}} ({NOUNS})\b", file.read_text())
        ]
        assert wrong == []
