# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gui.paper.geometry import Scale
from gui.paper.look import Look
from gui.settings import Settings, plain, restored
from gui.theme import DARK
from streamer.core.vitals.vitals import Limits

LOOK = Look(Scale(4.0))


def test_what_is_kept_is_there_the_next_time(tmp_path: Path) -> None:
    file = tmp_path / "new folder" / "monitor.ini"
    store = Settings(file)
    store.keep("alarms/sound", False)
    store.keep("look", {"theme": "dark", "mm_per_s": 12.5})
    store.limits = Limits(40, 150)
    store.opened('lsl:name="a; b, c"')
    store.opened("wfdb:/a b/Ü")
    again = Settings(file)
    assert again.get("alarms/sound", True) is False
    assert again.get("look", {}) == {"theme": "dark", "mm_per_s": 12.5}
    assert again.limits == Limits(40, 150)
    assert again.recent == ["wfdb:/a b/Ü", 'lsl:name="a; b, c"']


@pytest.mark.skipif(os.name == "nt", reason="modes of POSIX")
def test_the_file_is_the_user_s_alone(tmp_path: Path) -> None:
    file = tmp_path / "mecg" / "monitor.ini"
    file.parent.mkdir(mode=0o700)
    file.write_text("")
    file.chmod(0o644)
    store = Settings(file)
    for k in range(3):
        store.opened(f"wfdb:patient {k}")
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    other = tmp_path / "new" / "monitor.ini"
    Settings(other).keep("a", 1)
    assert stat.S_IMODE(other.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(other.stat().st_mode) == 0o600


def test_without_a_file_nothing_is_written_but_remembered_as_long_as_it_lives(tmp_path: Path) -> None:
    store = Settings(None)
    store.opened("wfdb:a")
    assert store.recent == ["wfdb:a"] and not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_costs_only_the_memory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    store = Settings(tmp_path / "file" / "monitor.ini")
    store.opened("wfdb:a")
    assert store.recent == ["wfdb:a"]


@pytest.mark.parametrize("text", ["", "no json", '"text"', "[1, 2]", "NaN", "1e999", "{}", "null"])
def test_what_was_tampered_with_is_left_at_its_default(tmp_path: Path, text: str) -> None:
    file = tmp_path / "monitor.ini"
    store = Settings(file)
    assert store._store is not None
    for name in ("alarms/low_bpm", "alarms/high_bpm", "alarms/sound", "recent", "look"):
        store._store.setValue(name, text)
    store._store.sync()
    again = Settings(file)
    limits = again.limits
    assert 15 <= limits.low_bpm < limits.high_bpm <= 300
    assert again.get("alarms/sound", True) is True
    assert all(isinstance(one, str) for one in again.recent)
    assert isinstance(again.get("look", {}), dict)


def test_a_look_is_restored_as_it_was() -> None:
    look = Look(Scale(5.5, 50.0, 20.0), DARK, "6x2", sweep=False, ribbon=False)
    again = restored(LOOK, plain(look, mm_set=True))
    assert (again.theme, again.layout, again.sweep, again.ribbon) == (DARK, "6x2", False, False)
    assert again.scale == look.scale
    assert restored(LOOK, plain(look, mm_set=False)).scale.px_per_mm == LOOK.scale.px_per_mm


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(
        st.sampled_from(["theme", "layout", "sweep", "ribbon", "mm_per_s", "mm_per_mv", "px_per_mm"]),
        st.one_of(st.none(), st.booleans(), st.floats(), st.text(), st.lists(st.integers())),
    )
)
def test_nonsense_changes_nothing_that_cannot_be_chosen(kept: dict[str, Any]) -> None:
    look = restored(LOOK, kept)
    assert look.theme.name in ("light", "dark") and look.layout in ("3x4", "6x2", "12x1")
    assert look.scale.mm_per_s in (6.25, 12.5, 25, 50) and look.scale.mm_per_mv in (2.5, 5, 10, 20)
    assert 0.5 <= look.scale.px_per_mm <= 40
