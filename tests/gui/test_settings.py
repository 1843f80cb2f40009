# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gui.paper.geometry import Scale
from gui.paper.look import Look
from gui.settings import Settings, look_from_table, look_to_table
from gui.theme import DARK
from streamer.core.vitals.vitals import Limits

LOOK = Look(Scale(4.0))


def test_what_is_kept_is_there_the_next_time(tmp_path: Path) -> None:
    file = tmp_path / "new folder" / "monitor.json"
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
    file = tmp_path / "mecg" / "monitor.json"
    file.parent.mkdir(mode=0o700)
    file.write_text("")
    file.chmod(0o644)
    store = Settings(file)
    for k in range(3):
        store.opened(f"wfdb:patient {k}")
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    other = tmp_path / "new" / "monitor.json"
    Settings(other).keep("a", 1)
    assert stat.S_IMODE(other.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(other.stat().st_mode) == 0o600


def test_without_a_file_nothing_is_written_but_remembered_as_long_as_it_lives(tmp_path: Path) -> None:
    store = Settings(None)
    store.opened("wfdb:a")
    assert store.recent == ["wfdb:a"] and not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_costs_only_the_memory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    store = Settings(tmp_path / "file" / "monitor.json")
    store.opened("wfdb:a")
    assert store.recent == ["wfdb:a"]


@pytest.mark.parametrize("value", ["", "text", [1, 2], {}, None, 10**400, {"a": [[[]]]}, "\ud800"])
def test_what_was_tampered_with_is_left_at_its_default(tmp_path: Path, value: Any) -> None:
    file = tmp_path / "monitor.json"
    names = ("alarms/low_bpm", "alarms/high_bpm", "alarms/sound", "recent", "look")
    file.write_text(json.dumps(dict.fromkeys(names, value)))
    _assert_usable(Settings(file))


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"no json", b"\xff\xfe", b"NaN", b'{"recent": NaN}', b"[" * 100_000, b" " * 10**6]
)
def test_a_file_that_is_none_of_ours_leaves_all_at_its_default(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "monitor.json"
    file.write_bytes(content)
    store = Settings(file)
    _assert_usable(store)
    store.opened("wfdb:a")
    assert Settings(file).recent == ["wfdb:a"]


def _assert_usable(store: Settings) -> None:
    limits = store.limits
    assert 15 <= limits.low_bpm < limits.high_bpm <= 300
    assert store.get("alarms/sound", True) is True
    assert all(isinstance(one, str) for one in store.recent)
    assert isinstance(store.get("look", {}), dict)


OLD = """[General]
recent="[\\"wfdb:/a b/\\xdc\\", \\"lsl:x\\"]"
look="{\\"theme\\": \\"dark\\", \\"mm_per_s\\": 12.5}"

[alarms]
sound=false
low_bpm=41.0
"""


def test_what_an_older_version_kept_is_taken_over(tmp_path: Path) -> None:
    (tmp_path / "monitor.ini").write_text(OLD)
    store = Settings(tmp_path / "monitor.json")
    assert store.recent == ["wfdb:/a b/Ü", "lsl:x"]
    assert store.get("look", {}) == {"theme": "dark", "mm_per_s": 12.5}
    assert store.get("alarms/sound", True) is False and store.limits.low_bpm == 41


def test_a_settings_file_cannot_run_anything(tmp_path: Path) -> None:
    """Qt's own reader of INI files unpickles such a value before anybody can look at it."""
    ini = Path(__file__).parents[1] / "hostile" / "settings.ini"
    assert b"PyQt_PyObject" in ini.read_bytes()
    (tmp_path / "monitor.ini").write_bytes(ini.read_bytes())
    (tmp_path / "monitor.json").write_bytes(ini.read_bytes())
    script = (
        "import sys\n"
        "ran = []\n"
        "watched = ('os.system', 'pickle.find_class', 'subprocess.Popen', 'exec')\n"
        "from pathlib import Path\n"
        "from gui.settings import Settings\n"
        "sys.addaudithook(lambda name, args: ran.append(name) if name in watched else None)\n"
        "folder = Path(sys.argv[1])\n"
        "(folder / 'monitor.ini').rename(folder / 'new.ini')\n"
        "assert Settings(folder / 'monitor.json').recent == [] == Settings(folder / 'new.json').recent\n"
        "assert not ran, ran\n"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True)


@pytest.mark.parametrize("folder", ["gui", "mecg", "streamer", "devices", "training"])
def test_nothing_that_is_read_is_unpickled(folder: str) -> None:
    # Catching what torch raises of a damaged file is not reading it so.
    pickle = r"pickle\.(?!UnpicklingError\b)\w+|from pickle import"
    calls = re.compile(rf"\b(QSettings|{pickle}|shelve|marshal|dill|joblib|allow_pickle=True|yaml\.load)\b")
    torch_load = re.compile(r"torch\.load\((?![^)]*weights_only=True)", re.DOTALL)
    for path in (Path(__file__).parents[2] / folder).rglob("*.py"):
        text = path.read_text("utf-8")
        assert not calls.search(text) and not torch_load.search(text), path


def test_a_look_is_restored_as_it_was() -> None:
    look = Look(Scale(5.5, 50.0, 20.0), DARK, "6x2", sweep=False, ribbon=False)
    again = look_from_table(LOOK, look_to_table(look, mm_set=True))
    assert (again.theme, again.layout, again.sweep, again.ribbon) == (DARK, "6x2", False, False)
    assert again.scale == look.scale
    assert look_from_table(LOOK, look_to_table(look, mm_set=False)).scale.px_per_mm == LOOK.scale.px_per_mm


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(
        st.sampled_from(["theme", "layout", "sweep", "ribbon", "mm_per_s", "mm_per_mv", "px_per_mm"]),
        st.one_of(st.none(), st.booleans(), st.floats(), st.text(), st.lists(st.integers())),
    )
)
def test_nonsense_changes_nothing_that_cannot_be_chosen(kept: dict[str, Any]) -> None:
    look = look_from_table(LOOK, kept)
    assert look.theme.name in ("light", "dark") and look.layout in ("3x4", "6x2", "12x1")
    assert look.scale.mm_per_s in (6.25, 12.5, 25, 50) and look.scale.mm_per_mv in (2.5, 5, 10, 20)
    assert 0.5 <= look.scale.px_per_mm <= 40
