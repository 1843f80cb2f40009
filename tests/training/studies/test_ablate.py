"""One factor at a time: what is changed is what is said, and nothing is trained twice."""

import re
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")

from streamer.core.signal.clinical_frame import clinical_frame
from training import config
from training.data import Records, network_input
from training.network import MEcgNet, weights
from training.studies import ablate
from training.train import batches_of, log, scores

CONFIG = Path(__file__).parents[3] / "training" / "configs" / "low.toml"
RATE_HZ = 250


def lead_mv() -> np.ndarray:
    t = np.arange(1000) / 100
    return (np.exp(-(((t % 0.8) - 0.4) ** 2) / 0.0008) + 0.1 * np.sin(2 * np.pi * 3 * t)).astype(np.float32)


def records(n: int) -> Records:
    gains = np.linspace(1, -0.5, 8)[None, :, None] * np.linspace(0.5, 1.5, n)[:, None, None]
    return Records(np.arange(n), np.arange(n), (1000 * gains * lead_mv()).astype(np.int16))


def test_every_change_names_a_network_and_a_run_of_its_own() -> None:
    names = [change.name for change in ablate.CHANGES]
    assert len(set(names)) == len(names)
    values = {change.value for change in ablate.CHANGES}
    base = ablate.facts_of(ablate.CHANGES[0], CONFIG, 1)
    for change in ablate.CHANGES:
        assert change.against in values
        facts = ablate.facts_of(change, CONFIG, 1)
        size = weights(ablate.MAKERS[change.one](config.configured(facts).shape))
        assert 4_000 < size < 200_000
        different = facts != base or change.signals != ablate.Signals() or change.one != "bounded"
        assert different is (change.value != ablate.BASE)


def test_zero_phase_bands_add_up_and_have_no_delay() -> None:
    filters = ablate.Signals().filters(RATE_HZ)
    low, mid, high, measured = ablate.zero_phase_input(lead_mv(), filters, RATE_HZ)
    np.testing.assert_allclose(low + mid + high, measured, atol=1e-6)
    truth = clinical_frame(lead_mv()[None], 100, filters, RATE_HZ)[0]
    causal = network_input(lead_mv(), filters, RATE_HZ)[3]
    middle = slice(500, 2000)

    def lag(x: np.ndarray) -> int:
        against = [float(np.dot(np.roll(x, -by)[middle], truth[middle])) for by in range(-5, 6)]
        return int(np.argmax(against)) - 5

    assert lag(measured) == 0
    assert lag(causal) in (2, 3)


def test_what_is_learned_and_scored_is_filtered_as_the_change_says_and_held_at_its_end() -> None:
    made = config.configured(ablate.facts_of(ablate.CHANGES[0], CONFIG, 1, (*ablate.SHORT, "batch=2")))
    few, filters = records(2), ablate.Signals().filters(RATE_HZ)
    truth = ablate.Signals().targets(few, filters, RATE_HZ)
    torch.manual_seed(1)
    network = MEcgNet(made.shape).eval()
    found = []
    for bands_of in (network_input, ablate.zero_phase_input):
        (x, _), *_ = batches_of(made, few, truth, filters, bands_of).epoch(np.random.default_rng(1))
        assert x.shape[-1] == truth.shape[-1] + made.shape.hold(truth.shape[-1]) > truth.shape[-1]
        found.append((x, scores(network, few, truth, filters, RATE_HZ, bands_of)["rmse_one_mv"]))
    (causal, error_mv), (zero_phase, other_mv) = found
    assert np.abs(causal - zero_phase).max() > 0.1
    assert error_mv != pytest.approx(other_mv, rel=0.01)


def test_the_own_frame_is_the_input_band_without_its_delay() -> None:
    signals = ablate.Signals(own_frame=True)
    filters = signals.filters(RATE_HZ)
    own = signals.targets(records(1), filters, RATE_HZ)[0, 0]
    band = 1e3 * network_input(records(1).leads_uv[0, 0].astype(np.float32) / 1e3, filters, RATE_HZ)[3]
    np.testing.assert_allclose(own[:-5], (band[2:-3] + band[3:-2]) / 2, atol=1.0)


def test_only_the_low_bands_channels_correct_the_first_lead() -> None:
    change = next(c for c in ablate.CHANGES if c.one == "low band")
    network = ablate.low_draws_one(config.configured(ablate.facts_of(change, CONFIG, 1)).shape).eval()
    rng = np.random.default_rng(0)
    bands = torch.from_numpy(rng.normal(0, 0.3, (1, 3, 400)).astype(np.float32))
    exchanged = bands.clone()
    exchanged[:, [1, 2]] = exchanged[:, [2, 1]]  # the sum, and so the measured lead, stays the same
    with torch.no_grad():
        first, second = network(bands)[0].numpy(), network(exchanged)[0].numpy()
    np.testing.assert_allclose(first[0], second[0], atol=1e-6)
    assert np.abs(first[3] - second[3]).max() > 1e-3


def test_a_run_goes_on_ends_and_stands_in_the_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    monkeypatch.setattr(torch, "compile", lambda network: network)
    monkeypatch.setattr(ablate, "load", lambda data, folds, cache: records(8))
    short = (*ablate.SHORT, "epochs=2", "batch=4", "average=0.5", ablate.module(channels=6, dilations="1"))
    changes = (
        ablate.Change("base", ablate.BASE),
        ablate.Change("I'", "free", one="free"),
        ablate.Change("size", "never trained"),
    )
    for change in changes[:2]:
        facts = ablate.facts_of(change, CONFIG, 1, short)
        out = tmp_path / f"{change.name}-1"
        ablate.train(change, facts | {"epochs": 1}, tmp_path, tmp_path, out)
        assert ablate.finished(out) is not None
        ablate.train(change, facts, tmp_path, tmp_path, out)
        done = ablate.finished(out)
        assert done is not None
        assert done["epoch"] == 2
        assert done["rmse_seven_mv"] > 0
    text = ablate.table(tmp_path, changes).splitlines()
    assert len(text) == 2 + 2
    assert "| base | as shipped |" in text[2]
    assert "%" in text[3]


def test_a_range_is_that_of_several_seeds(tmp_path: Path) -> None:
    changes = ablate.Change("base", ablate.BASE, seeds=2), ablate.Change("size", "other")
    for name, rmse_mv in (("base-as-shipped-1", 0.17), ("base-as-shipped-2", 0.1715), ("size-other-1", 0.18)):
        (tmp_path / name).mkdir()
        scored = {"rmse_seven_mv": rmse_mv, "pearson_seven": 0.78, "rmse_one_mv": 0.05}
        log(tmp_path / name / "log.csv", {"epoch": 6, "of": 6, "weights": 100, **scored})
    several, one = (line.split(" | ") for line in ablate.table(tmp_path, changes).splitlines()[2:])
    assert (several[3], several[5]) == ("2", "0.0015")
    assert (one[3], one[5]) == ("1", "-")


def ended(folder: Path, **squares: np.ndarray) -> None:
    """A run that came to its end, as `ablate.train` leaves it."""
    folder.mkdir()
    rmse_mv = float(np.sqrt(squares["squares"].mean()))
    log(
        folder / "log.csv",
        {
            "epoch": 6,
            "of": 6,
            "weights": 100,
            "rmse_seven_mv": rmse_mv,
            "pearson_seven": 0.78,
            "rmse_one_mv": 0.05,
        },
    )
    np.savez(folder / ablate.EACH, patient_id=np.arange(400) // 2, **squares)


def test_what_differs_has_an_interval_that_is_paired_by_records_over_all_seeds(tmp_path: Path) -> None:
    """Records differ by much more than networks do."""
    rng = np.random.default_rng(1)
    base = rng.lognormal(-4, 1, 400)
    changes = ablate.Change("base", ablate.BASE, seeds=2), ablate.Change("size", "other", seeds=2)
    for seed in (1, 2):
        ended(tmp_path / f"base-as-shipped-{seed}", squares=base * rng.normal(1, 0.02, 400))
        ended(tmp_path / f"size-other-{seed}", squares=base * 1.01**2 * rng.normal(1, 0.02, 400))
    told = ablate.table(tmp_path, changes).splitlines()[-1].split(" | ")[6]
    found = re.fullmatch(r"([+-][\d.]+)% \(([+-][\d.]+)% to ([+-][\d.]+)%\)", told)
    assert found is not None
    middle, low, high = map(float, found.groups())
    assert low < 1.0 < high
    assert low <= middle <= high < low + 1.0
    (tmp_path / "size-other-2" / ablate.EACH).unlink()  # a run of before records were kept
    assert "(" not in ablate.table(tmp_path, changes).splitlines()[-1]


def test_a_ladders_first_modules_stand_in_a_table_of_their_own(tmp_path: Path) -> None:
    changes = (ablate.Change("ladder", "a ladder"),)
    assert ablate.table_of_parts(tmp_path, changes) == ""
    ended(
        tmp_path / "ladder-a-ladder-1",
        squares=np.full(400, 0.01),
        squares_1=np.full(400, 0.0144),
        squares_2=np.full(400, 0.0121),
    )
    first, second = ablate.table_of_parts(tmp_path, changes).splitlines()[2:]
    assert first == "| a ladder | 1 | 0.1200 | +20.0% (+20.00% to +20.00%) |"
    assert second.startswith("| a ladder | 2 | 0.1100 | +10.0%")


def test_a_ladders_run_keeps_what_its_first_modules_do_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.set_num_threads(1)
    monkeypatch.setattr(torch, "compile", lambda network: network)
    monkeypatch.setattr(ablate, "load", lambda data, folds, cache: records(8))
    change = ablate.Change("ladder", "small", ablate.ladder((2, 3, 4), cut_offs_hz=(3.0, 12.0)))
    facts = ablate.facts_of(change, CONFIG, 1, (*ablate.SHORT, "epochs=1", "batch=4"))
    ablate.train(change, facts, tmp_path, tmp_path, tmp_path / "ladder-small-1")
    kept = np.load(tmp_path / "ladder-small-1" / ablate.EACH)
    assert {name: len(kept[name]) for name in kept} == dict.fromkeys(
        ("patient_id", "squares", "squares_1", "squares_2"), 8
    )
    found = ablate.finished(tmp_path / "ladder-small-1")
    assert found is not None
    assert found["rmse_seven_mv"] == pytest.approx(float(np.sqrt(kept["squares"].mean())), rel=1e-5)


def test_cut_offs_part_the_bands_where_they_say() -> None:
    usual, lower = (ablate.Signals().filters(RATE_HZ, edges) for edges in ((5.0, 15.0), (3.0, 12.0)))
    t = np.arange(2500) / RATE_HZ
    tone = np.sin(2 * np.pi * 4 * t).astype(np.float32)
    low = [network_input(tone, filters, RATE_HZ, RATE_HZ)[0].std() for filters in (usual, lower)]
    assert low[0] > 1.2 * low[1]
