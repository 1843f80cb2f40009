"""The predecessors: their published sizes, and that they run live as any model does."""

import csv
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")

from streamer.core.errors import InputError
from streamer.core.leads import PREDICTED
from streamer.core.network.network import Network
from streamer.core.pipeline import Pipeline
from streamer.core.signal.filters import BandSplitter
from streamer.core.stream import Chunk, StreamInfo
from training.baselines import ridge, run
from training.baselines.export import export, lagged, windowed
from training.baselines.networks import EKGanGenerator, Lags, Mcma, UNet, picture_of
from training.baselines.recipe import RECIPES, Recipe, Regression
from training.data import Records
from training.network import weights

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*torch.*:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]


def small() -> Recipe:
    return Recipe(
        paper="small",
        rate_hz=250,
        window=256,
        batch=4,
        rate=1e-3,
        network=lambda: UNet(widths=(4, 6), kernel=5),
        learner=lambda recipe: Regression(recipe, lambda error: error.abs().mean()),
    )


def records(n: int, seed: int = 0) -> Records:
    """Whole 10 s records whose leads are multiples of a filtered noise, so that a network can learn."""
    noise = np.random.default_rng(seed).normal(size=(n, 1, 1000)).cumsum(axis=2)
    noise -= np.apply_along_axis(lambda x: np.convolve(x, np.ones(50) / 50, "same"), 2, noise)
    gains = np.linspace(1.0, -0.5, len(PREDICTED))[None, :, None]
    return Records(np.arange(n), np.arange(n), (200 * gains * noise).astype(np.int16))


def curve(out: Path) -> list[dict[str, str]]:
    with (out / "log.csv").open(newline="") as handle:
        return list(csv.DictReader(handle))


def test_the_generator_of_ekgan_has_the_published_number_of_weights() -> None:
    assert weights(EKGanGenerator()) == 12_524_672


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_every_network_takes_its_own_window_and_puts_out_eight_leads(name: str) -> None:
    recipe = RECIPES[name]
    network = recipe.network().eval()
    with torch.no_grad():
        assert network(torch.randn(2, 1, recipe.window)).shape == (2, 8, recipe.window)


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_a_learner_and_all_that_it_computes_with_lie_on_the_device_that_is_asked_for(name: str) -> None:
    recipe, nowhere = RECIPES[name], torch.device("meta")  # shapes and places alone: it takes no GPU
    with nowhere:
        learner = recipe.learner(recipe)
    for network in (learner.network, learner.average):
        assert network(torch.zeros(2, 1, recipe.window, device=nowhere)).device == nowhere


def test_a_picture_holds_twelve_rows_between_silent_ones() -> None:
    lead = torch.randn(3, 1, 64)
    picture = picture_of(lead)
    assert picture.shape == (3, 1, 16, 64)
    assert (picture[:, :, [0, 1, 14, 15]] == 0).all()
    assert (picture[:, :, 2:14] == lead[:, :, None]).all()


def test_mcma_halves_time_five_times() -> None:
    """As its paper: 16 to 512 filters, a kernel of 13, stride 2."""
    levels, x = [], torch.randn(1, 1, 1024)
    for block in Mcma().encoder:
        x = block(x)
        levels.append(tuple(x.shape[1:]))
    assert levels == [(16, 1024), (32, 512), (64, 256), (128, 128), (256, 64), (512, 32)]


def test_ridge_finds_the_filter_that_made_the_leads() -> None:
    rng = np.random.default_rng(0)
    sums = ridge.Sums.none()
    lead = rng.normal(size=6000).astype(np.float32)
    truth = np.stack([g * np.roll(lead, 40) for g in np.linspace(-1, 1, 8)]).astype(np.float32)
    sums.add(lead, truth, 4.0)
    taps = sums.solve(125, 1e-8)
    network = Lags(125, ridge.STEP, ridge.LOOK_AHEAD)
    network.taps.copy_(torch.from_numpy(taps[-125:].T[:, None].astype(np.float32)))
    made = network(torch.from_numpy(lead[None, None]))[0].numpy()
    part = slice(1000, -100)
    assert np.abs(made[:, part] - truth[:, part]).max() < 1e-3
    assert sums.rmse_mv(taps).max() < 1e-3


def test_sums_of_other_records_are_not_taken_for_those_of_these(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def solved(few: Records, out: Path) -> np.ndarray:
        monkeypatch.setattr(ridge, "load", lambda *_: few)
        out.mkdir(exist_ok=True)
        return np.asarray(ridge.train(tmp_path, (1,), 8, tmp_path, out).taps.numpy())

    first, other = records(2), records(2, seed=1)
    taps = solved(first, tmp_path / "a")
    np.testing.assert_array_equal(solved(first, tmp_path / "a"), taps)
    again = solved(other, tmp_path / "a")
    assert not np.array_equal(again, taps)
    np.testing.assert_array_equal(again, solved(other, tmp_path / "b"))


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[torch.nn.Module, Network]]:
    """A baseline of each kind and its file; `export` refuses one that differs from PyTorch."""
    ridge_network = Lags(63, ridge.STEP, ridge.LOOK_AHEAD)
    ridge_network.taps.copy_(torch.randn(8, 1, 63) / 63)
    unet = small().network().eval()
    made = {}
    for network, spec in (
        (ridge_network, lagged(ridge_network, {})),
        (unet, windowed("small", small(), {"weights": weights(unet)})),
    ):
        path = tmp_path_factory.mktemp("baseline") / f"{spec.name}.onnx"
        export(network, spec, path)
        made[spec.name] = network, Network(path.read_bytes())
    return made


@pytest.mark.parametrize("name", ["ridge", "small"])
def test_an_exported_baseline_runs_live_and_leaves_no_sample_out(
    name: str, exported: dict[str, tuple[torch.nn.Module, Network]]
) -> None:
    loaded = exported[name][1]
    spec = loaded.spec
    assert spec.leads == PREDICTED
    assert spec.channels == (BandSplitter.ROWS[run.MEASURED],)
    lead = np.random.default_rng(0).normal(size=5000).astype(np.float32)
    pipeline = Pipeline(StreamInfo("test", 500.0), loaded)
    frames = [f for i in range(0, 5000, 73) for f in pipeline.push(Chunk(i, lead[i : i + 73]))]
    frames += pipeline.finish()
    assert sum(f.leads_mv.shape[1] for f in frames) == 2500
    assert np.isfinite(np.concatenate([f.leads_mv for f in frames], axis=1)).all()
    budget = pipeline.latency
    expected = (spec.look_ahead + spec.overlap + spec.hop) * 1000 / spec.rate_hz
    assert budget.total_ms - budget.rate_conversion_ms == pytest.approx(expected)


def test_the_curve_is_scored_as_the_windows_are_served(
    exported: dict[str, tuple[torch.nn.Module, Network]],
) -> None:
    network, loaded = exported["small"]
    lead = np.random.default_rng(1).normal(size=2500).astype(np.float32)
    pipeline = Pipeline(StreamInfo("test", 250.0), loaded)
    frames = pipeline.push(Chunk(0, lead)) + pipeline.finish()
    live = np.concatenate([f.leads_mv for f in frames], axis=1)
    measured = np.concatenate([f.measured_mv for f in frames])
    ours = run.overlap_add(network, measured[None], 256)[0]
    part = slice(256, -256)
    # The curve runs the network in half precision.
    assert np.abs(ours[1] - live[1])[part].max() < 0.02 * np.abs(live[1]).max()


def test_training_goes_on_from_its_checkpoint_and_stops_at_its_budget(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.set_num_threads(1)
    monkeypatch.setattr(run, "ROUNDS", 2)
    learn, choose = records(16), records(4, seed=1)
    run.train(small(), learn, choose, tmp_path, 0.6)
    assert len(curve(tmp_path)) == 2
    run.train(small(), learn, choose, tmp_path, 0.6)  # nothing is left to do
    first = curve(tmp_path)
    assert len(first) == 2
    run.train(small(), learn, choose, tmp_path, 1.2)
    lines = curve(tmp_path)
    assert int(lines[-1]["windows"]) > int(first[-1]["windows"])
    assert [int(line["round"]) for line in lines] == [*range(1, len(lines) + 1)]


def test_a_run_does_not_go_on_with_other_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would say afterwards that it never learnt from the first ones."""
    monkeypatch.setattr(run, "ROUNDS", 2)
    run.train(small(), records(16), records(4, seed=1), tmp_path, 0.3)
    before = (tmp_path / "checkpoint.pt").read_bytes()
    with pytest.raises(InputError, match="learnt from other records"):
        run.train(small(), records(12), records(4, seed=1), tmp_path, 0.6)
    assert (tmp_path / "checkpoint.pt").read_bytes() == before


def test_what_was_learned_survives_an_interruption(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    recipe, seen = small(), []
    learn = Regression.learn

    def interrupted(self: Regression, *batch: torch.Tensor) -> float:
        seen.append(batch[0])
        if len(seen) % 4 == 0:
            raise KeyboardInterrupt
        return learn(self, *batch)

    monkeypatch.setattr(Regression, "learn", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run.train(recipe, records(8), records(4, seed=1), tmp_path, 60.0)
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert state["progress"]["windows"] == 3 * recipe.batch
    assert state["progress"]["cpu_s"] > 0
    with pytest.raises(KeyboardInterrupt):
        run.train(recipe, records(8), records(4, seed=1), tmp_path, 60.0)
    assert not any(torch.equal(again, before) for again in seen[4:] for before in seen[:4])


@pytest.mark.parametrize(
    ("errors", "passes", "converged"),
    [
        ([0.3, 0.2, 0.19, 0.1899, 0.1898, 0.1898, 0.1898, 0.1898], 5, True),
        ([0.3, 0.25, 0.22, 0.2, 0.19, 0.18, 0.17, 0.16], 5, False),
        ([0.3, 0.2, 0.19, 0.1899, 0.1898, 0.1898, 0.1898, 0.1898], 1, False),
    ],
)
def test_only_a_flat_curve_that_saw_the_records_often_counts_as_converged(
    errors: list[float], passes: int, converged: bool, tmp_path: Path
) -> None:
    for i, error in enumerate(errors):
        seen = passes * (i + 1) / len(errors)
        run.log(tmp_path / "log.csv", {"rmse_seven_mv": error, "passes": seen, "cpu_s": 60.0 * i})
    assert run.verdict(tmp_path / "log.csv")["converged"] is converged


def test_every_weight_of_the_plain_u_net_is_moved_by_one_of_its_optimisers() -> None:
    recipe = RECIPES["unet"]
    learner = recipe.learner(recipe)
    before = {name: p.detach().clone() for name, p in learner.network.named_parameters()}
    torch.manual_seed(1)
    lead, truth = torch.randn(2, 1, recipe.window), torch.randn(2, 8, recipe.window)
    learner.learn(lead, truth, torch.ones_like(lead), 0.5)
    unmoved = {name for name, p in learner.network.named_parameters() if torch.equal(p, before[name])}
    assert not unmoved
