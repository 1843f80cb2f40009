# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders may be named after persons: their names go into no recording, export or stream."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.recording.redact import description_without_home, without_folders
from tests.streamer.made_session import description

NAMES = st.text(
    st.characters(blacklist_characters="/\\:~", blacklist_categories=["Cs"]), min_size=1, max_size=12
)


@given(
    NAMES.filter(lambda name: name not in (".", "..", "...") and name.strip()),
    st.sampled_from(["", "wfdb:", "session:"]),
)
def test_no_folder_of_an_absolute_path_is_left(person: str, scheme: str) -> None:
    shown = without_folders(f"{scheme}/srv/ward/{person}/00010_hr")
    assert shown == f"{scheme}.../00010_hr"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("wfdb:C:\\Patients\\Anna\\r1", "wfdb:...\\r1"),
        ("D:/Anna/r1", ".../r1"),
        ("wfdb:recordings/ptb/s0010_re", "wfdb:recordings/ptb/s0010_re"),
        ("synthetic:?rate=500", "synthetic:?rate=500"),
        ("lsl:name='a/b'", "lsl:name='a/b'"),
        ("/r1", "/r1"),
        ("2.0", "2.0"),
    ],
)
def test_what_is_no_folder_stays(text: str, shown: str) -> None:
    assert without_folders(text) == shown


def test_a_source_s_folder_goes_from_its_notes_too() -> None:
    about = description()
    stream = dataclasses.replace(
        about.stream, source="wfdb:/srv/Anna Smith/r1", notes=("Playing r1 from /srv/Anna Smith/r1.", "other")
    )
    clean = description_without_home(dataclasses.replace(about, stream=stream)).stream
    assert clean.source == "wfdb:.../r1" and clean.notes == ("Playing r1 from .../r1.", "other")
