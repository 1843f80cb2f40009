# SPDX-License-Identifier: GPL-3.0-or-later
"""Which records are meant, and where each result goes."""

from __future__ import annotations

import io
import os
import random
import shutil
from pathlib import Path

import pytest

from mecg.archive.naming import Selection, find
from mecg.archive.shard import Shard
from streamer.core.errors import InputError
from tests.mecg.archive.many import RECORDINGS, archive

FILES = RECORDINGS.parent / "tests" / "streamer" / "formats" / "files"


def results(selection: Selection, out: Path) -> list[str]:
    return [f"{item.folder}/{item.name}" for item in find(selection, out).items]


def test_a_folder_is_searched_and_the_results_lie_as_deep(tmp_path: Path) -> None:
    folder = archive(tmp_path / "in", "b/x", "a/y", "a/c/z", "top", ".hidden/w")
    (folder / "a" / "notes.txt").write_text("no recording")
    found = find(Selection([str(folder)]), tmp_path / "out")
    assert [f"{i.folder}/{i.name}" for i in found.items] == ["a/c/z", "a/y", "b/x", "/top"]
    assert found.no_recordings == 1
    flat = results(Selection([str(folder)], flat=True), tmp_path / "out")
    assert sorted(flat) == ["/top", "/x", "/y", "/z"]


def test_files_of_other_formats_are_found_by_their_content(tmp_path: Path) -> None:
    folder = archive(tmp_path / "in", "a/x")
    shutil.copy(FILES / "apple_en.csv", folder / "a" / "watch.txt")
    assert results(Selection([str(folder)]), tmp_path / "out") == ["a/watch", "a/x"]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("where", ["in", "in/*"])
def test_a_pipe_in_a_folder_holds_up_no_run(where: str, tmp_path: Path) -> None:
    folder = archive(tmp_path / "in", "x")
    for name in ("pipe", "table.csv", "table.json", "part.hea"):
        os.mkfifo(folder / name)
    found = find(Selection([str(tmp_path / where)]), tmp_path / "out")
    assert "x" in [item.name for item in found.items]
    assert found.no_recordings >= 3


def test_what_a_run_wrote_is_searched_by_none_that_writes_there_and_its_bands_are_no_records(
    tmp_path: Path,
) -> None:
    folder = archive(tmp_path / "in", "x", "x_band", "out/x", "y_band")
    assert results(Selection([str(folder)]), folder / "out") == ["/x", "/y_band"]


def test_the_parts_of_a_record_of_many_are_no_records_of_their_own(tmp_path: Path) -> None:
    folder = archive(tmp_path / "in", "part1", "part2")
    (folder / "whole.hea").write_text("whole/2 12 500 10000\npart1 5000\npart2 5000\n")
    assert results(Selection([str(folder)]), tmp_path / "out") == ["/whole"]


@pytest.mark.parametrize("pattern", ["in/*/x*", "in/**/x*", "in/?/x[0-9].hea", "in/a/x1.*"])
def test_a_pattern_names_each_record_once_by_whichever_of_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pattern: str
) -> None:
    archive(tmp_path / "in", "a/x1", "b/x2", "b/y")
    monkeypatch.chdir(tmp_path)
    expected = ["/x1"] if pattern.startswith("in/a") else ["a/x1", "b/x2"]
    assert results(Selection([pattern]), tmp_path / "out") == expected
    with pytest.raises(InputError):
        find(Selection(["in/nothing*"]), tmp_path / "out")


def test_a_list_names_records_and_folders_and_the_results_lie_as_its_lines_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = archive(tmp_path / "in", "a/x", "b/y", "b/z")
    lines = f"in/a/x.hea\n\n{folder / 'b'}\n"
    (tmp_path / "list.txt").write_text(lines)
    monkeypatch.chdir(tmp_path)
    expected = ["in/a/x", "in/b/y", "in/b/z"]
    assert sorted(results(Selection(listed="list.txt"), tmp_path / "out")) == expected
    monkeypatch.setattr("sys.stdin", io.StringIO(lines))
    assert sorted(results(Selection(listed="-"), tmp_path / "out")) == expected


def test_folds_of_ptb_xl_come_from_its_table(tmp_path: Path) -> None:
    folder = archive(tmp_path / "in", "records100/00000/1_lr", "records100/00000/2_lr", "records500/1_hr")
    (folder / "ptbxl_database.csv").write_text(
        "ecg_id,patient_id,scp_codes,strat_fold,filename_lr,filename_hr\n"
        "1,1,{},1,records100/00000/1_lr,records500/1_hr\n2,2,{},2,records100/00000/2_lr,\n"
    )
    by_fold = Selection([str(folder)], folds=(1,))
    assert results(by_fold, tmp_path / "out") == ["records100/00000/1_lr"]
    fast = Selection([str(folder)], folds=(1, 2), rate_hz=500)
    assert results(fast, tmp_path / "out") == ["records500/1_hr"]
    with pytest.raises(InputError):
        find(Selection([str(folder / "records500" / "1_hr")], folds=(1,)), tmp_path / "out")


def test_shards_share_the_records_out_whatever_the_order_in_which_they_are_named(tmp_path: Path) -> None:
    folder = archive(tmp_path / "in", *(f"{i % 3}/r{i}" for i in range(17)))
    named = [str(path.with_suffix("")) for path in folder.rglob("*.hea")]
    shares: list[list[str]] = []
    for number in range(1, 6):
        random.Random(number).shuffle(named)
        shares.append(results(Selection(named, shard=Shard(number, 5)), tmp_path / "out"))
    assert sorted(name for share in shares for name in share) == sorted(f"/r{i}" for i in range(17))
    assert {len(share) for share in shares} == {3, 4}
    random.Random(9).shuffle(named)
    assert results(Selection(named, shard=Shard(2, 5)), tmp_path / "out") == shares[1]
    few = find(Selection([str(folder)], limit=2, shard=Shard(3, 3)), tmp_path / "out")
    assert (few.items, few.in_all) == ([], 2)


def test_every_nth_and_no_more_than_so_many(tmp_path: Path) -> None:
    folder = archive(tmp_path / "in", *(f"r{i}" for i in range(9)))
    some = Selection([str(folder)], every=3, limit=2)
    assert results(some, tmp_path / "out") == ["/r0", "/r3"]


@pytest.mark.parametrize(
    "names", [("a/x", "b/x"), ("a/x", "b/x_band")], ids=["one name", "the name of a band"]
)
def test_two_records_that_would_become_one_are_refused(tmp_path: Path, names: tuple[str, str]) -> None:
    folder = archive(tmp_path / "in", *names)
    with pytest.raises(InputError) as refused:
        find(Selection([str(folder)], flat=True), tmp_path / "out")
    assert all(name in refused.value.line for name in names)
    assert not (tmp_path / "out").exists()
    assert len(find(Selection([str(folder)]), tmp_path / "out").items) == 2


def test_a_result_never_takes_the_place_of_its_record(tmp_path: Path) -> None:
    folder = archive(tmp_path / "in", "a/x")
    for selection in (Selection([str(folder)]), Selection([str(folder / "a")])):
        with pytest.raises(InputError):
            find(selection, folder if selection.records == [str(folder)] else folder / "a")
