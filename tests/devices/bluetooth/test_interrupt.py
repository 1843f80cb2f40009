# SPDX-License-Identifier: GPL-3.0-or-later
"""Ctrl-C ends a real process within 2 s, wherever it stands on its way to the first sample and behind it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.devices.bluetooth.bluez import Bluetoothd, message_bus
from tests.devices.bluetooth.straps import H10

pytestmark = [
    pytest.mark.skipif(
        shutil.which("dbus-daemon") is None, reason="dbus-daemon is not installed (apt install dbus-daemon)"
    ),
    pytest.mark.timeout(120),
]


def in_time(took_s: float) -> bool:
    """Whether it took less than 2 s; on a machine that is busy otherwise each takes as much longer."""
    return took_s < 2.0 * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[str]:
    with message_bus(tmp_path) as address:
        yield address


def interrupted(
    tmp_path: Path,
    source: str,
    ready: Callable[[str], object],
    environment: dict[str, str],
    loaded: str = "",
) -> tuple[int, float, str]:
    """Exit code, seconds from Ctrl-C to the end, and stderr of ``mecg stream``, stopped once it is ready."""
    said = tmp_path / "stderr"
    with said.open("w") as err:
        process = subprocess.Popen(
            [sys.executable, "-m", "mecg", "stream", source],
            stdout=subprocess.DEVNULL,
            stderr=err,
            env=os.environ | environment,
        )
    try:
        end_s = time.monotonic() + 60
        maps = Path(f"/proc/{process.pid}/maps")
        while not (ready(said.read_text()) and loaded in maps.read_text()):
            assert process.poll() is None and time.monotonic() < end_s, said.read_text()
            time.sleep(0.01)
        begun_s = time.monotonic()
        process.send_signal(signal.SIGINT)
        code = process.wait(20)
        return code, time.monotonic() - begun_s, said.read_text()
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    "hangs",
    [
        "StartDiscovery",
        "nothing in sight",
        "Connect",
        "services",
        "services, and the link ends late",
        "ReadValue",
        "StartNotify",
        "WriteValue",
    ],
)
def test_ctrl_c_while_a_sensor_does_not_answer(tmp_path: Path, bus: str, hangs: str) -> None:
    hangs, _, late = hangs.partition(",")
    air = Bluetoothd(bus, H10(), disconnect_s=0.5 if late else 0.0)
    air.hangs = {hangs}
    if hangs == "nothing in sight":
        air.air.clear()
    reached = {"services": "Connect", "nothing in sight": "StartDiscovery"}.get(hangs, hangs)
    try:
        code, took_s, said = interrupted(
            tmp_path, "polar:", lambda _: reached in air.asked, {"DBUS_SYSTEM_BUS_ADDRESS": bus}
        )
    finally:
        air.kill()
    assert (code, in_time(took_s)) == (130, True), (took_s, said)
    assert "Traceback" not in said and "Error" not in said, said


@pytest.mark.parametrize("comes", [False, True])
def test_ctrl_c_before_and_after_the_first_sample_while_the_sensor_hangs(
    tmp_path: Path, bus: str, comes: bool
) -> None:
    strap = H10()
    air = Bluetoothd(bus, strap)
    sent = 0

    def ready(said: str) -> bool:
        nonlocal sent
        if not strap.measuring:
            return False
        if comes and "receiving samples" not in said:
            air.notify(strap, strap.packets(73 * sent))
            sent += 1
            return False
        air.hangs = {"WriteValue", "Disconnect"}  # it neither stops measuring nor lets go
        return True

    try:
        code, took_s, said = interrupted(tmp_path, "polar:", ready, {"DBUS_SYSTEM_BUS_ADDRESS": bus})
    finally:
        air.kill()
    assert (code, in_time(took_s)) == (130, True), (took_s, said)
    assert "Traceback" not in said, said


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="as Linux tells what is loaded")
@pytest.mark.parametrize("source", ["lsl:nobody sends this", pytest.param("polar:", marks=pytest.mark.long)])
@pytest.mark.parametrize("loaded", ["_struct", "_multiarray_umath", "llvmlite"])
def test_ctrl_c_while_the_program_is_still_being_loaded(
    tmp_path: Path, bus: str, source: str, loaded: str
) -> None:
    code, took_s, said = interrupted(
        tmp_path, source, lambda _: True, {"DBUS_SYSTEM_BUS_ADDRESS": bus}, loaded=loaded
    )
    assert (code, in_time(took_s)) == (130, True), (code, took_s, said)
    assert "Traceback" not in said, said
