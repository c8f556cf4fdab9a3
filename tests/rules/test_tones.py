"""The colour of a state repeats its word: good news is green, what worries is not."""

from __future__ import annotations

import pytest

from msp.reports.access import WayIn
from msp.web.templatetags.latchkey import tone
from tenants.plans import RunState, StepState


class EveryTone:
    @pytest.mark.parametrize(
        ("way_in", "colour"),
        [
            (WayIn.CAN_ENTER, "green"),
            (WayIn.NO_AUTHENTICATOR, "yellow"),
            (WayIn.LEFT_BEHIND, "red"),
            (WayIn.KNOWS_PASSWORD, "yellow"),
            (WayIn.UNKNOWN_METHOD, "red"),
            (WayIn.NOBODY, "secondary"),
        ],
    )
    def test_of_the_access_report_repeats_its_word(self, way_in: WayIn, colour: str):
        assert tone(way_in) == colour

    def test_of_what_is_not_proven_is_never_green(self):
        assert [state for state in StepState if tone(state) == "green"] == [StepState.VERIFIED]
        assert [state for state in RunState if tone(state) == "green"] == [RunState.CLEAN]
