"""What a network learns from."""

import csv
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from streamer.core.errors import InputError
from streamer.core.signal.filters import BandSplitter
from training.data import (
    DOWER,
    FRANK,
    Batches,
    Records,
    disturbance,
    load,
    network_input,
    targets,
    turned,
)
from training.filter_design import design

RATE_HZ = 250.0
FILTERS = design(RATE_HZ)
RECORDINGS = Path(__file__).parents[2] / "recordings" / "ptb-xl"


def batches(records: Records, *, gain_spread: float = 0.0, gaps: float = 0.0, noise: float = 0.0) -> Batches:
    truth = targets(records, FILTERS, RATE_HZ)
    return Batches(records, truth, FILTERS, RATE_HZ, 3, gain_spread, gaps, noise)


def test_a_disturbance_has_the_level_that_it_says() -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        assert disturbance(2500, RATE_HZ, rng).std() == pytest.approx(1)


def test_the_same_seed_gives_the_same_epoch(records: Records) -> None:
    made = batches(records, gain_spread=0.2, gaps=0.5, noise=0.5)
    first, second = (list(made.epoch(np.random.default_rng(7))) for _ in range(2))
    for (x, truth), (again, truth_again) in zip(first, second, strict=True):
        np.testing.assert_array_equal(x, again)
        np.testing.assert_array_equal(truth, truth_again)


def test_noise_is_in_the_input_as_if_it_had_been_measured_and_not_in_the_truth(records: Records) -> None:
    (clean, truth), *_ = batches(records).epoch(np.random.default_rng(7))
    (noisy, same), *_ = batches(records, noise=1.0).epoch(np.random.default_rng(7))
    np.testing.assert_array_equal(truth, same)
    measured = BandSplitter.ROWS.index("measured")
    for x, y in zip(clean, noisy, strict=True):
        added = (y - x)[measured]
        assert added.std() > 0.01 * x[measured].std()
        np.testing.assert_allclose((y - x)[:3].sum(axis=0), added, atol=1e-5)


def test_filtering_noise_apart_is_filtering_it_with_the_signal() -> None:
    rng = np.random.default_rng(5)
    lead, noise = (rng.normal(size=2500).astype(np.float32) for _ in range(2))
    apart = sum(network_input(part, FILTERS, RATE_HZ, RATE_HZ) for part in (lead, noise))
    together = network_input(lead + noise, FILTERS, RATE_HZ, RATE_HZ)
    np.testing.assert_allclose(apart, together, atol=1e-5)


def test_a_lost_sample_stays_silent_under_noise(records: Records) -> None:
    (gappy, _), *_ = batches(records, gaps=1.0).epoch(np.random.default_rng(7))
    lost = (gappy == 0).all(axis=1)
    assert lost.any()
    (noisy, _), *_ = batches(records, gaps=1.0, noise=1.0).epoch(np.random.default_rng(7))
    assert (noisy == 0).all(axis=1)[lost].all()


def test_a_record_ends_as_the_live_path_ends_it_with_its_last_sample_held() -> None:
    lead = np.random.default_rng(5).normal(size=1000).astype(np.float32)
    held = np.concatenate([lead, np.full(16, lead[-1])])
    longer = network_input(held, FILTERS, RATE_HZ, RATE_HZ)
    np.testing.assert_array_equal(network_input(lead, FILTERS, RATE_HZ, RATE_HZ, hold=16), longer)


def test_batches_hold_the_end_and_filter_as_they_are_told(records: Records) -> None:
    told: list[int] = []

    def upside_down(*args: Any, hold: int = 0) -> NDArray[np.float32]:
        told.append(hold)
        return -network_input(*args, hold=hold)

    truth = targets(records, FILTERS, RATE_HZ)
    how = records, truth, FILTERS, RATE_HZ, 3, 0.0, 0.0, 1.0
    rng = np.random.default_rng
    (plain, _), *_ = Batches(*how, hold=16).epoch(rng(7))
    (turned, _), *_ = Batches(*how, hold=16, bands_of=upside_down).epoch(rng(7))
    assert plain.shape[-1] == truth.shape[-1] + 16
    np.testing.assert_array_equal(turned, -plain)
    assert set(told) == {16}


def test_a_turned_heart_keeps_the_laws_and_a_right_angle_moves_its_dipole() -> None:
    none, quarter = turned(np.array([[0.0, 0.0, 0.0], [0.0, 0.0, np.pi / 2]]))
    np.testing.assert_allclose(none, np.eye(8), atol=1e-6)
    dipole = np.array([1.0, 0.0, 0.0])
    np.testing.assert_allclose(FRANK @ (quarter @ (DOWER @ dipole)), [0.0, 1.0, 0.0], atol=0.01)
    beyond = np.eye(8) - DOWER @ FRANK  # what no dipole explains
    np.testing.assert_allclose(quarter @ beyond, beyond, atol=0.01)


def test_input_and_truth_are_of_the_same_turned_heart(records: Records) -> None:
    truth = targets(records, FILTERS, RATE_HZ)
    (x, leads), *_ = Batches(records, truth, FILTERS, RATE_HZ, 3, 0.0, 0.0, 0.0, turn_deg=20.0).epoch(
        np.random.default_rng(7)
    )
    order = np.random.default_rng(7).permutation(len(truth))[:3]
    straight = truth[order].astype(np.float32) / 1e3
    assert np.abs(leads - straight).max() > 0.03
    for i, record, true, plain in zip(order, x, leads, straight, strict=True):
        mixed = np.linalg.lstsq(plain.T, true.T)[0].T
        turned_mv = (mixed[0] @ records.leads_uv[i] / 1e3).astype(np.float32)
        again = network_input(turned_mv, FILTERS, RATE_HZ)
        np.testing.assert_allclose(record, again, atol=0.005)


def test_an_epoch_goes_on_in_its_middle_with_the_batches_that_it_would_have_had(records: Records) -> None:
    made = batches(records, gain_spread=0.2, gaps=0.5, noise=0.5)
    whole = list(made.epoch(np.random.default_rng(7)))
    ((x, truth),) = made.epoch(np.random.default_rng(7), first=1)
    np.testing.assert_array_equal(x, whole[1][0])
    np.testing.assert_array_equal(truth, whole[1][1])


def a_ptb_xl(folder: Path, **folds: int) -> Path:
    """A data set of some of the bundled records, which are said to be of 100 Hz."""
    folder.mkdir()
    with (folder / "ptbxl_database.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["ecg_id", "patient_id", "strat_fold", "filename_lr"])
        for name, fold in folds.items():
            table.writerow([name[1:], f"{name[1:]}.0", fold, f"{name[1:]}_hr"])
    for name in folds:
        shutil.copy(RECORDINGS / f"{name[1:]}_hr.dat", folder)
        header = (RECORDINGS / f"{name[1:]}_hr.hea").read_text()
        (folder / f"{name[1:]}_hr.hea").write_text(header.replace(" 12 500 5000", " 12 100 5000", 1))
    return folder


def test_a_fold_is_read_once_and_packed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, cache = a_ptb_xl(tmp_path / "data", _00010=1, _00155=2, _00189=1), tmp_path / "cache"
    read = load(data, [1, 2], cache)
    assert read.ecg_id.tolist() == [10, 189, 155]
    for path in data.glob("*.dat"):
        path.unlink()
    again = load(data, [1, 2], cache)
    for one, other in zip((read.ecg_id, read.leads_uv), (again.ecg_id, again.leads_uv), strict=True):
        np.testing.assert_array_equal(one, other)
    assert sorted(path.name for path in cache.iterdir()) == ["fold01.npz", "fold02.npz"]
    assert capsys.readouterr().err == ""


def test_a_fold_packed_of_other_records_is_made_anew_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cache = tmp_path / "cache"
    tried = a_ptb_xl(tmp_path / "tried", _00010=1)
    assert load(tried, [1], cache).ecg_id.tolist() == [10]
    whole = a_ptb_xl(tmp_path / "whole", _00010=1, _00189=1)
    assert load(whole, [1], cache).ecg_id.tolist() == [10, 189]
    assert "made of other records: made again" in capsys.readouterr().err


@pytest.mark.parametrize("left", [0, 0.5, 0.99, None], ids=["nothing", "half", "most of it", "no mark"])
def test_a_broken_fold_or_one_of_before_is_made_anew_and_says_so(
    left: float | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, packed = a_ptb_xl(tmp_path / "data", _00010=1), tmp_path / "cache" / "fold01.npz"
    good = load(data, [1], packed.parent)
    whole = packed.read_bytes()
    if left is None:
        np.savez(packed, ecg_id=[7], patient_id=[7], leads_uv=good.leads_uv)
    else:
        packed.write_bytes(whole[: round(left * len(whole))])
    assert load(data, [1], packed.parent).ecg_id.tolist() == [10]
    assert "made again" in capsys.readouterr().err
    assert packed.read_bytes() == whole


def test_a_fold_that_is_killed_while_it_is_packed_leaves_no_fold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, cache = a_ptb_xl(tmp_path / "data", _00010=1), tmp_path / "cache"

    def killed(handle: Any, **arrays: Any) -> None:
        Path(getattr(handle, "name", handle)).write_bytes(b"PK")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(np, "savez", killed)
        load(data, [1], cache)
    assert not (cache / "fold01.npz").exists()
    assert load(data, [1], cache).ecg_id.tolist() == [10]


def test_a_folder_that_is_no_ptb_xl_or_lacks_a_fold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no ptbxl_database\.csv"):
        load(tmp_path, [1], tmp_path / "cache")
    with pytest.raises(InputError, match="no 100 Hz record in fold 2"):
        load(a_ptb_xl(tmp_path / "data", _00010=1), [1, 2], tmp_path / "cache")


def changed(folder: Path, name: str, change: Callable[[NDArray[np.int16]], NDArray[np.int16]]) -> Path:
    """A data set of three records, of which one, ``(samples, 12)`` of 1 uV a step, was changed."""
    data = a_ptb_xl(folder, _00010=1, _00155=1, _00189=1)
    path = data / f"{name}_hr.dat"
    samples = np.fromfile(path, "<i2").reshape(-1, 12)
    change(samples).astype("<i2").tofile(path)
    return data


def with_lost(samples: NDArray[np.int16]) -> NDArray[np.int16]:
    samples[1000:1010, 7] = np.iinfo(np.int16).min  # WFDB's mark of a lost sample
    return samples


def with_a_flat_lead(samples: NDArray[np.int16]) -> NDArray[np.int16]:
    samples[:, 7] = 30
    return samples


def with_exchanged_leads(samples: NDArray[np.int16]) -> NDArray[np.int16]:
    samples[:, 0] = samples[:, 1]
    return samples


def with_a_wild_lead(samples: NDArray[np.int16]) -> NDArray[np.int16]:
    samples[500, 7] = 32_500
    return samples


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (with_lost, "lack samples"),
        (with_a_flat_lead, "have a flat lead"),
        (with_exchanged_leads, "break Einthoven's law"),
        (with_a_wild_lead, "exceed 32 mV"),
    ],
)
def test_a_record_that_cannot_be_learnt_from_is_left_out_and_counted(
    change: Callable[[NDArray[np.int16]], NDArray[np.int16]],
    why: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    data = changed(tmp_path / "data", "00155", change)
    assert load(data, [1], tmp_path / "cache").ecg_id.tolist() == [10, 189]
    assert f"fold01: 1 of 3 records left out: 1 {why}" in capsys.readouterr().err


def rewritten(folder: Path, file: str, old: str, new: str) -> Path:
    """A data set of two records, of which a text was changed."""
    data = a_ptb_xl(folder, _00010=1, _00189=1)
    text = (data / file).read_text()
    assert old in text
    (data / file).write_text(text.replace(old, new))
    return data


@pytest.mark.parametrize(
    ("file", "old", "new", "why"),
    [
        ("00189_hr.hea", " 100 5000", " 500 5000", "one of 500 Hz: bring it to 100 Hz"),
        ("00189_hr.hea", " 100 5000", " 100 400", "shorter than 5 s"),
        ("00189_hr.hea", " 100 5000", " 100 4000", "4000 samples, the records before it 5000"),
        ("00189_hr.hea", " V6", " Resp", "only 11 of the twelve leads"),
        ("ptbxl_database.csv", "patient_id", "person", "cannot be read"),
        ("ptbxl_database.csv", "189.0", "Smith", "no whole number for ecg_id or patient_id"),
        ("ptbxl_database.csv", "ecg_id", "number", "no whole number for ecg_id or patient_id"),
        ("ptbxl_database.csv", "00189_hr", "../00189_hr", "outside its folder"),
    ],
)
def test_a_data_set_that_would_be_learnt_wrongly_is_refused_in_one_line(
    file: str, old: str, new: str, why: str, tmp_path: Path
) -> None:
    """Records of another rate were learnt as if they were of 100 Hz; a missing lead was a traceback."""
    with pytest.raises(InputError, match=why) as caught:
        load(rewritten(tmp_path / "data", file, old, new), [1], tmp_path / "cache")
    assert "\n" not in str(caught.value) and not (tmp_path / "cache" / "fold01.npz").exists()


def test_folds_of_records_of_two_lengths_are_refused_in_one_line(tmp_path: Path) -> None:
    data = a_ptb_xl(tmp_path / "data", _00010=1, _00189=2)
    header = data / "00189_hr.hea"
    header.write_text(header.read_text().replace(" 100 5000", " 100 4000"))
    with pytest.raises(InputError, match="4000 and of 5000 samples a record"):
        load(data, [1, 2], tmp_path / "cache")
