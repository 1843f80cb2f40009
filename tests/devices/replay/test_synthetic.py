"""The synthetic source is the same signal every time, with its beats where it says."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.replay.pacing import Replay
from devices.replay.synthetic import Synthetic
from streamer.core.errors import InputError
from streamer.core.events import State, StateChanged
from streamer.core.stream import Chunk, Placement


def played(rest: str, chunk_samples: int | None = None, invert: bool = False) -> np.ndarray:
    source = Synthetic(rest, replay=Replay(speed=math.inf), chunk_samples=chunk_samples, invert=invert)
    source.open()
    return np.concatenate([item.lead_mv for item in source.items() if isinstance(item, Chunk)])


@given(chunk=st.integers(1, 4000), rate=st.sampled_from([100.0, 129.91, 250.0, 500.0, 1000.0]))
@settings(max_examples=30, deadline=None)
def test_a_sample_depends_on_its_index_alone(chunk: int, rate: float) -> None:
    rest = f"?rate={rate}&bpm=73&seconds=9"
    whole = Synthetic(rest).lead_mv(0, round(9 * rate))
    assert np.array_equal(played(rest, chunk), whole)


@pytest.mark.parametrize("bpm", [30, 60, 72, 150, 240])
@pytest.mark.parametrize("rate", [100, 129.91, 500])
def test_every_beat_peaks_where_beats_says(bpm: float, rate: float) -> None:
    source = Synthetic(f"?rate={rate}&bpm={bpm}")
    stop = round(20 * rate)
    lead = source.lead_mv(0, stop)
    beats = source.beats(0, stop)
    assert len(beats) == pytest.approx(20 * bpm / 60, abs=1)
    loud = np.flatnonzero((lead[1:-1] > 0.5) & (lead[1:-1] >= lead[:-2]) & (lead[1:-1] > lead[2:])) + 1
    inner = beats[(beats > 0) & (beats < stop - 1)]
    assert len(loud) == len(inner) and np.abs(loud - inner).max() <= 1
    assert np.array_equal(source.beats(500, 900), beats[(beats >= 500) & (beats < 900)])


def test_it_looks_like_lead_i() -> None:
    lead = Synthetic("?rate=1000&bpm=60").lead_mv(0, 10_000)
    assert lead.dtype == np.float32
    assert 0.8 < lead.max() < 1.0 and -0.3 < lead.min() < -0.05
    assert np.abs(np.diff(lead)).max() < 0.1


def test_it_goes_on_until_it_is_stopped() -> None:
    source = Synthetic("?rate=250", replay=Replay(speed=math.inf))
    assert source.open().samples is None
    items = source.items()
    for item in items:
        if isinstance(item, Chunk) and item.start > 100_000:
            source.stop()
            break
    last = list(items)[-1]
    assert isinstance(last, StateChanged) and last.state is State.ENDED


def test_its_description_opens_it_again() -> None:
    info = Synthetic("?rate=130&bpm=50", invert=True, placement=Placement.ARMS).open()
    assert info.source == "synthetic:?rate=130&bpm=50"
    assert (info.rate_hz, info.lead, info.is_lead_i, info.inverted) == (130, "I", True, True)
    assert np.array_equal(played("?seconds=1", invert=True), -played("?seconds=1"))


@pytest.mark.parametrize(
    "rest", ["x", "?rate=5", "?rate=abc", "?bpm=0", "?bpm=nan", "?seconds=-1", "?speed=2", "?rate=", "?=\n"]
)
def test_impossible_parameters_are_refused_in_one_line(rest: str) -> None:
    with pytest.raises(InputError) as caught:
        Synthetic(rest)
    assert str(caught.value).isprintable()


def test_only_lead_i_is_made() -> None:
    Synthetic(lead="Lead I")
    with pytest.raises(InputError, match="no lead 'V5'"):
        Synthetic(lead="V5")
