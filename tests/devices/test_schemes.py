"""One list of schemes: whoever must know a scheme asks the registry, installed plug-ins included."""

from __future__ import annotations

from pathlib import Path

import pytest

from devices import registry
from devices.bluetooth.sensors import known_sensors
from devices.registry import SCHEMES, is_a_source, is_live, is_radio, open_source, parse_source
from devices.replay.pacing import Replay
from mecg.__main__ import main
from streamer.core.errors import Field, InputError
from streamer.core.stream import Placement
from streamer.session.source import Source
from tests.devices.test_adding_a_device import install, site

__all__ = ["site"]

ALL = (*SCHEMES, "udp", "tape")


class Udp:
    """A live plug-in."""

    live = True

    def __new__(
        cls, rest: str, *, lead: str | None, invert: bool, placement: Placement, replay: Replay
    ) -> Source:
        replay.refuse("udp:")
        raise InputError("udp: is not there")


@pytest.fixture
def plug_ins(site: Path) -> None:
    entries = {"udp": f"{__name__}:Udp", "tape": "devices.replay.synthetic:Synthetic"}
    install(site, "others", entries)
    registry._added.cache_clear()


@pytest.mark.parametrize("scheme", ALL)
def test_every_scheme_is_known_everywhere(
    plug_ins: None,
    scheme: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    for text in (f"{scheme}:5000", f"{scheme.upper()}:"):
        assert is_a_source(text) and parse_source(text)[0] == scheme
        for option in ("--record", "--lsl-out"):
            assert main(["stream", option, text]) == 2
            assert f"{text} is a SOURCE: put it before {option}" in capsys.readouterr().err
    assert not (tmp_path / f"{scheme}:5000").exists()


@pytest.mark.parametrize("scheme", ALL)
def test_a_live_source_takes_no_start_and_only_a_live_one_refuses_it_as_such(
    plug_ins: None, scheme: str
) -> None:
    text = f"{scheme}:"
    try:
        open_source(text, replay=Replay(start_s=1.0))
    except InputError as error:
        assert is_live(text) == (error.field is Field.REPLAY)
    else:
        assert not is_live(text)
    assert not is_radio(text) or is_live(text)


def test_what_is_no_scheme_is_no_source_and_no_radio() -> None:
    for text in ("", "folder", "C:\\sessions", "udp:5000", "tcp:x"):
        assert not is_a_source(text) and not is_radio(text)


def test_the_scan_knows_every_sensor_that_has_a_scheme() -> None:
    assert {sensor.scheme for sensor in known_sensors()} == {
        name for name, scheme in SCHEMES.items() if scheme.radio
    }
