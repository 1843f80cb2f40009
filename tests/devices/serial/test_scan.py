# SPDX-License-Identifier: GPL-3.0-or-later
"""Which ports are listed, and as what."""

from __future__ import annotations

import pytest

pytest.importorskip("serial")

from serial.tools import list_ports
from serial.tools.list_ports_common import ListPortInfo

from devices.registry import open_source, parse_source
from devices.serial.scan import scan_ports
from streamer.core.errors import InputError


def port(device: str, **facts: object) -> ListPortInfo:
    info = ListPortInfo(device)
    for name, fact in facts.items():
        setattr(info, name, fact)
    return info


def test_every_port_says_what_it_is_and_what_must_be_stated(monkeypatch: pytest.MonkeyPatch) -> None:
    ports = [
        port("/dev/ttyS0"),
        port("/dev/ttyACM0", vid=0x2341, pid=0x43, manufacturer="Arduino", product="Uno", serial_number="7"),
        port("/dev/ttyUSB0", vid=0x0403, pid=0x6015, product="FT231X USB UART"),
        port("/dev/ttyACM1", vid=0x2458, pid=0x0001),
    ]
    monkeypatch.setattr(list_ports, "comports", lambda: ports)
    found = {one.source: one for one in scan_ports(0.0)}
    assert list(found)[-1] == "serial:/dev/ttyS0"  # what is plugged in comes first
    uno = found["serial:/dev/ttyACM0"]
    assert (uno.name, uno.address, uno.kind) == ("Arduino Uno", "7", "port")
    assert "Arduino" in uno.what and "rate=" in uno.why_not and "uv=" in uno.why_not
    assert "brainflow:cyton?serial_port=/dev/ttyUSB0" in found["serial:/dev/ttyUSB0"].why_not
    assert "Ganglion" in found["brainflow:ganglion?serial_port=/dev/ttyACM1"].words
    for source in found:
        assert parse_source(source)[0] in ("serial", "brainflow")


@pytest.mark.parametrize("count", [0, 1, 3])
def test_the_only_port_that_is_plugged_in_need_not_be_named(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ports = [port(f"/dev/no-such-port{k}", vid=0x2341, pid=0x43) for k in range(count)]
    monkeypatch.setattr(list_ports, "comports", lambda: [port("/dev/ttyS0"), *ports])
    with pytest.raises(InputError) as refused:
        open_source("serial:?rate=250&uv=0.8").open()
    says = {
        0: "none is plugged in",
        1: "no-such-port0: there is no such port",
        3: "name one of /dev/no-such-port0",
    }
    assert says[count] in refused.value.line
