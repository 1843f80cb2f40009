"""Of a steady heart no number is shown that is wrong: rather none."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streamer.core.events import AlarmKind, Beat, Event, Seam
from streamer.core.network.network import Network
from streamer.core.stream import Chunk
from streamer.core.vitals.beats import LEARN_S
from streamer.core.vitals.vitals import ACROSS_GAP, FOUND_S, GAP_S, Limits
from tests.streamer.core.vitals.watched import RATE_HZ, UNSHRUNK, alarms, beats, heart, watch

WIDE = Limits(15, 300)


@dataclass(frozen=True)
class Heart:
    """A steady one, as an electrode shows it."""

    bpm: float
    r_mv: float = 0.9
    p: float = 0.13
    t: float = 0.28
    width: float = 1.0
    turned: bool = False
    begins: float = field(default=0.5)

    def lead_mv(self, seconds: float) -> np.ndarray:
        lead = heart(self.bpm, seconds, self.r_mv, self.p, self.t, self.width, self.begins)
        return -lead if self.turned else lead


HEARTS = st.builds(
    Heart,
    bpm=st.one_of(st.floats(30, 60), st.floats(60, 220)),
    r_mv=st.sampled_from([0.1, 0.3, 1.0, 4.0]),
    p=st.floats(0, 0.3),
    t=st.floats(-0.6, 1.0),
    width=st.floats(0.8, 2.0),
    turned=st.booleans(),
    begins=st.floats(0, 1),
)
GAPS = st.lists(
    st.tuples(
        st.floats(0.5, 26.0), st.one_of(st.floats(0.02, 0.5), st.floats(0.5, 2.0), st.floats(2.0, 5.0))
    ),
    max_size=5,
)


def with_gaps(lead: np.ndarray, gaps: Sequence[tuple[float, float]]) -> np.ndarray:
    for at_s, lasts_s in gaps:
        lead[round(at_s * RATE_HZ) : round((at_s + lasts_s) * RATE_HZ)] = np.nan
    return lead


def wrong(told: Sequence[Event], bpm: float) -> list[Beat]:
    """The beats at which a rate, or an interval, is told that this heart does not have."""
    return [
        beat
        for beat in beats(told)
        if abs(beat.bpm - bpm) > max(5.0, 0.05 * bpm) or abs(beat.rr_s * bpm / 60 - 1) > ACROSS_GAP
    ]


@settings(max_examples=40, deadline=None, phases=UNSHRUNK)
@example(heart=Heart(45, p=0.28), gaps=[(8.3, 3.0)])
@example(heart=Heart(30, p=0.25, t=-0.3, begins=0.1), gaps=[])  # the first QRS comes after 1.8 s
@example(heart=Heart(123.1, 1.92, 0, 0.96, begins=0.2), gaps=[])  # the first wave is a T as tall as R
@example(heart=Heart(35.5, 0.57, begins=0.8), gaps=[(1.574, 1.581), (6.237, 1.847), (10.323, 1.408)])
@example(
    heart=Heart(137.59863941232481, 1.0, 0, 0.36084955608832303, 1.3804610941399558, True, 0.0),
    gaps=[(1.09655, 1.9769)],
)
@given(heart=HEARTS, gaps=GAPS)
def test_whatever_is_lost_and_wherever_it_begins_no_rate_is_wrong(
    networks: dict[str, Network], heart: Heart, gaps: list[tuple[float, float]]
) -> None:
    tells_no_wrong_rate(networks["identity"], heart, gaps)


@pytest.mark.long
@settings(max_examples=500, deadline=None, phases=UNSHRUNK)
@given(heart=HEARTS, gaps=GAPS)
def test_so_it_is_of_five_hundred_hearts(
    networks: dict[str, Network], heart: Heart, gaps: list[tuple[float, float]]
) -> None:
    tells_no_wrong_rate(networks["identity"], heart, gaps)


def tells_no_wrong_rate(network: Network, heart: Heart, gaps: list[tuple[float, float]]) -> None:
    told = watch(network, [Chunk(0, with_gaps(heart.lead_mv(30), gaps))], limits=WIDE)
    assert wrong(told, heart.bpm) == []
    assert {alarm.alarm for alarm in alarms(told)} <= {AlarmKind.SIGNAL_LOST}
    if not gaps:
        assert math.isfinite(beats(told)[-1].bpm)


@settings(max_examples=30, deadline=None, phases=UNSHRUNK)
@given(heart=HEARTS, lap_s=st.floats(5.0, 15.0))
def test_a_loop_that_joins_any_two_instants_shows_no_wrong_rate(
    networks: dict[str, Network], heart: Heart, lap_s: float
) -> None:
    lead = heart.lead_mv(lap_s)
    items: list[Chunk | Event] = []
    for lap in range(3):
        items += [Seam(at_s=lap * len(lead) / RATE_HZ)] if lap else []
        items.append(Chunk(lap * len(lead), lead))
    assert wrong(watch(networks["identity"], items, limits=WIDE), heart.bpm) == []


@pytest.mark.parametrize("gap_s", [0.12, 0.3, 0.6])
@pytest.mark.parametrize("every", [2, 3])
@pytest.mark.parametrize("bpm", [35, 50, 75])
def test_losses_that_hide_every_second_or_third_beat_make_no_half_rate(
    networks: dict[str, Network], bpm: float, every: int, gap_s: float
) -> None:
    hidden_s = np.arange(0.5, 30 * bpm / 60, every) * 60 / bpm
    lead = with_gaps(heart(bpm, 30), [(max(at_s - gap_s / 2, 0), gap_s) for at_s in hidden_s])
    told = watch(networks["identity"], [Chunk(0, lead)], limits=WIDE)
    assert wrong(told, bpm) == []
    assert math.isfinite(beats(told)[-1].bpm) == (every == 3), "of every second beat nothing is known"


@pytest.mark.parametrize("after_gap", [False, True])
@pytest.mark.parametrize("bpm", [45, 60, 75, 120, 220])
def test_the_rate_is_known_as_soon_as_it_has_learned(
    networks: dict[str, Network], bpm: float, after_gap: bool
) -> None:
    """What was held back meanwhile is told then: three beats and more."""
    known_s = LEARN_S + FOUND_S
    begins_s = 10 + GAP_S + 0.1 if after_gap else 0.0
    lead = heart(bpm, begins_s + known_s, begins=0.9)
    if after_gap:
        lead = with_gaps(lead, [(10, begins_s - 10)])
    told = watch(networks["identity"], [Chunk(0, lead)])
    assert beats(told)[-1].at_s > begins_s
    assert beats(told)[-1].bpm == pytest.approx(bpm, rel=0.05)


def test_missing_samples_are_no_seconds_without_a_beat(networks: dict[str, Network]) -> None:
    """Of 40 beats a minute two are lost in 1.9 s: 4.5 s pass between beats, of which 2.6 s of signal."""
    lead = with_gaps(heart(40, 20, begins=0.5), [(8.0, 1.9)])
    told = watch(networks["identity"], [Chunk(0, lead)], limits=WIDE)
    assert alarms(told) == []
    assert max(np.diff([beat.at_s for beat in beats(told)])) > 4.4
