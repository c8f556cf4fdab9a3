"""One value, one text: RFC 8785, for the kinds of value that we allow."""

from __future__ import annotations

import datetime as dt
import enum
import json
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from msp.errors import BadInput
from msp.ledger.canonical import canonical
from msp.ledger.record import leaf_hash

WHOLE = st.integers(-(2**53) + 1, 2**53 - 1)
VALUES = st.recursive(
    st.none() | st.booleans() | WHOLE | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


class Colour(str, enum.Enum):  # noqa: UP042 (its text differs from its value, which is the trap)
    RED = "red"


class EveryValueThatIsAllowed:
    @settings(deadline=None)
    @given(VALUES)
    def test_comes_back_as_it_was(self, value: object) -> None:
        assert json.loads(canonical(value)) == value

    @settings(deadline=None)
    @given(st.dictionaries(st.text(), WHOLE))
    def test_has_one_text_whatever_the_order_of_its_names(self, facts: dict[str, int]) -> None:
        assert canonical(dict(reversed(facts.items()))) == canonical(facts)


class TheTextOfAValue:
    def test_sorts_names_by_utf_16_units(self) -> None:
        """RFC 8785 section 3.2.3: the face (two surrogates) goes before the Hebrew letter, unlike by code point."""
        names = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "\u00f6"]
        found = list(json.loads(canonical(dict.fromkeys(names, 1))))
        assert found == ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]

    def test_escapes_as_little_as_it_may(self) -> None:
        """RFC 8785 section 3.2.2: the sample's string."""
        text = "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"\u002f"
        assert canonical(text) == b'"\xe2\x82\xac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"'

    def test_has_no_white_space(self) -> None:
        assert canonical({"b": [1, True, None], "a": {}}) == b'{"a":{},"b":[1,true,null]}'

    def test_a_time_is_utc_whatever_zone_it_came_in(self) -> None:
        noon = dt.datetime(2026, 7, 1, 12, 0, 5, 42, tzinfo=dt.timezone(dt.timedelta(hours=2)))
        assert canonical(noon) == b'"2026-07-01T10:00:05.000042Z"'

    def test_a_whole_second_has_its_six_digits_too(self) -> None:
        assert canonical(dt.datetime(2026, 7, 1, tzinfo=dt.UTC)) == b'"2026-07-01T00:00:00.000000Z"'

    def test_an_id_is_its_lower_case_text(self) -> None:
        known = UUID("6BA7B810-9DAD-11D1-80B4-00C04FD430C8")
        assert canonical(known) == b'"6ba7b810-9dad-11d1-80b4-00c04fd430c8"'

    def test_a_choice_is_its_value(self) -> None:
        assert canonical({Colour.RED: Colour.RED}) == b'{"red":"red"}'


class AValueThatIsNotAllowed:
    @pytest.mark.parametrize(
        "value",
        [
            1.5,
            float("nan"),
            2**53,
            -(2**53),
            b"bytes",
            {1, 2},
            object(),
            dt.date(2026, 1, 1),
            dt.datetime(2026, 1, 1),  # noqa: DTZ001 (the point)
            "\ud800",
            {1: "one"},
            {"\udfff": 1},
        ],
        ids=lambda value: type(value).__name__,
    )
    def test_is_refused_at_any_depth(self, value: object) -> None:
        for place in (value, [value], {"deep": [{"deeper": value}]}):
            with pytest.raises(BadInput):
                canonical(place)

    def test_is_named_by_its_spot_and_never_quoted(self) -> None:
        with pytest.raises(BadInput) as refusal:
            canonical({"steps": [{"sent": b"Sommer2026!"}]})
        assert "facts.steps[0].sent is bytes" in str(refusal.value)
        assert "Sommer2026!" not in str(refusal.value)


class ALeafHash:
    """RFC 6962 section 2.1: SHA-256(0x00 || leaf)."""

    @pytest.mark.parametrize(
        ("leaf", "expected"),
        [
            ("", "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
            ("00", "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"),
            ("10", "0298d122906dcfc10892cb53a73992fc5b9f493ea4c9badb27b791b4127a7fe7"),
        ],
    )
    def test_is_the_published_one(self, leaf: str, expected: str) -> None:
        assert leaf_hash(bytes.fromhex(leaf)).hex() == expected
