"""The worked example of docs/adding-a-device.md works, and what others register is found."""

from __future__ import annotations

import importlib
import json
import os
import re
import socket
import struct
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from devices import registry as open_source
from devices.registry import GROUP, parse_source
from devices.replay.synthetic import Synthetic
from streamer.core.errors import InputError

ROOT = Path(__file__).parents[2]
DOC = (ROOT / "docs" / "adding-a-device.md").read_text("utf-8")


def block(language: str) -> str:
    (text,) = re.findall(rf"^```{language}\n(.*?)^```$", DOC, re.DOTALL | re.MULTILINE)
    return str(text)


def install(folder: Path, package: str, entries: dict[str, str]) -> None:
    """What pip leaves behind of a package that registers sources."""
    info = folder / f"{package.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    lines = "".join(f"{name} = {target}\n" for name, target in entries.items())
    (info / "entry_points.txt").write_text(f"[{GROUP}]\n{lines}")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(tmp_path)
    open_source._added.cache_clear()
    yield tmp_path
    open_source._added.cache_clear()


def test_the_example_streams_through_the_command_line(tmp_path: Path) -> None:
    project = tomllib.loads(block("toml"))
    (tmp_path / "mecg_udp.py").write_text(block("python"))
    install(tmp_path, project["project"]["name"], project["project"]["entry-points"][GROUP])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-W", "error::ResourceWarning", "-m", "mecg", "stream", f"udp:{port}"]
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    with (
        (tmp_path / "out").open("w+") as out_file,
        (tmp_path / "err").open("w+") as err_file,
        subprocess.Popen(
            [*command, "--placement", "arms", "--invert", "--seconds", "3", "--json"],
            stdout=out_file,
            stderr=err_file,
            env=environment,
        ) as stream,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sensor,
    ):
        begun = time.monotonic()
        k = 0
        while stream.poll() is None and time.monotonic() - begun < 60:
            time.sleep(max(0.0, begun + k * 0.04 - time.monotonic()))
            if k % 20 != 7:
                sensor.sendto(struct.pack("<I10h", k * 40, *[1000] * 10), ("127.0.0.1", port))
            if k % 50 == 0:
                sensor.sendto(b"short", ("127.0.0.1", port))
            k += 1
        assert stream.wait(10) is not None
    out, err = (tmp_path / "out").read_text(), (tmp_path / "err").read_text()
    assert stream.returncode == 0, err
    first, *rest = [json.loads(line) for line in out.splitlines()]
    assert (first["source"], first["source_rate_hz"]) == (f"udp:{port}", 250)
    assert (first["input_is_lead_i"], first["inverted"]) == (True, True)
    measured = [mv for line in rest if line["type"] == "frame" for mv in line["measured_mv"]]
    assert len(measured) == 750
    assert measured.count(None) in (30, 40)
    assert "10 samples lost (0.04 s)" in err and "a datagram of 5 bytes was dropped" in err
    assert "state the placement" in err


def test_the_example_refuses_what_it_cannot_use(site: Path) -> None:
    (site / "mecg_udp.py").write_text(block("python"))
    install(site, "mecg-udp", {"udp": "mecg_udp:UdpSensor"})
    importlib.invalidate_caches()
    for text, said in (("udp:", "names no port"), ("udp:99999", "names no port")):
        with pytest.raises(InputError, match=said):
            open_source.open_source(text)
    with pytest.raises(InputError, match="no lead 'V1'"):
        open_source.open_source("udp:5000", lead="V1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(InputError, match="choose another"):
            open_source.open_source(f"udp:{taken.getsockname()[1]}").open()


def test_a_registered_scheme_is_known_and_listed(site: Path) -> None:
    install(site, "third-party", {"Mine": "devices.replay.synthetic:Synthetic"})
    assert parse_source("mine:?bpm=50") == ("mine", "?bpm=50")
    source = open_source.open_source("MINE:?bpm=50")
    assert isinstance(source, Synthetic)
    with pytest.raises(InputError, match=r"file:, .*mine:$"):
        open_source.open_source("other:x")


def test_a_scheme_that_is_claimed_twice_is_refused_with_who_claims_it(site: Path) -> None:
    install(
        site,
        "one",
        {"mine": "devices.replay.synthetic:Synthetic", "wfdb": "devices.replay.synthetic:Synthetic"},
    )
    install(site, "two", {"mine": "devices.replay.synthetic:Synthetic"})
    with pytest.raises(InputError, match=r"mine: is claimed more than once, by (one and two|two and one);"):
        open_source.open_source("mine:")
    with pytest.raises(InputError, match=r"wfdb: is claimed more than once, by one;"):
        open_source.open_source("recording")


@pytest.mark.parametrize("target", ["no_such_module:X", "devices.replay.synthetic:Missing"])
def test_a_package_that_cannot_be_loaded_is_named(site: Path, target: str) -> None:
    install(site, "broken", {"mine": target})
    with pytest.raises(InputError, match="is of the package broken, which cannot be loaded") as caught:
        open_source.open_source("mine:")
    assert str(caught.value).isprintable()
