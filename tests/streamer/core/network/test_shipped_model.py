"""The models that ship in the live path: one function however it is run, and as it was trained."""

from pathlib import Path

import numpy as np
import pytest

from streamer.core.leads import LEADS
from streamer.core.network.network import Network
from streamer.core.pipeline import Pipeline
from streamer.core.signal.clinical_frame import clinical_frame
from streamer.core.stream import Chunk, StreamInfo
from streamer.formats.wfdb_reader import Record
from training.data import network_input

RECORDINGS = Path(__file__).parents[4] / "recordings"
MODELS = sorted((Path(__file__).parents[4] / "streamer" / "models").glob("*.onnx"))


@pytest.fixture(scope="module", params=MODELS, ids=lambda path: path.stem)
def shipped(request: pytest.FixtureRequest) -> Network:
    """Each of them."""
    return Network(request.param.read_bytes())


def recorded(name: str) -> tuple[np.ndarray, float]:
    record = Record(RECORDINGS / name)
    return record.read()[[record.row(lead) for lead in LEADS]], record.rate_hz


def streamed(network: Network, lead_mv: np.ndarray, rate_hz: float, **options: int) -> np.ndarray:
    pipeline = Pipeline(StreamInfo("test", rate_hz), network, **options)
    frames = pipeline.push(Chunk(0, lead_mv)) + pipeline.finish()
    return np.concatenate([f.leads_mv for f in frames], axis=1)


@pytest.mark.parametrize("gaps", [(), ((3000, 3100), (12_000, 13_900), (20_000, 24_000))])
def test_incremental_windowed_and_dense_agree(shipped, gaps):
    """Across gaps shorter and longer than what the network remembers, too."""
    leads, rate_hz = recorded("ptb/s0010_re")
    lead = leads[0].copy()
    for a, b in gaps:
        lead[a:b] = np.nan
    assert shipped.stepper() is not None
    live = streamed(shipped, lead, rate_hz)
    for hop in (shipped.spec.hop, shipped.spec.grid * 1000):
        other = streamed(shipped, lead, rate_hz, hop=hop)
        assert (np.isnan(live) == np.isnan(other)).all()
        assert np.nanmax(np.abs(live - other)) <= 1e-4


def test_a_window_cut_in_training_is_the_window_that_the_live_path_hands_over(shipped, monkeypatch):
    """Bit for bit, before the record's start too."""
    leads, rate_hz = recorded("ptb/s0010_re")
    spec = shipped.spec
    handed: list[np.ndarray] = []
    run = Network.run

    def spy(self: Network, bands: np.ndarray) -> np.ndarray:
        handed.append(bands.copy())
        return run(self, bands)

    monkeypatch.setattr(Network, "run", spy)
    lead = leads[0, :8000]
    pipeline = Pipeline(StreamInfo("test", rate_hz), shipped, hop=spec.hop)
    for i in range(0, len(lead), 73):
        pipeline.push(Chunk(i, lead[i : i + 73]))
    bands = network_input(lead, spec.filters, spec.rate_hz, rate_hz)[:3]
    padded = np.concatenate((np.zeros((3, spec.window), np.float32), bands), axis=1)
    assert len(handed) > 400
    first_end = (spec.look_ahead // spec.hop + 1) * spec.hop  # the first window that puts out a sample
    for i, window in enumerate(handed):
        end = first_end + i * spec.hop
        assert window.tobytes() == padded[:, end : end + spec.window].tobytes()


@pytest.mark.parametrize("name", ["ptb/s0010_re", "ptb-xl/00010_hr", "ptb-xl/00312_hr", "ptb-xl/00195_hr"])
def test_reconstruction_is_close_to_what_was_measured(shipped, name):
    """Not how good it is (`mecg evaluate` says that), but that nothing is shifted or swapped."""
    leads, rate_hz = recorded(name)
    ours = streamed(shipped, leads[0], rate_hz)
    truth = clinical_frame(leads, rate_hz, shipped.spec.filters, shipped.spec.rate_hz)
    part = slice(750, -250)
    one = np.corrcoef(ours[0, part], truth[0, part])[0, 1]
    assert one > 0.99
    errors = [np.abs(ours[0, 750:-250] - np.roll(truth[0], shift)[750:-250]).mean() for shift in range(-5, 6)]
    assert np.argmin(errors) == 5  # no shift fits better
    if name.startswith("ptb-xl"):  # the PTB record is an infarction that Lead I does not show
        assert np.median([np.corrcoef(ours[i, part], truth[i, part])[0, 1] for i in range(12)]) > 0.7


def test_measured_lead_stays_within_its_bound_of_the_input(shipped):
    """I' is the input less a bounded correction, whatever comes in."""
    noise = np.random.default_rng(0).normal(0, 2, 5000).astype(np.float32)
    pipeline = Pipeline(StreamInfo("test", 250.0), shipped)
    frames = pipeline.push(Chunk(0, noise)) + pipeline.finish()
    one = np.concatenate([f.leads_mv[0] for f in frames])
    measured = np.concatenate([f.measured_mv for f in frames])
    late = (measured[2:-1] + measured[3:]) / 2
    assert np.abs(one[: len(late)] - late)[:-10].max() <= 0.5 + 1e-5
