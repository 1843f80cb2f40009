"""What was learnt on a GPU can be used without one."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")

from training import average
from training import config as configuration
from training.baselines import run as predecessor
from training.baselines.networks import UNet
from training.baselines.recipe import Recipe, Regression
from training.data import Records
from training.fitted import scale
from training.studies import diagnose
from training.train import Run

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*torch.*:DeprecationWarning"),
    pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU takes its own checkpoints"),
]

CONFIG = Path(__file__).parents[2] / "training" / "configs" / "low.toml"
CPU = torch.device("cpu")
MODULE = "modules=[{stride=4,channels=4,dilations=[1],inputs=[0,1,2],split=false}]"
RECIPE = Recipe("", 250, 256, 4, 1e-3, lambda: UNet(widths=(4, 6), kernel=5), lambda r: Regression(r, abs))


def some_records(*args: object) -> Records:
    walk = np.cumsum(np.random.default_rng(3).normal(0, 20, (2, 8, 1000)), axis=2)
    return Records(np.arange(2), np.arange(2), walk.astype(np.int16))


def of_a_gpu(path: Path) -> None:
    """Turn a checkpoint into what a GPU would have written: the same, but for where each tensor lay."""
    state = torch.load(path, weights_only=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.serialization, "location_tag", lambda storage: "cuda:0")
        torch.save(state, path)
    with pytest.raises(RuntimeError, match="CUDA"):
        torch.load(path, weights_only=True)


def a_run() -> Run:
    return Run(configuration.configured(configuration.facts(CONFIG, [MODULE])), CPU)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (tmp_path / "config.json").write_text(json.dumps(configuration.facts(CONFIG, [MODULE])))
    a_run().save(tmp_path / "checkpoint.pt")
    of_a_gpu(tmp_path / "checkpoint.pt")
    return tmp_path


@pytest.mark.parametrize(
    "used",
    [
        lambda run: a_run().resume(run / "checkpoint.pt"),
        lambda run: a_run().start_from(run),
        lambda run: a_run().learn_from([run]),
        lambda run: average.mean_of([run, run]),
        lambda run: scale.fit(run, run, run),
    ],
    ids=["goes on", "begins another", "teaches", "is averaged", "gets its bands"],
)
def test_a_run_of_a_gpu_serves_without_one(
    used: Callable[[Path], object], run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scale, "load", some_records)
    used(run)


def test_a_predecessor_of_a_gpu_serves_without_one(tmp_path: Path) -> None:
    learner = RECIPE.learner(RECIPE)
    path = tmp_path / "checkpoint.pt"
    predecessor.save(path, learner, predecessor.Progress(windows=8))
    of_a_gpu(path)
    taken_up = predecessor.train(RECIPE, some_records(), some_records(), tmp_path, 0.0)
    for one, other in zip(learner.network.parameters(), taken_up.network.parameters(), strict=True):
        assert torch.equal(one, other)


def test_classifiers_of_a_gpu_serve_without_one(tmp_path: Path) -> None:
    path = tmp_path / "diagnose.pt"
    classifiers = {"twelve": diagnose.Classifier(12), "one": diagnose.Classifier(len(diagnose.ONE))}
    torch.save({name: classifier.state_dict() for name, classifier in classifiers.items()}, path)
    of_a_gpu(path)
    assert set(diagnose.kept_or_learned(path, tmp_path, tmp_path, 1)) == set(classifiers)
