"""What the shipped model's bands give: each part alone, and all of them together."""

from pathlib import Path

import numpy as np
import pytest

from mecg.app.models import model_bytes
from streamer import load_model, reconstruct
from streamer.core.errors import InputError
from streamer.core.network.network import Network
from streamer.core.network.parts import BANDS
from streamer.core.pipeline import Pipeline
from streamer.core.stream import Chunk, Frame, StreamInfo
from streamer.formats.wfdb_reader import Record

RECORDINGS = Path(__file__).parents[4] / "recordings"


@pytest.fixture(scope="module")
def network() -> Network:
    return load_model("low")


@pytest.fixture(scope="module")
def lead_mv() -> np.ndarray:
    record = Record(RECORDINGS / "ptb" / "s0010_re")
    return np.asarray(record.read(stop=10_000)[record.row("i")], np.float32)


def played(
    network: Network, lead_mv: np.ndarray, asked: tuple[bool, ...], hop: int | None = None
) -> list[Frame]:
    """As many pieces as are asked for, each with parts or without."""
    pipeline, frames, at = Pipeline(StreamInfo("test", 1000), network, hop=hop), [], 0
    for wanted, piece in zip(asked, np.array_split(lead_mv, len(asked)), strict=True):
        pipeline.show_parts(wanted)
        frames += pipeline.push(Chunk(at, piece))
        at += len(piece)
    return frames + pipeline.finish()


@pytest.mark.parametrize("bands", BANDS)
def test_the_bands_of_the_shipped_model_run_alone(bands: str, network: Network) -> None:
    part = load_model("low", bands)
    assert part.spec.runs_like(network.spec)
    assert part.whole.bands == BANDS
    assert Network(model_bytes(None, bands)).spec.to_json() == part.spec.to_json()


def test_a_slower_part_has_fewer_weights(network: Network) -> None:
    weights = [network.part(bands).spec.about["weights"] for bands in BANDS]
    assert weights == sorted(weights) and weights[1] <= 0.17 * weights[2]


def test_bands_that_no_part_hears_are_refused() -> None:
    with pytest.raises(InputError, match="has no part 'high'"):
        load_model("low", "high")


def test_parts_are_what_each_makes_alone_and_add_up(network: Network, lead_mv: np.ndarray) -> None:
    whole = reconstruct(lead_mv, 1000.0, model=network, each_band=True)
    assert [part.bands for part in whole.parts] == ["low", "mid"]
    for part in whole.parts:
        alone = reconstruct(lead_mv, 1000.0, model=network.part(part.bands))
        np.testing.assert_array_equal(part.leads_mv, alone.leads_mv)
        # In the bands that the whole states the 90 % band is the part's own.
        stated = np.array(whole.bands["0.9"])[:, None]
        np.testing.assert_allclose(part.scale_mv * stated, alone.half_width_mv("0.9"), rtol=1e-5)
    assert reconstruct(lead_mv, 1000.0, model=network).parts == ()


@pytest.mark.parametrize("hop", [None, 40])
def test_parts_that_are_asked_for_on_the_way_are_what_they_would_be_from_the_start(
    hop: int | None, network: Network, lead_mv: np.ndarray
) -> None:
    asked = (False, True, True, False, True)
    always = {frame.start: frame for frame in played(network, lead_mv, (True,) * len(asked), hop)}
    some = played(network, lead_mv, asked, hop)
    assert {bool(frame.parts) for frame in some} == {False, True}
    for frame in some:
        np.testing.assert_array_equal(frame.leads_mv, always[frame.start].leads_mv)
        for mine, theirs in zip(frame.parts, always[frame.start].parts, strict=False):
            np.testing.assert_array_equal(mine.leads_mv, theirs.leads_mv)
            np.testing.assert_array_equal(mine.scale_mv, theirs.scale_mv)


def test_a_part_shows_the_parts_below_it(network: Network, lead_mv: np.ndarray) -> None:
    *_, last = played(network.part("mid"), lead_mv, (True,))
    assert [part.bands for part in last.parts] == ["low"]
    *_, last = played(network.part("low"), lead_mv, (True,))
    assert last.parts == ()
