"""How a network learns."""

import csv
import json
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")

from training import config as configuration
from training import train
from training.average import mean_of
from training.data import Records
from training.network import ModuleShape, NetworkShape, mixing
from training.train import WARM_UP, Mixing, Run, half_precision, share_of_peak

# torch.compile loads parts of torch that torch itself calls old.
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.*:DeprecationWarning")

CONFIG = Path(__file__).parents[2] / "training" / "configs" / "low.toml"


def a_run(split: bool, scale: bool = False, **changes: float | tuple[int, ...]) -> Run:
    shape = NetworkShape((ModuleShape(4, 6, (1, 2), (0, 1, 2), split),), look_ahead=8, scale=scale)
    config = configuration.configured(configuration.facts(CONFIG))
    return Run(replace(config, shape=shape, **changes), torch.device("cpu"))


def a_ladder(**changes: float) -> Run:
    config = configuration.configured(configuration.facts(CONFIG.with_name("ladder.toml")))
    modules = tuple(replace(m, channels=6 + i, dilations=(1, 2)) for i, m in enumerate(config.shape.modules))
    shape = replace(config.shape, modules=modules)
    return Run(replace(config, shape=shape, **changes), torch.device("cpu"))


def a_step(run: Run, kept: int | None = None) -> None:
    torch.manual_seed(2)
    run.network.zero_grad()
    run.network.train()(torch.randn(4, 3, 160), kept).square().mean().backward()
    for optimiser in run.optimisers:
        optimiser.step()


@pytest.mark.parametrize("split", [False, True], ids=["one trunk", "bands apart"])
def test_every_weight_is_moved_by_one_of_the_optimisers(split: bool) -> None:
    run = a_run(split)
    before = {name: p.detach().clone() for name, p in run.network.named_parameters()}
    a_step(run)
    unmoved = {name for name, p in run.network.named_parameters() if torch.equal(p, before[name])}
    assert not unmoved


def moved_by_a_step(run: Run, kept: int) -> set[str]:
    before = {name: p.detach().clone() for name, p in run.network.named_parameters()}
    a_step(run, kept)
    return {name for name, p in run.network.named_parameters() if not torch.equal(p, before[name])}


def test_what_takes_no_gradient_rests_and_its_matrices_too() -> None:
    run = a_ladder()
    for kept in (3, 1, 2, 3):  # also when they have momentum
        moved = moved_by_a_step(run, kept)
        learning = {f"bands.{i}" for i in range(kept)}
        assert moved == {
            name
            for name, _ in run.network.named_parameters()
            if name[:7] in learning or name == "usual_scale"
        }


def test_in_a_ladder_each_modules_rows_are_a_matrix_of_their_own() -> None:
    run = a_ladder(peak_rate=0.0, weight_decay=0.0, matrix_rate=0.5)
    layers = [module.blocks[0].value for module in run.network.bands]
    before = [mixing(layer).detach().clone() for layer in layers]
    a_step(run)
    for layer, was in zip(layers, before, strict=True):
        moved = torch.linalg.svdvals(mixing(layer).detach() - was)
        assert 0.5 * 0.3 < moved.min() <= moved.max() < 0.5 * 1.5


def test_so_many_batches_are_learnt_by_slow_modules_alone_as_configured_and_the_same_ones_again() -> None:
    run = a_ladder(nested_share=0.2)
    kept = np.array(run.kept_modules(5000))
    for modules, share in ((1, 0.1), (2, 0.1), (3, 0.8)):
        assert (kept == modules).mean() == pytest.approx(share, abs=0.02)
    assert run.kept_modules(5000) == kept.tolist()
    run.epoch += 1
    assert run.kept_modules(5000) != kept.tolist()
    assert set(a_ladder(nested_share=0.0).kept_modules(100)) == {3}


def test_a_mixing_matrix_moves_alike_in_all_directions_and_by_its_own_rate() -> None:
    run = a_run(split=False, peak_rate=0.0, weight_decay=0.0, matrix_rate=0.5)
    layer = run.network.bands[0].blocks[0].out
    before = mixing(layer).detach().clone()
    a_step(run)
    moved = torch.linalg.svdvals(mixing(layer).detach() - before)
    assert 0.5 * 0.3 < moved.min() <= moved.max() < 0.5 * 1.5


def test_a_run_that_is_taken_up_goes_on_as_if_it_had_not_stopped(tmp_path: Path) -> None:
    whole, stopped, taken_up = (a_run(split=True) for _ in range(3))
    for run in (whole, stopped):
        a_step(run)
    stopped.save(tmp_path / "checkpoint.pt")
    taken_up.resume(tmp_path / "checkpoint.pt")
    for run in (whole, taken_up):
        a_step(run)
    for one, other in zip(whole.network.parameters(), taken_up.network.parameters(), strict=True):
        torch.testing.assert_close(one, other)


def some_records(data: Path, folds: list[int], cache: Path) -> Records:
    walk = np.cumsum(np.random.default_rng(len(folds)).normal(0, 20, (16, 8, 1000)), axis=2)
    ids = np.arange(16)
    return Records(ids, ids, (walk - walk.mean(axis=2, keepdims=True)).astype(np.int16))


def trained(out: Path) -> tuple[dict[str, Any], list[dict[str, str]]]:
    """The checkpoint and the log, less how long each epoch took, of two epochs of four batches."""
    tiny = "modules=[{stride=4,channels=4,dilations=[1],inputs=[0,1,2],split=false}]"
    settings = [f"--set={change}" for change in (tiny, "epochs=2", "batch=4", "noise_share=0.5")]
    folders = [f"--config={CONFIG}", "--data=none", f"--out={out}", "--device=cpu"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "compile", lambda function: function)
        patch.setattr(train, "load", some_records)
        patch.setattr(sys, "argv", ["train", *folders, *settings])
        train.main()
    with (out / "log.csv").open(newline="") as handle:
        lines = [{k: v for k, v in line.items() if k != "seconds"} for line in csv.DictReader(handle)]
    return torch.load(out / "checkpoint.pt", weights_only=True), lines


@pytest.mark.parametrize("at", [2, 6, 8], ids=["in the first epoch", "in the second", "at the very end"])
def test_a_run_that_ctrl_c_stopped_anywhere_ends_as_if_it_had_not_stopped(at: int, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    whole, lines = trained(tmp_path / "whole")
    steps, step = 0, Mixing.step

    def interrupted(self: Mixing, closure: Any = None) -> Any:
        """Ctrl-C between the two optimisers' steps of one batch."""
        nonlocal steps
        steps += 1
        if steps == at:
            signal.raise_signal(signal.SIGINT)
        return step(self, closure)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Mixing, "step", interrupted)
        if at < 8:
            with pytest.raises(SystemExit) as end:
                trained(tmp_path / "stopped")
            assert end.value.code == 130
            assert steps == at
        taken_up, again = trained(tmp_path / "stopped")
    assert steps == 8  # no batch was learnt twice
    assert again == lines
    for part in ("network", "average"):
        for name, weight in whole[part].items():
            assert torch.equal(weight, taken_up[part][name]), name


def test_a_second_ctrl_c_ends_at_once_and_the_first_checkpoint_stays(tmp_path: Path) -> None:
    torch.set_num_threads(1)

    def interrupted(self: Mixing, closure: Any = None) -> None:
        for _ in range(2):
            signal.raise_signal(signal.SIGINT)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Mixing, "step", interrupted)
        trained(tmp_path)
    assert not (tmp_path / "checkpoint.pt").exists()


def test_the_mean_of_two_runs_lies_half_way_and_counts_their_epochs(tmp_path: Path) -> None:
    runs = [a_run(split=False) for _ in range(2)]
    a_step(runs[1])
    for i, run in enumerate(runs):
        run.average.load_state_dict(run.network.state_dict())
        run.epoch = i + 3
        (tmp_path / str(i)).mkdir()
        run.save(tmp_path / str(i) / "checkpoint.pt")
    found = mean_of([tmp_path / "0", tmp_path / "1"])
    assert found["epoch"] == 7
    for name, mean in found["average"].items():
        one, other = (run.network.state_dict()[name] for run in runs)
        assert not torch.equal(one, other)
        torch.testing.assert_close(mean, (one + other) / 2)


def test_a_run_knows_all_folds_that_its_weights_have_learnt_from(tmp_path: Path) -> None:
    """Those of the run that it began with, of itself before a stop, and of all that it is the mean of."""
    for name, folds in (("first", (3,)), ("other", (2, 5))):
        (tmp_path / name).mkdir()
        a_run(split=False, folds=folds).save(tmp_path / name / "checkpoint.pt")
    run = a_run(split=False, folds=(1,))
    run.start_from(tmp_path / "first")
    assert run.folds == {1, 3}
    run.save(tmp_path / "checkpoint.pt")
    taken_up = a_run(split=False, folds=(7,))
    taken_up.resume(tmp_path / "checkpoint.pt")
    assert taken_up.folds == {1, 3, 7}
    assert mean_of([tmp_path / "first", tmp_path / "other"])["folds"] == [2, 3, 5]


def test_a_learning_rate_rises_to_its_peak_and_falls_to_nothing_and_stays_there() -> None:
    shares = [share_of_peak(i / 100) for i in range(101)]
    assert shares[0] == 0
    assert max(shares) == shares[round(100 * WARM_UP)] == 1
    assert np.diff(shares[: round(100 * WARM_UP)]).min() > 0 > np.diff(shares[round(100 * WARM_UP) :]).max()
    assert share_of_peak(1.0) == share_of_peak(1.2) == 0


def a_batch() -> tuple["torch.Tensor", "torch.Tensor"]:
    torch.manual_seed(3)
    n = 512
    return torch.randn(2, 3, n + 16), torch.randn(2, 8, n)


def a_teacher(run: Run, folder: Path, look_ahead: int) -> Path:
    """Another network, as its run leaves it."""
    facts = configuration.facts(CONFIG, [f"model.look_ahead={look_ahead}"])
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(facts))
    Run(configuration.configured(facts), run.device).save(folder / "checkpoint.pt")
    return folder


def test_with_teachers_what_is_learnt_lies_between_the_truth_and_their_mean(tmp_path: Path) -> None:
    run = a_run(split=False, teachers_share=0.25)
    bands, truth = a_batch()
    assert run._taught(bands, truth) is truth
    run.learn_from([a_teacher(run, tmp_path / str(ahead), ahead) for ahead in (4, 12)])
    assert {teacher.shape.look_ahead for teacher in run.teachers} == {4, 12}
    said = torch.stack([teacher.eval()(bands)[:, :8, : truth.shape[-1]] for teacher in run.teachers])
    expected = 0.75 * truth + 0.25 * said.mean(0)
    for teacher in run.teachers:
        teacher.train()
    torch.testing.assert_close(run._taught(bands, truth), expected, atol=0.02, rtol=0.02)  # bfloat16 products


@pytest.mark.parametrize("units", [False, True])
def test_a_cpu_learns_in_half_precision_only_if_it_has_matrix_units(
    units: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without them bfloat16 takes longer than float32, and rounds for nothing."""
    monkeypatch.setattr(train, "_MATRIX_UNITS", units)
    product = torch.nn.Linear(3, 2)
    with half_precision(torch.device("cpu")):
        assert product(torch.ones(1, 3)).dtype == (torch.bfloat16 if units else torch.float32)


def test_what_was_said_of_a_record_is_learnt_as_far_as_configured() -> None:
    run = a_run(split=False, teachers_share=0.25)
    bands, truth = a_batch()
    torch.testing.assert_close(run._taught(bands, truth, truth + 1), truth + 0.25)


@pytest.mark.parametrize("kept", [1, 2, 3])
def test_a_nested_batch_is_learnt_by_the_whole_and_by_the_part_alone_as_well(
    kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the part alone learnt it, the fast modules fell behind."""
    bands, truth = a_batch()

    class OneBatch:
        def __len__(self) -> int:
            return 1

        def taught(self, rng: np.random.Generator, first: int) -> Any:
            yield bands.numpy(), truth.numpy(), truth.numpy()

    class Idle:
        param_groups = ({},)

        def step(self) -> None: ...

    run, other = a_ladder(), a_ladder()
    monkeypatch.setattr(Run, "kept_modules", lambda self, batches: [kept])
    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", lambda *a: None)
    run._compiled_loss, run._compiled_taught, run.optimisers = run._loss, run._taught, (Idle(), Idle())
    loss_mv = run.train_epoch(OneBatch())
    for modules in {kept, 3}:
        other._loss(bands, truth, truth, modules).backward()
    for one, same in zip(run.network.parameters(), other.network.parameters(), strict=True):
        torch.testing.assert_close(one.grad, same.grad, rtol=1e-3, atol=1e-5)
    assert loss_mv == pytest.approx(other._loss(bands, truth, truth, 3).item(), rel=1e-4)


def test_a_scale_is_learnt_from_the_truth_whatever_teachers_say() -> None:
    run = a_run(split=False, scale=True)
    bands, truth = a_batch()
    scale = run.network.usual_scale
    loss, other = (run._loss(bands, truth, taught) for taught in (truth, truth + 1))
    assert loss < other
    (gradient,), (same,) = (torch.autograd.grad(x, [scale]) for x in (loss, other))
    assert gradient.abs().min() > 0
    torch.testing.assert_close(gradient, same)
