"""What is stated or found of a stream is watched: a wrong unit is mended, a wrong rate said or ended."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.live.feed import Timeouts
from devices.lsl.inlet import LslStream
from devices.registry import open_source
from devices.replay.synthetic import Synthetic
from streamer.core.errors import Field, InputError
from streamer.core.events import Event, Notice, SamplesLost, Topic
from streamer.core.stream import Chunk
from tests.devices.lsl.fake_lsl import FakeLsl, Script, Timely

RATE_HZ = 250.0


def heard(
    values: np.ndarray,
    stamps: np.ndarray,
    unit: str = "mV",
    stated_hz: float = RATE_HZ,
    arrivals: np.ndarray | None = None,
    packet: int = 25,
    **how: float,
) -> tuple[LslStream, list[Chunk], list[Event], Exception | None]:
    """What `LslStream` makes of one channel; a packet comes when its last stamp says, or as given."""
    lsl = FakeLsl(1e9)
    batches = [
        (values[i : i + packet].tolist(), (1000 + stamps[i : i + packet]).tolist())
        for i in range(0, len(values), packet)
    ]
    xml = FakeLsl.as_xml
    items: list[Chunk | Event] = []
    error: Exception | None = None

    class Late(Timely):
        def pull_sample(self, wait_s: float) -> tuple[np.ndarray, float] | tuple[None, None]:
            if arrivals is not None and self.left:
                at = len(batches) - len(self.left)
                self.lsl.now_s = max(self.lsl.now_s, 1000 + arrivals[min((at + 1) * packet, len(values)) - 1])
                self.lsl.now_s -= 0.1
                return Script.pull_sample(self, wait_s)
            return super().pull_sample(wait_s)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("devices.lsl.inlet.load_pylsl", lambda: lsl)
        patch.setattr(FakeLsl, "as_xml", lambda self: xml(self).replace(">mV<", f">{unit}<"))
        patch.setattr(FakeLsl, "RATE", stated_hz)
        patch.setattr(FakeLsl, "StreamInlet", lambda self, found, **how: Late(self))
        patch.setattr(Script, "batches", batches)
        patch.setattr("devices.lsl.search.SECOND_S", 0.0)
        patch.setattr("devices.live.feed._DEPTH", 10**6)  # the sender outruns real time
        source = LslStream("fake", clock=lsl.clock, patience=Timeouts(stale_s=1e6, first_s=1e6), **how)  # type: ignore[arg-type]
        lsl.at_end = source.stop
        source.open()
        try:
            items += source.items()
        except InputError as end:
            error = end
    events = [item for item in items if not isinstance(item, Chunk)]
    return source, [item for item in items if isinstance(item, Chunk)], events, error


def beating(seconds: float, rate_hz: float = RATE_HZ) -> np.ndarray:
    return Synthetic(f"?rate={rate_hz:g}&bpm=70").lead_mv(0, round(seconds * rate_hz)).astype(float)


def readings(events: Sequence[Event]) -> list[str]:
    return [e.text for e in events if isinstance(e, Notice) and e.topic is Topic.READING]


def end_of(chunks: Sequence[Chunk], seconds: float, rate_hz: float = RATE_HZ) -> np.ndarray:
    return np.concatenate([chunk.lead_mv for chunk in chunks])[-round(seconds * rate_hz) :].astype(float)


@settings(max_examples=12, deadline=None)
@given(
    unit=st.sampled_from(["mV", "uV", "V", "", "n/a"]),
    off=st.sampled_from([1.0, 1e3, 1e-3]),
    packet=st.sampled_from([1, 16, 73, 250]),
)
def test_a_unit_that_the_beats_contradict_is_mended_and_said_once(unit: str, off: float, packet: int) -> None:
    per_mv = {"mV": 1.0, "uV": 1e3, "V": 1e-3}.get(unit, 1e3)
    at_s = np.arange(0, 40, 1 / RATE_HZ)
    values = beating(40) * per_mv
    # A stated unit is wrong from the beginning; one that was found is right, and then the sender changes.
    values[at_s >= (0 if unit in ("mV", "uV", "V") else 12)] *= off
    _, chunks, events, error = heard(values, at_s, unit, packet=packet)
    assert error is None and len(readings(events)) == (off != 1)
    lead_mv, truth_mv = end_of(chunks, 10), beating(40)[-2500:]
    assert np.abs(lead_mv - truth_mv).max() < 1e-4
    assert not any(isinstance(event, SamplesLost) for event in events)


@pytest.mark.parametrize("unit_mv", [1.0, 1e-3])
def test_what_the_user_states_is_not_overruled(unit_mv: float) -> None:
    values = beating(30) * 1e3
    _, chunks, events, _ = heard(values, np.arange(0, 30, 1 / RATE_HZ), "mV", unit_mv=unit_mv)
    assert readings(events) == []
    assert np.ptp(end_of(chunks, 5)) == pytest.approx(1e3 * unit_mv * np.ptp(beating(30)[-1250:]), rel=1e-3)


def drifting(seconds: float, begins_hz: float, then_hz: float) -> np.ndarray:
    """Stamps of a sender whose rate settles after 14 s."""
    periods = np.where(np.arange(round(seconds * begins_hz)) < 14 * begins_hz, 1 / begins_hz, 1 / then_hz)
    return np.cumsum(periods)


@pytest.mark.parametrize(
    ("then_hz", "said", "ends"), [(130.2, 0, False), (131.7, 1, False), (135.5, 0, True)]
)
def test_a_rate_that_was_found_and_is_known_better_later_is_said_or_ends_the_session(
    then_hz: float, said: int, ends: bool
) -> None:
    stamps = drifting(150, 130.0, then_hz)
    _, _, events, error = heard(np.arange(len(stamps)) % 8000.0, stamps, stated_hz=0.0)
    assert (len(readings(events)), error is not None) == (said, ends)
    assert error is None or "stamps run at" in str(error)


@pytest.mark.parametrize(
    ("off", "packet", "jitter_s"), [(0.004, 25, 0.0), (0.024, 25, 0.0), (-0.04, 73, 0.02)]
)
def test_a_stated_rate_that_the_stamps_miss_is_said_once(off: float, packet: int, jitter_s: float) -> None:
    true_hz = RATE_HZ * (1 + off)
    stamps = np.arange(round(80 * true_hz)) / true_hz
    late = np.random.default_rng(3).uniform(0, jitter_s, len(stamps) // packet + 1)
    stamps = np.maximum.accumulate(stamps + np.repeat(late, packet)[: len(stamps)])
    _, _, events, error = heard(np.arange(len(stamps)) % 8000.0, stamps, packet=packet)
    assert error is None and not any(isinstance(event, SamplesLost) for event in events)
    said = readings(events)
    assert len(said) == (abs(off) > 0.01)
    assert all(abs(float(text.split(" is ")[1].split()[0]) / true_hz - 1) < 0.002 for text in said)


@pytest.mark.parametrize("come_hz", [250.0, 230.0, 275.0])
def test_stamps_that_were_computed_with_a_wrong_rate_are_contradicted_by_the_arrivals(come_hz: float) -> None:
    count = round(70 * come_hz)
    _, _, _, error = heard(
        np.arange(count) % 8000.0, np.arange(count) / RATE_HZ, arrivals=np.arange(count) / come_hz
    )
    assert (error is not None) == (come_hz != RATE_HZ)
    assert error is None or f"{come_hz:.3g}"[:2] in str(error)


def test_the_user_states_the_rate_of_a_stream_that_states_none_and_of_no_other() -> None:
    stamps = np.cumsum(np.random.default_rng(0).exponential(1 / RATE_HZ, 5000))
    source, _, _, _ = heard(np.arange(5000) % 800.0, stamps, stated_hz=0.0, rate_hz=RATE_HZ)
    assert source._placing is not None and source._placing.reading.rate_hz == RATE_HZ
    with pytest.raises(InputError) as caught:
        heard(beating(4), np.arange(1000) / RATE_HZ, rate_hz=130.0)
    assert caught.value.field is Field.RATE and caught.value.leave_out
    open_source("lsl:anything", rate_hz=250.0, unit_mv=1e-3)
