"""The training's commands: bad input ends in one line, and a silent minute is announced."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")

from streamer.core.errors import InputError
from training import average, train
from training import config as configuration
from training.command import ended_in_one_line
from training.data import Records
from training.fitted import scale
from training.train import Run

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.*:DeprecationWarning")

CONFIGS = Path(__file__).parents[2] / "training" / "configs"
LOW = CONFIGS / "low.toml"
TINY = "modules=[{stride=4,channels=4,dilations=[1],inputs=[0,1,2],split=false}]"


def some_records(data: Path, folds: list[int], cache: Path) -> Records:
    walk = np.cumsum(np.random.default_rng(len(folds)).normal(0, 20, (8, 8, 1000)), axis=2)
    return Records(np.arange(8), np.arange(8), (walk - walk.mean(axis=2, keepdims=True)).astype(np.int16))


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a command that must fail; what it says."""

    def run(main: Callable[[], None], *arguments: str) -> str:
        with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as end:
            patch.setattr(sys, "argv", ["training.of", *arguments])
            ended_in_one_line(main)
        assert end.value.code == 2
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.count("\n") == 1
        return said.err

    return run


def trained(folder: Path, *changes: str, weights: bool = True) -> Path:
    folder.mkdir()
    facts = configuration.facts(LOW, [TINY, *changes])
    (folder / "config.json").write_text(json.dumps(facts))
    if weights:
        Run(configuration.configured(facts), torch.device("cpu")).save(folder / "checkpoint.pt")
    return folder


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--config", "nowhere.toml"], "nowhere.toml is not there"),
        (["--config", "BROKEN"], "cannot be read"),
        (["--config", str(LOW), "--set", "epoch=3"], "epoch is not in"),
        (["--config", str(LOW), "--set", "model.depth=3"], "model.depth is not in"),
        (["--config", str(LOW), "--set", "seed.depth=3"], "seed.depth is not in"),
        (["--config", str(LOW), "--set", "epochs"], "epochs is not in"),
        (["--config", str(LOW), "--set", "start=mean"], "put text in double quotes"),
        (["--config", str(LOW), "--set", "modules=[{stride=4}]"], "missing 3 required"),
        (["--config", str(LOW), "--set", 'about.data=""'], "lacks about.data"),
        (["--config", str(LOW), "--device", "abacus"], "no device 'abacus'"),
        (["--config", str(LOW), "--set", 'start="nobody"'], "holds no checkpoint"),
        (["--config", str(LOW), "--set", 'teachers=["nobody"]'], "config.json is not there"),
        (["--config", str(LOW), "--set", 'teachers=["nobody.onnx"]'], "nobody.onnx"),
        (["--config", str(LOW)], "holds no ptbxl_database.csv"),
        (["--config", str(LOW), "--set", "model.hop=3"], "make it a multiple of 4, the stride"),
    ],
)
def test_what_is_wrong_with_a_trainings_input_is_told_in_one_line(
    arguments: list[str], words: str, told: Callable[..., str], tmp_path: Path
) -> None:
    broken = tmp_path / "broken.toml"
    broken.write_text("epochs = = 3")
    arguments = [str(broken) if a == "BROKEN" else a for a in arguments]
    where = ["--data", str(tmp_path), "--out", str(tmp_path / "runs" / "mine"), "--cache", str(tmp_path)]
    assert words in told(train.main, "--device", "cpu", *arguments, *where)


def test_a_configuration_of_another_kind_is_refused_in_words(tmp_path: Path) -> None:
    read = configuration.facts(LOW)
    for change, words in (
        ({"modules": 3}, "cannot be used"),
        ({"model": {}}, "lacks look_ahead"),
        ({"nonsense": 1}, "nonsense"),
        ({"about": None}, "cannot be used"),
    ):
        with pytest.raises(InputError, match=words):
            configuration.configured(read | change)


def test_a_broken_checkpoint_and_one_of_another_network_are_told_apart(
    told: Callable[..., str], tmp_path: Path
) -> None:
    wider = TINY.replace("channels=4", "channels=6")
    one, other = trained(tmp_path / "one"), trained(tmp_path / "other", wider)
    where = ["--data", str(tmp_path), "--out", str(tmp_path / "mean")]
    assert "have no mean" in told(average.main, str(one), str(other), *where)
    (one / "config.json").write_text((other / "config.json").read_text())
    assert "another network" in told(average.main, str(one), *where)
    for content in (b"", b"no checkpoint", (one / "checkpoint.pt").read_bytes()[:1000]):
        (one / "checkpoint.pt").write_bytes(content)
        assert "is no checkpoint" in told(average.main, str(one), *where)
    torch.save({"weights": 1}, one / "checkpoint.pt")
    assert "no averaged weights" in told(scale.main, str(one), "--data", str(tmp_path))
    assert "holds no checkpoint" in told(
        scale.main, str(trained(tmp_path / "begun", weights=False)), "--data", str(tmp_path)
    )
    without = trained(tmp_path / "without", "model.scale=false")
    assert "learns no scale" in told(scale.main, str(without), "--data", str(tmp_path))


def test_a_folder_where_a_file_is_asked_for_is_told_in_one_line(
    told: Callable[..., str], tmp_path: Path
) -> None:
    where = ["--data", str(tmp_path), "--out", str(tmp_path / "mine")]
    assert "cannot be used" in told(train.main, "--config", str(tmp_path), *where)


def test_every_kind_of_batch_is_announced_before_it_is_compiled(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = configuration.facts(CONFIGS / "ladder.toml", ["batch=4", "nested_share=0.6"])
    monkeypatch.setattr(torch, "compile", lambda function: function)
    run = Run(configuration.configured(facts), torch.device("cpu"))
    records = some_records(Path(), [1], Path())
    filters = train.design(250.0)
    truth = train.targets(records, filters, 250.0)
    batches = train.batches_of(run.config, records, truth, filters)
    said = []

    def learnt(bands: torch.Tensor, *rest: object) -> torch.Tensor:
        said.append(capsys.readouterr().err.count("is compiled"))
        return sum((p.sum() for p in run.network.parameters()), torch.zeros(()))

    run._compiled_loss = learnt
    monkeypatch.setattr(run, "kept_modules", lambda n: [3, 1])
    run.train_epoch(batches)
    run.train_epoch(batches)
    assert said == [1, 0, 1, 0, 0, 0]  # the second batch is learnt by all and by one
