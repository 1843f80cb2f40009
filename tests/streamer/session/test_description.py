# SPDX-License-Identifier: GPL-3.0-or-later
"""What must be said beside every reconstructed lead."""

from __future__ import annotations

from dataclasses import replace

import pytest

from streamer.core.stream import StreamInfo
from streamer.session.description import NOT_FOR_DIAGNOSIS, ST_NOT_TO_BE_READ
from tests.gui.a_controller import description


@pytest.mark.parametrize("person", ["", "anna, 2026-11-23"])
@pytest.mark.parametrize("lead", ["I", "MLII"])
def test_calibrated_leads_say_that_their_st_is_not_to_be_read(person: str, lead: str) -> None:
    stream = StreamInfo("test", 250.0, lead=lead, is_lead_i=lead == "I")
    about = replace(description(), stream=stream, calibration=person)
    assert (ST_NOT_TO_BE_READ in about.warnings) == bool(person)
    assert NOT_FOR_DIAGNOSIS in about.warnings and list(about.warnings) == about.as_dict()["warnings"]
    assert any("not Lead I" in warning for warning in about.warnings) == (lead != "I")
