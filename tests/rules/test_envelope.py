"""What an envelope promises, for every key, place, plaintext and damage."""

from __future__ import annotations

import secrets
from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from msp.errors import KeyTrouble
from msp.vault.envelope import KEY_ID_AT, KEY_ID_BYTES, NONCE_BYTES, TAG_BYTES, Place, key_id_of, open_, seal

KEYS = st.binary(min_size=32, max_size=32)
KEY_IDS = st.binary(min_size=16, max_size=16)
NAMES = st.text(max_size=12)
PLACES = st.builds(Place, NAMES, NAMES, NAMES, NAMES, st.integers(0, 2**53))
KEY_ID = bytes(range(100, 116))
HERE = Place("reseller", "contoso", "secret_version", "admin", 3)

without_deadline = settings(deadline=None)


def sealed(plaintext: bytes = b"correct horse", place: Place = HERE) -> tuple[bytes, bytes]:
    key = secrets.token_bytes(32)
    return key, seal(key, plaintext, place, key_id=KEY_ID)


class TheRightKeyInTheRightPlace:
    @without_deadline
    @given(KEYS, st.binary(max_size=300), PLACES, KEY_IDS)
    def test_opens_what_was_sealed(self, key: bytes, plaintext: bytes, place: Place, key_id: bytes) -> None:
        envelope = seal(key, plaintext, place, key_id=key_id)
        assert open_(key, envelope, place) == plaintext
        assert key_id_of(envelope) == key_id

    def test_never_gives_the_same_envelope_twice(self) -> None:
        key = secrets.token_bytes(32)
        assert len({seal(key, b"same", HERE, key_id=KEY_ID) for _ in range(100)}) == 100

    @without_deadline
    @given(st.binary(min_size=8, max_size=64))
    def test_the_plaintext_is_not_in_the_envelope(self, plaintext: bytes) -> None:
        _, envelope = sealed(plaintext)
        assert plaintext not in envelope


class AnEnvelope:
    @without_deadline
    @given(KEYS, st.binary(max_size=100), PLACES, KEY_IDS)
    def test_says_its_format_its_algorithm_and_its_key_and_has_nothing_else_in_clear(
        self, key: bytes, plaintext: bytes, place: Place, key_id: bytes
    ) -> None:
        envelope = seal(key, plaintext, place, key_id=key_id)
        assert (envelope[0], envelope[1]) == (1, 1), "format version 1, AES-256-GCM"
        assert envelope[KEY_ID_AT : KEY_ID_AT + KEY_ID_BYTES] == key_id
        assert len(envelope) == KEY_ID_AT + KEY_ID_BYTES + NONCE_BYTES + len(plaintext) + TAG_BYTES

    @pytest.mark.parametrize("at", [0, 1], ids=["format version", "algorithm"])
    def test_of_another_format_or_algorithm_is_refused_as_unknown_not_as_damaged(self, at: int) -> None:
        key, envelope = sealed()
        for other in set(range(256)) - {envelope[at]}:
            changed = envelope[:at] + bytes([other]) + envelope[at + 1 :]
            with pytest.raises(KeyTrouble, match="not an envelope that this version"):
                open_(key, changed, HERE)

    @pytest.mark.parametrize("length", [0, 15, 17, 32])
    def test_is_not_made_for_a_key_id_of_another_length(self, length: int) -> None:
        with pytest.raises(KeyTrouble, match="nothing was sealed"):
            seal(bytes(32), b"secret", HERE, key_id=bytes(length))


class AnEnvelopeThatWasTouched:
    @without_deadline
    @given(st.data())
    def test_never_opens_with_one_bit_flipped(self, data: st.DataObject) -> None:
        key, envelope = sealed()
        bit = data.draw(st.integers(0, len(envelope) * 8 - 1))
        flipped = bytearray(envelope)
        flipped[bit // 8] ^= 1 << (bit % 8)
        with pytest.raises(KeyTrouble):
            open_(key, bytes(flipped), HERE)

    def test_never_opens_when_cut_at_either_end(self) -> None:
        key, envelope = sealed()
        for length in range(len(envelope)):
            with pytest.raises(KeyTrouble):
                open_(key, envelope[:length], HERE)
            with pytest.raises(KeyTrouble):
                open_(key, envelope[length + 1 :], HERE)

    @without_deadline
    @given(st.binary(min_size=1, max_size=40))
    def test_never_opens_with_something_added(self, more: bytes) -> None:
        key, envelope = sealed()
        with pytest.raises(KeyTrouble):
            open_(key, envelope + more, HERE)

    @without_deadline
    @given(st.data(), st.binary(min_size=1, max_size=40))
    def test_never_opens_with_something_put_in_taken_out_or_exchanged(self, data: st.DataObject, more: bytes) -> None:
        key, envelope = sealed()
        start = data.draw(st.integers(0, len(envelope)))
        end = data.draw(st.integers(start, len(envelope)))
        for changed in (
            envelope[:start] + more + envelope[start:],
            envelope[:start] + envelope[end:],
            envelope[:start] + more + envelope[end:],
            more + envelope,
        ):
            if changed != envelope:
                with pytest.raises(KeyTrouble):
                    open_(key, changed, HERE)

    @without_deadline
    @given(KEY_IDS.filter(lambda other: other != KEY_ID))
    def test_never_opens_under_another_key_id(self, other: bytes) -> None:
        key, envelope = sealed()
        with pytest.raises(KeyTrouble):
            open_(key, envelope[:2] + other + envelope[18:], HERE)

    @without_deadline
    @given(st.integers(KEY_ID_AT + KEY_ID_BYTES + 1, 54))
    def test_never_opens_when_two_of_the_same_key_are_spliced(self, at: int) -> None:
        key = secrets.token_bytes(32)
        one = seal(key, b"the first", HERE, key_id=KEY_ID)
        two = seal(key, b"the other", HERE, key_id=KEY_ID)
        assert len(one) == len(two) == 55
        with pytest.raises(KeyTrouble):
            open_(key, one[:at] + two[at:], HERE)

    @without_deadline
    @given(st.binary(max_size=200))
    def test_anything_else_is_refused_as_no_envelope(self, rubbish: bytes) -> None:
        with pytest.raises(KeyTrouble):
            open_(bytes(32), rubbish, HERE)


class AnEnvelopeThatWasMoved:
    @without_deadline
    @given(PLACES, PLACES)
    def test_never_opens_in_another_place(self, place: Place, other: Place) -> None:
        assume(place != other)
        key, envelope = sealed(place=place)
        with pytest.raises(KeyTrouble):
            open_(key, envelope, other)

    @pytest.mark.parametrize(
        "elsewhere",
        [
            replace(HERE, reseller_id="another"),
            replace(HERE, tenant_id="another"),
            replace(HERE, kind="another"),
            replace(HERE, object_id="another"),
        ],
        ids=str,
    )
    def test_every_name_of_the_place_counts(self, elsewhere: Place) -> None:
        key, envelope = sealed()
        with pytest.raises(KeyTrouble):
            open_(key, envelope, elsewhere)

    @without_deadline
    @given(st.integers(0, 2**53), st.integers(0, 2**53))
    def test_one_version_replayed_as_another_does_not_open(self, version: int, other: int) -> None:
        assume(version != other)
        key, envelope = sealed(place=replace(HERE, version=version))
        with pytest.raises(KeyTrouble):
            open_(key, envelope, replace(HERE, version=other))

    @without_deadline
    @given(PLACES, PLACES, KEYS)
    def test_two_that_changed_places_open_in_neither(self, place: Place, other: Place, key: bytes) -> None:
        assume(place != other)
        here, there = (seal(key, b"secret", where, key_id=KEY_ID) for where in (place, other))
        for envelope, where in ((here, other), (there, place)):
            with pytest.raises(KeyTrouble):
                open_(key, envelope, where)

    @without_deadline
    @given(st.tuples(NAMES, NAMES, NAMES, NAMES), st.permutations(range(4)))
    def test_names_that_changed_their_order_are_another_place(
        self, names: tuple[str, str, str, str], order: list[int]
    ) -> None:
        a, b, c, d = (names[number] for number in order)
        place, other = Place(*names, 1), Place(a, b, c, d, 1)
        assume(place != other)
        key, envelope = sealed(place=place)
        with pytest.raises(KeyTrouble):
            open_(key, envelope, other)

    def test_names_that_read_the_same_when_run_together_are_different_places(self) -> None:
        key, envelope = sealed(place=Place("ab", "c", "kind", "id", 1))
        with pytest.raises(KeyTrouble):
            open_(key, envelope, Place("a", "bc", "kind", "id", 1))

    @without_deadline
    @given(KEYS, KEYS)
    def test_never_opens_with_another_key(self, key: bytes, other: bytes) -> None:
        assume(key != other)
        with pytest.raises(KeyTrouble):
            open_(other, seal(key, b"secret", HERE, key_id=KEY_ID), HERE)


class AMessageAboutAnEnvelope:
    def test_says_what_it_is_about_and_nothing_of_its_content(self) -> None:
        key, envelope = sealed(b"Sommer2026!")
        with pytest.raises(KeyTrouble) as refusal:
            open_(key, envelope, replace(HERE, tenant_id="fabrikam"))
        assert "secret version" in str(refusal.value)
        assert "Sommer2026!" not in str(refusal.value)
        assert refusal.value.__cause__ is None
