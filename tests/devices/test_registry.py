"""A SOURCE is split as the command line promises, and unknown ones are refused in one line."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from devices.registry import SCHEMES, open_source, parse_source
from devices.replay.file import FileReplay
from devices.replay.pacing import Replay
from devices.replay.synthetic import Synthetic
from streamer.core.errors import InputError
from streamer.core.stream import Placement

RECORDINGS = Path(__file__).parents[2] / "recordings"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("wfdb:a/b", ("wfdb", "a/b")),
        ("WFDB:a/b", ("wfdb", "a/b")),
        ("wfdb:C:\\x y\\r.hea", ("wfdb", "C:\\x y\\r.hea")),
        ("C:\\x\\r.hea", ("wfdb", "C:\\x\\r.hea")),
        ("c:/x/r", ("wfdb", "c:/x/r")),
        ("polar:24:AC:AC:01:02:03", ("polar", "24:AC:AC:01:02:03")),
        ("lsl:name='My ECG: left'", ("lsl", "name='My ECG: left'")),
        ("session:", ("session", "")),
        ("synthetic:?rate=500&bpm=72", ("synthetic", "?rate=500&bpm=72")),
        ("a b/c d.dat", ("wfdb", "a b/c d.dat")),
        ("./foo:bar", ("wfdb", "./foo:bar")),
        ("2024-01-01T10:30", ("wfdb", "2024-01-01T10:30")),
        ("wfdb", ("wfdb", "wfdb")),
    ],
)
def test_a_source_is_split_once_at_the_colon_of_a_known_scheme(text: str, expected: tuple[str, str]) -> None:
    assert parse_source(text) == expected


@given(scheme=st.sampled_from(sorted(SCHEMES)), rest=st.text())
def test_whatever_follows_a_known_scheme_survives(scheme: str, rest: str) -> None:
    assert parse_source(f"{scheme}:{rest}") == (scheme, rest)


def test_an_unknown_scheme_is_refused_with_the_known_ones() -> None:
    for text in ("foo:bar", "http://example.org/r.hea"):
        with pytest.raises(
            InputError, match="use one of wfdb:, synthetic:, lsl:, polar:, movesense:, session:"
        ):
            open_source(text)


def test_a_record_whose_name_looks_like_a_scheme_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("foo:bar.hea").write_text("x")
    assert parse_source("foo:bar") == ("wfdb", "foo:bar")
    assert parse_source("foo:bar.hea") == ("wfdb", "foo:bar.hea")


@pytest.mark.parametrize("text", ["", " ", "wfdb:"])
def test_nothing_named_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        open_source(text).open()


@given(text=st.text(max_size=60))
def test_any_text_opens_nothing_or_raises_an_input_error_of_one_line(text: str) -> None:
    try:
        assume(parse_source(text)[0] in ("wfdb", "synthetic"))  # nothing is to be found on a network
        open_source(text).open()
    except InputError as error:
        assert "\n" not in str(error)
    else:
        assert text.lower().startswith("synthetic:")


def test_sources_get_what_was_asked_for() -> None:
    record = open_source(
        str(RECORDINGS / "mitdb" / "100.hea"),
        lead="V5",
        invert=True,
        placement=Placement.ARMS,
        replay=Replay(speed=math.inf),
    )
    assert isinstance(record, FileReplay)
    info = record.open()
    assert (info.lead, info.inverted, info.placement) == ("V5", True, Placement.ARMS)
    synthetic = open_source("synthetic:?rate=250")
    assert isinstance(synthetic, Synthetic) and synthetic.open().rate_hz == 250


def test_a_description_opens_the_same_source_again() -> None:
    for text in (str(RECORDINGS / "ptb" / "s0010_re"), "synthetic:?rate=250"):
        info = open_source(text).open()
        assert open_source(info.source).open() == info
