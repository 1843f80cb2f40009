# SPDX-License-Identifier: GPL-3.0-or-later
"""`mecg export`: whole or not at all, where it was told to, and never over something else."""

import errno
import re
import shutil
from pathlib import Path

import pytest

from mecg.__main__ import main
from mecg.cli import export
from streamer.core.network.network import Network
from tests.streamer.a_session import a_session
from tests.streamer.known_network import scaled_identity

FILES = {
    "wfdb": {"s.hea", "s.dat", "s.atr"},
    "edf": {"s.edf"},
    "csv": {"s.csv", "s_events.csv", "s.json"},
    "pdf": {"s.pdf"},
    "dicom": {"s.dcm"},
}


WITH_BAND = FILES | {
    "wfdb": FILES["wfdb"] | {"s_band.hea", "s_band.dat"},
    "edf": FILES["edf"] | {"s_band.edf"},
}


@pytest.fixture(scope="module")
def banded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As `recorded`, from a model that states its uncertainty."""
    folder = tmp_path_factory.mktemp("banded")
    network = Network(scaled_identity(scale=True))
    return a_session(folder, network, 3000, lost=((1000, 1200),)).rename(folder / "s.xdf")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recorded")
    path = a_session(folder, Network(scaled_identity()), 3000, lost=((1000, 1200),))
    return path.rename(folder / "s.xdf")


def export_to(out: Path, session: Path, *options: str) -> int:
    return main(["export", str(session), "--out", str(out), *options])


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def says(capsys: pytest.CaptureFixture[str], words: str) -> None:
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1
    assert words in err


@pytest.mark.parametrize("form", FILES)
def test_each_format_is_written_and_named(
    recorded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    assert export_to(tmp_path / "new" / "out", recorded, "--format", form) == 0
    assert names_in(tmp_path / "new" / "out") == FILES[form]
    out, err = capsys.readouterr()
    assert {Path(line).name for line in out.splitlines()} == FILES[form]
    assert err == ""


@pytest.mark.parametrize("form", FILES)
def test_a_band_is_written_whole_with_the_leads(
    banded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    assert export_to(tmp_path, banded, "--format", form) == 0
    assert names_in(tmp_path) == WITH_BAND[form]
    assert {Path(line).name for line in capsys.readouterr().out.splitlines()} == WITH_BAND[form]


@pytest.mark.parametrize("form", FILES)
def test_nothing_is_overwritten_unless_forced(
    banded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    for name in WITH_BAND[form]:
        (tmp_path / name).write_text("mine")
        assert export_to(tmp_path, banded, "--format", form) == 2
        says(capsys, "exists: name another file, or overwrite it with --force")
        assert names_in(tmp_path) == {name}
        assert (tmp_path / name).read_text() == "mine"
        (tmp_path / name).unlink()
    for name in WITH_BAND[form]:
        (tmp_path / name).write_text("mine")
    assert export_to(tmp_path, banded, "--format", form, "--force") == 0
    assert names_in(tmp_path) == WITH_BAND[form]
    assert not any(path.read_bytes() == b"mine" for path in tmp_path.iterdir())


def test_a_disk_that_fills_leaves_nothing(
    banded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object, **options: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    # After the first of the files was begun, and for WFDB finished.
    monkeypatch.setattr("streamer.export.to_wfdb.annotation_bytes", full)
    monkeypatch.setattr("streamer.export.to_edf.write_edf_plus", full)
    monkeypatch.setattr("streamer.export.to_pdf.write_pdf", full)
    monkeypatch.setattr("json.dump", full)
    monkeypatch.setattr("pydicom.dcmwrite", full)
    for form in FILES:
        assert export_to(tmp_path / "out", banded, "--format", form) == 2
        says(capsys, "the disk is full: free some space")
        assert names_in(tmp_path) == set()
    (tmp_path / "s.edf").write_text("mine")
    assert export_to(tmp_path, banded, "--format", "edf", "--force") == 2
    assert (tmp_path / "s.edf").read_text() == "mine"
    assert names_in(tmp_path) == {"s.edf"}


def test_a_part_and_some_leads(recorded: Path, tmp_path: Path) -> None:
    options = ("--format", "csv", "--start", "1", "--end", "2.5", "--leads", "V1,measured")
    assert export_to(tmp_path, recorded, *options) == 0
    head, *rows = (tmp_path / "s.csv").read_text("utf-8").splitlines()
    assert head == "time [s],V1 [mV] (predicted),I as measured [mV] (measured)"
    assert len(rows) == 375
    assert rows[0].startswith("1.000000,")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--leads", "V7"), "there is no lead 'V7'"),
        (("--start", "7"), "holds nothing there: its leads run from 0.00 to 6.00 s"),
        (("--start", "3", "--end", "2"), "--end 2 is not after --start 3"),
        (("--leads", "I", "--format", "pdf"), "a page shows all twelve"),
    ],
)
def test_what_cannot_be_exported_gets_one_line(
    recorded: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...],
    words: str,
) -> None:
    assert export_to(tmp_path, recorded, "--format", "csv", *options) == 2
    says(capsys, words)
    assert names_in(tmp_path) == set()


def test_what_is_no_session_gets_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "other.xdf"
    other.write_bytes(b"XDF:" + bytes(1000))
    assert export_to(tmp_path / "out", other, "--format", "wfdb") == 2
    says(capsys, "other.xdf")
    assert export_to(tmp_path / "out", tmp_path / "nothing.xdf", "--format", "wfdb") == 2
    says(capsys, "nothing.xdf")
    assert not (tmp_path / "out").exists()


def test_a_damaged_session_is_exported_with_a_word(
    recorded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = bytearray(recorded.read_bytes())
    data[len(data) // 2] ^= 0xFF
    damaged = tmp_path / "s.xdf"
    damaged.write_bytes(data)
    assert export_to(tmp_path / "out", damaged, "--format", "edf") == 0
    assert "what stood there is a gap" in capsys.readouterr().err
    assert names_in(tmp_path / "out") == FILES["edf"]


@pytest.mark.parametrize("name", ["..", "a b.c", "..\\x", "ÿ", "~", "x" * 200])
def test_file_names_stay_in_the_folder_whatever_the_session_is_called(name: str) -> None:
    made = export.record_name(Path(f"{name}.xdf"))
    assert 1 <= len(made) <= 64
    assert re.fullmatch("[A-Za-z0-9_-]+", made)


def test_a_link_in_the_way_is_replaced_and_not_followed(recorded: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    out = tmp_path / "out"
    out.mkdir()
    (out / "s.edf").symlink_to(victim)
    assert export_to(out, recorded, "--format", "edf", "--force") == 0
    assert victim.read_text() == "mine"
    assert not (out / "s.edf").is_symlink()


def test_what_a_session_says_of_itself_names_no_file(tmp_path: Path) -> None:
    """Its source and lead are somebody else's words."""
    session = a_session(tmp_path / "in", Network(scaled_identity()), 1000, lead="../../x", is_lead_i=False)
    moved = shutil.copy(session, tmp_path / "s.xdf")
    for form in FILES:
        assert export_to(tmp_path / "out", Path(moved), "--format", form) == 0
    assert names_in(tmp_path / "out") == set().union(*FILES.values())
    assert names_in(tmp_path) == {"in", "out", "s.xdf"}
