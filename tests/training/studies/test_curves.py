"""Learning curves: read from the runs' logs, on one scale, and drawn again from what was kept."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")

from training import config as configuration
from training.baselines import ridge
from training.baselines.networks import Lags
from training.data import Records
from training.network import MEcgNet
from training.studies import curves
from training.train import log

CONFIG = Path(__file__).parents[3] / "training" / "configs" / "low.toml"


def some_records(*args: object) -> Records:
    walk = np.cumsum(np.random.default_rng(3).normal(0, 20, (3, 8, 1000)), axis=2)
    return Records(np.arange(3), np.arange(3), (walk - walk.mean(axis=2, keepdims=True)).astype(np.int16))


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    """A run of each kind, as its training leaves it."""
    ours, theirs, linear = (tmp_path / name for name in ("ours", "theirs", "linear"))
    for folder in (ours, theirs, linear):
        folder.mkdir()
    facts = configuration.facts(CONFIG, ["modules=[{stride=4,channels=4,dilations=[1],inputs=[0,1,2]}]"])
    (ours / "config.json").write_text(json.dumps(facts))
    torch.manual_seed(1)
    network = MEcgNet(configuration.configured(facts).shape)
    torch.save({"average": network.state_dict()}, ours / "checkpoint.pt")
    for epoch, rmse_mv in enumerate((0.4, 0.3, 0.2), 1):
        log(ours / "log.csv", {"epoch": epoch, "rmse_seven_mv": rmse_mv, "seconds": 30.0})
        passes = {"cpu_s": 90.0 * epoch, "windows": 5, "passes": epoch / 4}
        log(theirs / "log.csv", {"round": epoch, **passes, "rmse_seven_mv": rmse_mv})
        log(linear / "log.csv", {"shrinkage": 10.0**-epoch, "rmse_seven_mv": rmse_mv})
    (theirs / "mcma.onnx").touch()
    (theirs / "verdict.json").write_text(json.dumps({"converged": False}))
    torch.save(Lags(63, ridge.STEP, ridge.LOOK_AHEAD).state_dict(), linear / "checkpoint.pt")
    return [ours, theirs, linear]


def test_curves_of_all_kinds_come_to_one_scale_and_are_drawn_again_without_the_runs(
    runs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(curves, "load", some_records)
    picture, again = tmp_path / "curves.png", tmp_path / "again.png"
    command = ["curves", *map(str, runs), f"--data={tmp_path}", f"--out={picture}"]
    monkeypatch.setattr(sys, "argv", command)
    curves.main()
    points = curves.read(picture.with_suffix(".csv"))
    ours, theirs, (linear,) = (
        [p for p in points if p.model == model] for model in ("mecgnet-low", "mcma", "ridge")
    )
    assert [(p.minutes, p.passes) for p in ours] == [(0.5, 1), (1, 2), (1.5, 3)]
    assert [(p.minutes, p.passes) for p in theirs] == [(1.5, 0.25), (3, 0.5), (4.5, 0.75)]
    assert [p.logged_mv for p in ours] == [p.logged_mv for p in theirs] == [0.4, 0.3, 0.2]
    # A filter without taps puts out nothing: its error is the truth's own size.
    silence = curves.scorer(some_records())(lambda bands: torch.zeros(8, bands.shape[-1]), 0)
    assert linear.rmse_seven_mv == pytest.approx(silence, rel=1e-4)
    factors = [p.rmse_seven_mv / p.logged_mv for p in ours]
    np.testing.assert_allclose(factors, factors[0], rtol=1e-4)
    assert factors[0] != pytest.approx(1, rel=0.01)
    assert [p.rmse_seven_mv for p in theirs] == [0.4, 0.3, 0.2]
    assert {p.converged for p in theirs} == {"no"}

    picture.with_suffix(".csv").rename(again.with_suffix(".csv"))
    monkeypatch.setattr(sys, "argv", ["curves", f"--out={again}"])
    curves.main()
    assert again.read_bytes() == picture.read_bytes()
