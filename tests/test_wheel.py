# SPDX-License-Identifier: GPL-3.0-or-later
"""The wheel runs by itself: away from the checkout, on the recording that it brings along."""

import email
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BUILT_FROM = (
    "streamer",
    "devices",
    "gui",
    "ward",
    "mecg",
    "LICENSES",
    "LICENSE",
    "README.md",
    "pyproject.toml",
)
DISPLAY = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM", "PYTHONPATH")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in BUILT_FROM:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, source)
    # With this environment's setuptools: a test needs no network.
    build = [
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--wheel-dir",
        str(out),
        str(source),
    ]
    done = subprocess.run([sys.executable, "-m", *build], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (wheel,) = out.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def site(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    site = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(site)
    return site


def mecg(site: Path, folder: Path, *command: str, **env: str) -> subprocess.CompletedProcess[str]:
    bare = {name: value for name, value in os.environ.items() if name not in DISPLAY}
    return subprocess.run(
        [sys.executable, "-m", "mecg", *command],
        cwd=folder,
        env=bare | {"PYTHONPATH": str(site)} | env,
        capture_output=True,
        text=True,
    )


def test_it_holds_every_package_the_models_and_a_recording_with_its_licence(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as packed:
        held = set(packed.namelist())
    code = {
        path.relative_to(ROOT).as_posix()
        for top in ("streamer", "devices", "gui", "ward", "mecg")
        for path in (ROOT / top).rglob("*.py")
    }
    assert code <= held
    assert {f"{top}/py.typed" for top in ("streamer", "devices", "gui", "ward", "mecg")} <= held
    assert {f"streamer/models/mecgnet-{name}.onnx" for name in ("low", "balanced", "full")} <= held
    assert {f"ward/page/{path.name}" for path in (ROOT / "ward" / "page").iterdir()} <= held
    assert {f"mecg/recordings/{name}" for name in ("00010_hr.hea", "00010_hr.dat", "LICENSE.txt")} <= held
    assert not any(name.startswith(("tests/", "training/", "benchmarks/", "recordings/")) for name in held)


def test_the_recording_is_the_one_of_the_checkout() -> None:
    for name in ("00010_hr.hea", "00010_hr.dat", "LICENSE.txt"):
        assert (ROOT / "mecg/recordings" / name).read_bytes() == (
            ROOT / "recordings/ptb-xl" / name
        ).read_bytes()


def test_it_says_who_made_it_and_where(site: Path) -> None:
    (metadata,) = site.glob("*.dist-info/METADATA")
    said = email.message_from_string(metadata.read_text("utf-8"))
    assert said["Author"] and said["Keywords"]
    assert {"Homepage", "Issues"} <= {url.split(",")[0] for url in said.get_all("Project-URL", [])}
    assert "Typing :: Typed" in said.get_all("Classifier", [])


def test_it_streams_what_it_brings_along(site: Path, tmp_path: Path) -> None:
    done = mecg(site, tmp_path, "stream", "--speed", "max")
    assert done.returncode == 0, done.stderr
    assert str(site / "mecg" / "recordings" / "00010_hr") in done.stderr


def test_it_shows_a_picture_of_the_window(site: Path, tmp_path: Path) -> None:
    how = ["monitor", "--screenshot", "window.png", "--seconds", "3"]
    done = mecg(site, tmp_path, *how, QT_QPA_PLATFORM="offscreen")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "window.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.long
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems always have a display")
def test_its_demonstration_leaves_its_files(site: Path, tmp_path: Path) -> None:
    done = mecg(site, tmp_path, "demo")
    assert done.returncode == 0, done.stderr
    left = {path.name for path in (tmp_path / "out" / "demo").iterdir()}
    assert {"00010_hr.hea", "00010_hr.dat", "page.png", "latency.json"} <= left
