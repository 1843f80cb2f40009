"""Laws of the whole path: chunks in, frames out."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.core.errors import SignalError
from streamer.core.leads import LEADS
from streamer.core.network.network import Network
from streamer.core.pipeline import Pipeline
from streamer.core.signal.front_end import KEEP_STATE_S, SETTLE_S
from streamer.core.signal.rate import SOURCE_HZ, RateConverter
from streamer.core.stream import Chunk, Frame, StreamInfo

KINDS = [
    "identity",
    "mixing",
    "whole window",
    "classic",
    "no overlap",
    "measured in, at 100 Hz",
    "with scale",
    "shipped",
]
RATES = [100.0, 128.0, 129.91, 130.0, 200.0, 250.0, 257.3, 360.0, 500.0, 512.0, 1000.0]


def lead(samples: int, seed: int = 0, rate_hz: float = 250.0) -> np.ndarray:
    """Something like a lead: an offset, wander, beats and noise, float32 mV."""
    rng = np.random.default_rng(seed)
    t = np.arange(samples) / rate_hz
    beats = np.exp(-(((t % 0.8) - 0.3) ** 2) / 0.0004)
    return (0.3 + 0.2 * np.sin(2 * np.pi * 0.3 * t) + beats + rng.normal(0, 0.05, samples)).astype(np.float32)


def chunks(x: np.ndarray, cuts: list[int], first: int = 0) -> list[Chunk]:
    edges = [0, *sorted({c % (len(x) + 1) for c in cuts}), len(x)]
    return [Chunk(first + a, x[a:b]) for a, b in pairwise(edges) if b > a]


def play(network: Network, parts: list[Chunk], rate_hz: float = 250.0, hop: int | None = None) -> list[Frame]:
    pipeline = Pipeline(StreamInfo("test", rate_hz), network, hop=hop)
    return [frame for part in parts for frame in pipeline.push(part)] + pipeline.finish()


def joined(frames: list[Frame]) -> dict[str, np.ndarray]:
    """All frames as one, each at its index; fails where one does not begin where the last one ended, unless
    that is in the midst of a long gap.
    """
    first = frames[0].start
    whole = {}
    for name in ("leads_mv", "measured_mv", "scale_mv", "valid", "settling"):
        like = getattr(frames[0], name)
        missing = np.nan if like.dtype.kind == "f" else False
        whole[name] = np.full((*like.shape[:-1], frames[-1].stop - first), missing, like.dtype)
        for frame in frames:
            whole[name][..., frame.start - first : frame.stop - first] = getattr(frame, name)
    for before, after in pairwise(frames):
        if after.start != before.stop:
            assert not before.valid.any() and not after.valid.any()
            assert after.start > before.stop
    return whole


def same_bits(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> bool:
    return all(a[name].tobytes() == b[name].tobytes() for name in a)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=15, deadline=None)
@given(
    cuts=st.lists(st.integers(0, 900), max_size=40),
    rate_hz=st.sampled_from(RATES),
    first=st.integers(0, 5000),
    holes=st.lists(st.tuples(st.integers(0, 899), st.integers(1, 700)), max_size=2),
)
def test_any_chunking_gives_the_same_bits(networks, kind, cuts, rate_hz, first, holes):
    x = lead(900, rate_hz=rate_hz)
    for start, length in holes:
        x[start : start + length] = np.nan
    whole = play(networks[kind], [Chunk(first, x)], rate_hz)
    cut = play(networks[kind], chunks(x, cuts, first), rate_hz)
    assert same_bits(joined(whole), joined(cut))


@pytest.mark.parametrize("kind", KINDS)
def test_single_samples_give_the_same_bits_as_one_chunk(networks, kind):
    x = lead(700)
    assert same_bits(
        joined(play(networks[kind], [Chunk(0, x)])), joined(play(networks[kind], chunks(x, list(range(700)))))
    )


@settings(max_examples=40, deadline=None)
@given(rate_hz=st.sampled_from(RATES), samples=st.integers(1, 1200), first=st.integers(0, 10_000))
def test_as_many_samples_come_out_as_went_in(networks, rate_hz, samples, first):
    frames = play(networks["identity"], [Chunk(first, lead(samples))], rate_hz)
    converter = RateConverter(rate_hz, 250.0)
    begin, end = converter.count(first), converter.count(first + samples)
    assert sum(len(frame.valid) for frame in frames) == end - begin
    assert not frames or (frames[0].start, frames[-1].stop) == (begin, end)
    if rate_hz == 250.0:
        assert end - begin == samples


@pytest.mark.parametrize("kind", ["identity", "classic", "with scale", "measured in, at 100 Hz"])
@pytest.mark.parametrize("rate_hz", [100.0, 130.0, 250.0, 500.0])
def test_identity_path_gives_the_input_band(networks, make, kind, rate_hz):
    network = networks[kind]
    x = lead(int(6 * rate_hz), rate_hz=rate_hz)
    out = joined(play(network, chunks(x, list(range(0, len(x), 17))), rate_hz))
    band = _input_band(network, x, rate_hz)
    assert np.abs(out["measured_mv"] - band).max() <= 1e-6
    for name in ("I", "II", "V1", "V6"):
        assert np.abs(out["leads_mv"][LEADS.index(name)] - band).max() <= 1e-6


def _input_band(network: Network, x: np.ndarray, rate_hz: float) -> np.ndarray:
    """By scipy, over the whole record at once."""
    from scipy import signal

    converter = RateConverter(rate_hz, network.spec.rate_hz)
    runs = converter.push(0, x.astype(np.float64)) + converter.finish()
    y = np.concatenate([run.x for run in runs])
    sos = network.spec.filters.input
    return signal.sosfilt(sos, y, zi=signal.sosfilt_zi(sos) * y[0])[0]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rate_hz", [100.0, 130.0, 250.0, 360.0, 500.0, 1000.0])
def test_samples_come_out_exactly_when_the_latency_says(networks, kind, rate_hz):
    """Fed sample by sample: none waits longer than the stated latency, and some wait all of it."""
    pipeline = Pipeline(StreamInfo("test", rate_hz), networks[kind])
    x = lead(int(3 * rate_hz), rate_hz=rate_hz)
    waits = []
    for i in range(len(x)):
        for frame in pipeline.push(Chunk(i, x[i : i + 1])):
            instants = (frame.start + np.arange(frame.leads_mv.shape[1])) / frame.rate_hz
            waits += list(i / rate_hz - instants)
    latency_s = pipeline.latency.total_ms / 1e3
    assert max(waits) <= latency_s + 1e-9
    # The newest sample used lies one step before the end of the hop, and of the source's own step.
    step_s = 1 / networks[kind].spec.rate_hz + 1 / rate_hz
    assert max(waits) >= latency_s - step_s


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=20, deadline=None)
@given(rate_hz=st.sampled_from(RATES), change_at=st.integers(100, 899), seed=st.integers(0, 99))
def test_output_never_depends_on_input_later_than_the_latency(networks, kind, rate_hz, change_at, seed):
    x = lead(900, rate_hz=rate_hz)
    changed = x.copy()
    changed[change_at:] = lead(900, seed + 1000)[change_at:] * 5
    network = networks[kind]
    a = joined(play(network, [Chunk(0, x)], rate_hz))
    b = joined(play(network, [Chunk(0, changed)], rate_hz))
    latency_s = Pipeline(StreamInfo("test", rate_hz), network).latency.total_ms / 1e3
    free = int(np.ceil((change_at / rate_hz - latency_s) * network.spec.rate_hz - 1e-9))
    before = {name: array[..., : max(free, 0)] for name, array in a.items()}
    assert same_bits(before, {name: array[..., : max(free, 0)] for name, array in b.items()})


@pytest.mark.parametrize("kind", KINDS)
def test_limb_leads_keep_their_laws(networks, kind):
    out = joined(play(networks[kind], [Chunk(0, lead(1500))]))["leads_mv"].astype(np.float64)
    one, two, three, avr, avl, avf = out[:6]
    for law in (three - (two - one), avr + (one + two) / 2, avl - (one - two / 2), avf - (two - one / 2)):
        assert np.abs(law).max() <= 1e-6


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25, deadline=None)
@given(
    rate_hz=st.sampled_from([100.0, 130.0, 250.0, 500.0]),
    at=st.integers(1, 700),
    length=st.integers(1, 4000),
    as_nan=st.booleans(),
)
def test_a_gap_of_any_length_at_any_place_comes_out_as_nan_where_it_was(
    networks, kind, rate_hz, at, length, as_nan
):
    network = networks[kind]
    before, after = lead(at, 1), lead(300, 2)
    if as_nan:
        parts = [Chunk(0, np.concatenate((before, np.full(length, np.nan, np.float32), after)))]
    else:
        parts = [Chunk(0, before), Chunk(at + length, after)]
    pipeline = Pipeline(StreamInfo("test", rate_hz), network)
    frames = [f for p in parts for f in pipeline.push(p)] + pipeline.finish()
    out = joined(frames)
    count = RateConverter(rate_hz, network.spec.rate_hz).count
    valid = np.ones(count(at + length + 300), bool)
    valid[count(at) : count(at + length)] = False
    assert (out["valid"] == valid).all()
    assert (np.isfinite(out["leads_mv"]) == valid).all()
    assert (np.isfinite(out["measured_mv"]) == valid).all()
    assert pipeline.lost == length


def test_a_gap_and_nan_in_its_place_are_the_same_thing(networks):
    x = lead(2000)
    holed = x.copy()
    holed[600:800] = np.nan
    network = networks["mixing"]
    a = joined(play(network, [Chunk(0, holed)], 500.0))
    b = joined(play(network, [Chunk(0, x[:600]), Chunk(800, x[800:])], 500.0))
    assert same_bits(a, b)


@pytest.mark.parametrize("at", [0, 3, 400])
def test_a_gap_shifts_nothing(networks, at):
    """Long after a gap the output is what it would have been without one."""
    x = lead(6000)
    network = networks["mixing"]
    holed = x.copy()
    holed[at : at + 37] = np.nan
    a, b = (
        joined(play(network, [Chunk(0, x)]))["leads_mv"],
        joined(play(network, [Chunk(0, holed)]))["leads_mv"],
    )
    assert np.abs(a[:, -500:] - b[:, -500:]).max() < 1e-4
    assert np.abs(a[:, -500:]).max() > 0.1


@pytest.mark.parametrize(("gap_s", "restarts"), [(KEEP_STATE_S - 0.1, False), (KEEP_STATE_S + 0.1, True)])
def test_filters_restart_after_a_long_gap_only(networks, gap_s, restarts):
    gap = round(gap_s * 250)
    frames = play(networks["identity"], [Chunk(0, lead(1000)), Chunk(1000 + gap, lead(1000, 3))])
    settling = joined(frames)["settling"]
    assert settling[: round(SETTLE_S * 250)].all()
    assert not settling[round(SETTLE_S * 250) : 1000].any()
    after = slice(1000 + gap, 1000 + gap + round(SETTLE_S * 250))
    assert settling[after].all() == restarts
    assert settling[after].any() == restarts


def test_an_hour_without_samples_costs_no_windows(networks):
    """After a long silence the stream goes on at once, on the same grid."""
    x = lead(500)
    hour = 3600 * 250
    frames = play(networks["mixing"], [Chunk(0, x), Chunk(hour, x)])
    assert frames[-1].stop == hour + 500
    assert max(f.leads_mv.shape[1] for f in frames) <= 250
    assert len(frames) < 400


def test_a_stream_that_begins_and_ends_with_missing_samples_keeps_its_length(networks):
    x = lead(2000)
    x[:700] = np.nan
    x[-900:] = np.nan
    out = joined(play(networks["mixing"], [Chunk(0, x)]))
    assert len(out["valid"]) == 2000
    assert (out["valid"] == np.isfinite(x)).all()


def test_a_stream_of_nothing_but_nan_comes_out_as_nan(networks):
    out = joined(play(networks["mixing"], [Chunk(0, np.full(1000, np.nan, np.float32))]))
    assert out["leads_mv"].shape == (12, 1000)
    assert not out["valid"].any()


def test_a_chunk_that_goes_back_is_refused(networks):
    pipeline = Pipeline(StreamInfo("test", 250.0), networks["identity"])
    pipeline.push(Chunk(100, lead(50)))
    with pytest.raises(SignalError) as caught:
        pipeline.push(Chunk(120, lead(50)))
    assert caught.value.argument == "start"


@pytest.mark.parametrize("hop", [1, 4, 50, 250])
def test_another_hop_gives_the_same_leads(networks, hop):
    x = lead(2000)
    a = joined(play(networks["mixing"], [Chunk(0, x)]))["leads_mv"]
    b = joined(play(networks["mixing"], [Chunk(0, x)], hop=hop))["leads_mv"]
    assert np.abs(a - b).max() <= 1e-4


@pytest.mark.parametrize("rate_hz", [100.0, 130.0, 200.0, 360.0, 500.0, 1000.0])
def test_a_tone_that_folds_into_the_band_leaves_40_db_less_than_10_hz(networks, rate_hz):
    def spectrum(tone_hz: float) -> np.ndarray:
        t = np.arange(int(8 * rate_hz)) / rate_hz
        x = np.sin(2 * np.pi * tone_hz * t + 0.3).astype(np.float32)
        out = joined(play(networks["identity"], [Chunk(0, x)], rate_hz))["measured_mv"]
        return np.abs(np.fft.rfft(out[375:1875] * np.hanning(1500)))

    hz = np.fft.rfftfreq(1500, 1 / 250)
    reference = spectrum(10.0).max()
    for tone_hz in np.arange(5, rate_hz / 2, 5.0):
        folded = (hz >= 0.5) & (hz <= 40) & (np.abs(hz - tone_hz) > 1.5)
        assert spectrum(tone_hz)[folded].max() <= reference / 100


def test_stamps_travel_with_the_samples(networks):
    """device_s of a frame is the instant of its first sample, whatever the latency was."""
    pipeline = Pipeline(StreamInfo("test", 500.0), networks["identity"])
    x = lead(3000)
    for i in range(0, 3000, 50):
        for frame in pipeline.push(Chunk(i, x[i : i + 50], device_s=100 + i / 500, arrival_s=200 + i)):
            assert frame.device_s == pytest.approx(100 + frame.start / 250)
            assert frame.arrival_s == 200 + i


@pytest.mark.parametrize("rate_hz", [5.0, 0.0, -1.0, SOURCE_HZ[1] * 2])
def test_a_rate_that_cannot_be_used_is_told_in_one_line(networks, rate_hz):
    with pytest.raises(ValueError, match="Hz cannot be used: choose a source of 95 to 5000 Hz"):
        Pipeline(StreamInfo("test", rate_hz), networks["identity"])
