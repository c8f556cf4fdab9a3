"""Whose name stands in a text, and the text about a successor."""

from __future__ import annotations

import pytest

from technicians.duty_plans import name_in_place_of, names

ANA = ("Ana Alba", "ana@reseller.example")


class WhenATextNamesAPerson:
    @pytest.mark.parametrize(
        "text",
        [
            "Ana Alba",
            "  ana  ALBA ",
            "ana@reseller.example",
            "ANA@Reseller.Example",
            "Ana (ana@reseller.example)",
            "Owner: ana@reseller.example.",
        ],
    )
    def test_it_is_known_by_the_whole_name_or_by_the_address(self, text: str):
        assert names(text, *ANA)

    @pytest.mark.parametrize(
        "text",
        ["", "Ana", "Ana Alba-Meier", "Ana Alba and Ben", "diana@reseller.example", "ana@reseller.example.org", "Ben"],
    )
    def test_a_part_of_another_name_or_address_is_somebody_else(self, text: str):
        assert not names(text, *ANA)

    def test_nobody_is_named_by_an_empty_name(self):
        assert not names("", "", "ana@reseller.example")


class WhenASuccessorTakesOver:
    @pytest.mark.parametrize(
        ("was", "now"),
        [
            ("ana alba", "Ben Berg"),
            ("ANA@reseller.example", "ben@reseller.example"),
            ("Ana, ana@reseller.example", "Ben Berg <ben@reseller.example>"),
        ],
    )
    def test_a_name_stands_for_a_name_and_an_address_for_an_address(self, was: str, now: str):
        changed = name_in_place_of(was, *ANA, new_name="Ben Berg", new_email="ben@reseller.example")
        assert changed == now
        assert not names(changed, *ANA)
