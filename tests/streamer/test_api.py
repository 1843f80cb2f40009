# SPDX-License-Identifier: GPL-3.0-or-later
"""The public interface: what `import streamer` promises to whoever feeds it arrays."""

import ast
import doctest
import importlib
import inspect
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import streamer
from streamer import (
    LEADS,
    Calibration,
    Chunk,
    Frame,
    InputError,
    Network,
    Pipeline,
    SignalError,
    StreamInfo,
    load_model,
    open_recording,
    read_calibration,
    reconstruct,
)
from streamer.core.calibration.correction import Origin
from tests.streamer.made_session import description, items, record

ROOT = Path(__file__).parents[2]
RATE_HZ = 500.0


@pytest.fixture(scope="module")
def low() -> Network:
    return load_model("low")


def heart(seconds: float, rate_hz: float = RATE_HZ) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Something like Lead I: a beat a second, wander, a little noise; mV."""
    t_s = np.arange(round(seconds * rate_hz)) / rate_hz
    beat = np.exp(-(((t_s % 1 - 0.4) / 0.012) ** 2)) + 0.25 * np.exp(-(((t_s % 1 - 0.65) / 0.05) ** 2))
    noise = np.random.default_rng(1).normal(0, 0.01, len(t_s))
    wander: np.ndarray[Any, np.dtype[np.float64]] = beat + 0.2 * np.sin(2 * np.pi * 0.2 * t_s) + noise
    return wander


def frames_of(pipeline: Pipeline, lead_mv: np.ndarray[Any, Any], cuts: list[int]) -> list[Frame]:
    edges = [0, *sorted(set(cuts)), len(lead_mv)]
    frames = []
    for start, stop in pairwise(edges):
        frames += pipeline.push(Chunk(start, lead_mv[start:stop]))
    return frames + pipeline.finish()


def joined(frames: list[Frame], what: str) -> np.ndarray[Any, Any]:
    return np.concatenate([getattr(frame, what) for frame in frames], axis=-1)


# ---- what it gives


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(1, 1999), max_size=40), rate_hz=st.sampled_from([130.0, 250.0, 500.0]))
def test_any_chunking_gives_the_same_bits(low: Network, cuts: list[int], rate_hz: float) -> None:
    lead_mv = heart(2000 / rate_hz, rate_hz).astype(np.float32)
    lead_mv[700:760] = np.nan
    info = StreamInfo("test", rate_hz)
    whole = frames_of(Pipeline(info, low), lead_mv, [])
    cut = frames_of(Pipeline(info, low), lead_mv, cuts)
    for what in ("leads_mv", "measured_mv", "scale_mv", "valid", "settling"):
        assert joined(whole, what).tobytes() == joined(cut, what).tobytes()


@pytest.mark.parametrize("model", ["low", "balanced", "full"])
@pytest.mark.parametrize("rate_hz", [130.0, 360.0, 500.0])
def test_reconstruct_equals_the_live_pipeline(model: str, rate_hz: float) -> None:
    network, lead_mv = load_model(model), heart(8, rate_hz)
    lead_mv[300:400] = np.nan
    whole = reconstruct(lead_mv, rate_hz, model=network)
    live = frames_of(Pipeline(StreamInfo("test", rate_hz), network), lead_mv.astype(np.float32), [77, 1000])
    assert (whole.rate_hz, whole.names) == (network.spec.rate_hz, LEADS)
    np.testing.assert_array_equal(whole.valid, joined(live, "valid"))
    for what in ("leads_mv", "measured_mv", "scale_mv"):
        np.testing.assert_allclose(getattr(whole, what), joined(live, what), rtol=0, atol=1e-4)


def test_a_reconstruction_has_every_lead_by_name_and_its_band(low: Network) -> None:
    whole = reconstruct(heart(5), RATE_HZ, model=low)
    assert whole.leads_mv.shape == whole.scale_mv.shape == (12, 1250)
    assert whole.measured_mv.shape == whole.valid.shape == whole.settling.shape == (1250,)
    for row, name in enumerate(LEADS):
        np.testing.assert_array_equal(whole.lead(name.upper()), whole.leads_mv[row])
    widths = [whole.half_width_mv(level) for level in sorted(whole.bands)]
    assert all((wider > narrower).all() for narrower, wider in pairwise(widths))
    for wrong in (lambda: whole.lead("V9"), lambda: whole.half_width_mv("0.99")):
        with pytest.raises(InputError):
            wrong()


def test_the_limb_leads_follow_from_two_of_them(low: Network) -> None:
    one, two, three, avr, avl, avf = reconstruct(heart(5), RATE_HZ, model=low).leads_mv[:6]
    for left, right in (
        (three, two - one),
        (avr, -(one + two) / 2),
        (avl, one - two / 2),
        (avf, two - one / 2),
    ):
        np.testing.assert_allclose(left, right, rtol=0, atol=1e-6)


def test_any_floats_will_do_and_a_mask_is_missing(low: Network) -> None:
    lead_mv = heart(3).astype(np.float32)
    expected = reconstruct(lead_mv, RATE_HZ, model=low).leads_mv.tobytes()
    for same in (lead_mv.astype(np.float64), lead_mv.tolist(), tuple(lead_mv.tolist()), lead_mv[::-1][::-1]):
        assert reconstruct(same, RATE_HZ, model=low).leads_mv.tobytes() == expected
    masked = np.ma.masked_array(lead_mv, np.arange(len(lead_mv)) // 100 == 7)
    assert reconstruct(masked, RATE_HZ, model=low).valid.sum() == 700


def test_an_electrode_may_rest_at_300_mv(low: Network) -> None:
    assert np.abs(reconstruct(heart(10) + 300.0, RATE_HZ, model=low).leads_mv).max() < 20


# ---- what it refuses

WRONG = {
    "two leads": np.zeros((2, 500)),
    "a column": np.zeros((500, 1)),
    "a number": np.float64(0.5),
    "no sample": np.zeros(0),
    "integers": np.arange(500, dtype=np.int16),
    "a list of integers": [0, 1, 2],
    "truth values": np.zeros(500, bool),
    "objects": np.array([None] * 500),
    "complex": np.zeros(500, complex),
    "text": ["0.1", "0.2"],
    "uneven lists": [[0.1], [0.2, 0.3]],
    "microvolts": heart(10) * 1000,
    "faint microvolts": heart(10) * 100,
    "a moment of microvolts": (heart(10) * 1000)[:300],
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_an_array_that_is_no_lead_in_mv_is_refused(low: Network, wrong: Any) -> None:
    with pytest.raises(SignalError) as caught:
        reconstruct(wrong, RATE_HZ, model=low)
    assert caught.value.argument == "lead_i_mv"
    assert "\n" not in str(caught.value)


def test_what_is_refused_as_microvolts_is_called_so(low: Network) -> None:
    with pytest.raises(SignalError, match="microvolts"):
        reconstruct(heart(10) * 1000, RATE_HZ, model=low)


@pytest.mark.parametrize("rate_hz", [np.nan, np.inf, "500", None])
def test_a_rate_that_is_no_number_is_refused(low: Network, rate_hz: Any) -> None:
    with pytest.raises(SignalError) as caught:
        reconstruct(heart(2), rate_hz, model=low)
    assert caught.value.argument == "rate_hz"


@pytest.mark.parametrize("rate_hz", [-500.0, 0.0, 50.0, 1e6])
def test_a_rate_that_the_path_cannot_take_is_refused(low: Network, rate_hz: float) -> None:
    with pytest.raises(InputError):
        reconstruct(heart(2), rate_hz, model=low)


@pytest.mark.parametrize(
    "wrong", [[0.1, 0.2], np.zeros((1, 9), np.float32), np.zeros(9, np.int16), np.array(["a"]), None, 0.5]
)
def test_a_chunk_that_is_no_array_of_floats_is_refused(low: Network, wrong: Any) -> None:
    with pytest.raises(SignalError) as caught:
        Pipeline(StreamInfo("test", RATE_HZ), low).push(Chunk(0, wrong))
    assert caught.value.argument == "lead_mv"


def test_after_the_end_nothing_is_taken_and_nothing_comes(low: Network) -> None:
    pipeline = Pipeline(StreamInfo("test", RATE_HZ), low)
    pipeline.push(Chunk(0, np.zeros(500, np.float32)))
    assert pipeline.finish()
    assert pipeline.finish() == []
    with pytest.raises(SignalError) as caught:
        pipeline.push(Chunk(500, np.zeros(500, np.float32)))
    assert caught.value.argument == "chunk"


@pytest.mark.parametrize("name", ["lowest", "no/such/model.onnx", __file__])
def test_a_model_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(InputError):
        load_model(name)


# ---- recordings and calibrations


def test_a_wfdb_record_opens_by_any_of_its_names(low: Network) -> None:
    stem = ROOT / "recordings" / "ptb-xl" / "00010_hr"
    for path in (stem, str(stem), stem.with_suffix(".hea"), stem.with_suffix(".dat")):
        recording = open_recording(path)
        row = recording.row("Lead I")
        assert row is not None
        lead_mv = recording.read()[row]
        assert (recording.rate_hz, lead_mv.shape) == (500.0, (recording.samples,))
    assert np.isfinite(reconstruct(lead_mv, recording.rate_hz, model=low).leads_mv).all()


def test_a_session_opens_as_the_lead_that_was_measured(tmp_path: Path) -> None:
    path, made = record(tmp_path, items(3.0, loss=0.1), description())
    recording = open_recording(path)
    assert recording.row("i") == 0 and recording.row("V1") is None
    whole = recording.read()
    assert whole.shape == (1, recording.samples)
    assert np.isfinite(whole).sum() == sum(np.isfinite(chunk.lead_mv).sum() for chunk in made.chunks)
    np.testing.assert_array_equal(recording.read(100, 200), whole[:, 100:200])
    assert recording.read(-5, 10**9).shape == whole.shape and recording.read(9, 3).shape == (1, 0)


@pytest.mark.parametrize("path", ["no/such/record", "", "a\0b", __file__, str(ROOT)])
def test_what_is_no_recording_is_refused(path: str) -> None:
    with pytest.raises(InputError):
        open_recording(path)


def test_what_is_no_calibration_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.npz", Path(__file__)):
        with pytest.raises(InputError):
            read_calibration(str(path))


# ---- the module itself


def test_the_names_are_the_same_for_python_and_for_a_type_checker() -> None:
    tree = ast.parse(Path(streamer.__file__).read_text("utf-8"))
    (checked,) = [node for node in tree.body if isinstance(node, ast.If) and isinstance(node.test, ast.Name)]
    imports = [node for node in checked.body if isinstance(node, ast.ImportFrom)]
    typed = {(alias.name, node.module) for node in imports for alias in node.names}
    assert typed == set(streamer._WHERE.items())
    assert sorted(streamer.__all__) == sorted(streamer._WHERE)
    assert set(streamer.__all__) <= set(dir(streamer))
    with pytest.raises(AttributeError):
        streamer.Pipelin  # type: ignore[attr-defined]  # noqa: B018


def test_everything_public_is_documented_and_functions_show_an_example() -> None:
    for name in streamer.__all__:
        value = getattr(streamer, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert inspect.getdoc(value), name
        if inspect.isfunction(value):
            assert all(part in str(value.__doc__) for part in ("Returns\n", "Raises\n", "Examples\n")), name


def test_an_import_is_light_and_leaves_the_environment_alone() -> None:
    probe = (
        "import os, sys; before = dict(os.environ); import streamer;"
        "print(sorted({'numpy', 'numba', 'onnxruntime', 'pathlib'} & sys.modules.keys()));"
        "from streamer import *; print(os.environ == before)"
    )
    run = [sys.executable, "-S", "-c", f"import sys; sys.path += {sys.path!r}; {probe}"]
    bare = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA")}
    done = subprocess.run(run, env=bare, capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split("\n")[:2] == ["[]", "True"]


@pytest.mark.parametrize(
    "module",
    [
        "streamer.core.pipeline",
        "streamer.core.stream",
        "streamer.lead_recording",
        "streamer.model_files",
        "streamer.reconstruction",
    ],
)
def test_the_examples_of_the_docstrings_run(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    result = doctest.testmod(importlib.import_module(module))
    assert result.attempted > 0 and result.failed == 0


def test_a_calibration_is_for_one_model(low: Network) -> None:
    none = np.zeros((7, 1, 4), np.float32)
    origin = Origin("another model", "1", "anna", "2026-11-23")
    person = Calibration(origin, none, none[0], 1.0, 1.0, none[:, 0, 0] + 1, {}, none[:, 0, 0])
    with pytest.raises(InputError):
        reconstruct(heart(2), RATE_HZ, model=low, calibration=person)
