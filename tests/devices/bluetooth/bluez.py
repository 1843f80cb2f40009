# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for bluetoothd on a private message bus, so that bleak's own BlueZ backend can be run.

It does what BlueZ 5.66 was seen to do, as far as bleak looks: GetManagedObjects, discovery, Connect,
GATT objects that persist over a disconnection, ``ServicesResolved`` and ``Connected`` false in one
signal where a link is lost, an error for a control point whose indications are off.
"""

from __future__ import annotations

import asyncio
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dbus_fast import BusType, Message, MessageType, Variant
from dbus_fast.aio import MessageBus

from tests.devices.bluetooth.straps import CONTROL, H10, Movesense

ADAPTER = "/org/bluez/hci0"
ADVERTISING_S = 0.02
_OBJECTS = "org.freedesktop.DBus.ObjectManager"
_PROPERTIES = "org.freedesktop.DBus.Properties"
_CHARACTERISTIC = "org.bluez.GattCharacteristic1"
_DEVICE = "org.bluez.Device1"


@contextmanager
def message_bus(folder: Path) -> Iterator[str]:
    """Run a private dbus-daemon; yields its address."""
    path = folder / "bus"
    config = folder / "bus.conf"
    config.write_text(
        f"""<busconfig><type>system</type><listen>unix:path={path}</listen><auth>EXTERNAL</auth>
        <policy context="default"><allow send_destination="*"/><allow eavesdrop="false"/>
        <allow own="*"/><allow user="*"/></policy></busconfig>"""
    )
    daemon = subprocess.Popen(
        ["dbus-daemon", f"--config-file={config}", "--nofork", "--print-address=1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # it grumbles where it may not raise its limits
        text=True,
    )
    assert daemon.stdout is not None
    try:
        yield daemon.stdout.readline().strip()
    finally:
        daemon.kill()
        daemon.wait()
        daemon.stdout.close()


class Bluetoothd:
    """org.bluez with one adapter, in a thread with a loop of its own.

    Parameters
    ----------
    address : str
        Of the bus.
    sensors : sequence
        What is in the air.
    disconnect_s : float
        How long Disconnect takes: the real one 2.0 to 2.7 s.
    """

    def __init__(self, address: str, *sensors: H10 | Movesense, disconnect_s: float = 0.0) -> None:
        self.sensors = list(sensors)
        self.powered = True
        self.adapters = True
        self.disconnect_s = disconnect_s
        self.air = set(range(len(sensors)))
        """Which sensors can be heard."""
        self.connections = 0
        self.failures = 0
        """So many attempts to connect fail first, as they do now and then."""
        self.hangs: set[str] = set()
        """Methods that are never answered; also ``services``, which are never resolved."""
        self.asked: list[str] = []
        """Methods that were called."""
        self.discovery_s = 0.0
        """How long it takes to answer that it looks for sensors."""
        self.held: set[int] = set()
        """Which sensors this computer is connected to already: they do not advertise."""
        self._address = address
        self._objects: dict[str, dict[str, dict[str, Variant]]] = {}
        self._notifying: set[str] = set()
        self.discovering = False
        """A scan was begun and not ended."""
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="bluetoothd")
        self._thread.start()
        assert self._ready.wait(10)

    # ---- the test's thread

    def call(self, action: Callable[[], Any]) -> Any:
        """Do something in the thread of the bus."""
        done: asyncio.Future[Any] = asyncio.run_coroutine_threadsafe(self._do(action), self._loop)  # type: ignore[assignment]
        return done.result(10)  # type: ignore[call-arg]

    def notify(self, sensor: H10 | Movesense, packets: list[tuple[str, bytes]]) -> None:
        """Send notifications, where somebody has asked for them."""
        self.call(lambda: [self._notify(sensor, uuid, data) for uuid, data in packets])

    def lose_link(self, sensor: H10 | Movesense) -> None:
        """The link is gone: out of range, battery empty."""
        self.call(lambda: self._disconnected(self._path(sensor)))

    def kill(self) -> None:
        """What SIGKILL does to bluetoothd, as the bus sees it: the name is gone without a word."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)

    # ---- the bus's thread

    async def _do(self, action: Callable[[], Any]) -> Any:
        return action()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._begin())
        self._ready.set()
        self._loop.run_forever()
        self._bus.disconnect()
        self._loop.run_until_complete(self._bus.wait_for_disconnect())
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _begin(self) -> None:
        self._bus = await MessageBus(bus_address=self._address, bus_type=BusType.SYSTEM).connect()
        self._bus.add_message_handler(self._handle)
        await self._bus.request_name("org.bluez")

    def _path(self, sensor: H10 | Movesense) -> str:
        return f"{ADAPTER}/dev_{sensor.address.replace(':', '_')}"

    def _sensor(self, path: str) -> H10 | Movesense:
        return next(s for s in self.sensors if path.startswith(self._path(s)))

    def _signal(self, path: str, interface: str, changed: dict[str, Variant]) -> None:
        self._objects[path][interface].update(changed)
        body = [interface, changed, []]
        self._bus.send(Message.new_signal(path, _PROPERTIES, "PropertiesChanged", "sa{sv}as", body))

    def _add(self, path: str, interfaces: dict[str, dict[str, Variant]]) -> None:
        self._objects[path] = interfaces
        body = [path, interfaces]
        self._bus.send(Message.new_signal("/", _OBJECTS, "InterfacesAdded", "oa{sa{sv}}", body))

    def _managed(self) -> dict[str, dict[str, dict[str, Variant]]]:
        adapter = {
            "Roles": Variant("as", ["central"]),
            "Powered": Variant("b", self.powered),
            "Address": Variant("s", "00:11:22:33:44:55"),
        }
        adapters = {ADAPTER: {"org.bluez.Adapter1": adapter}} if self.adapters else {}
        held = {
            self._path(self.sensors[number]): {_DEVICE: self._about(number, connected=True)}
            for number in self.held
        }
        return {"/org/bluez": {"org.bluez.AgentManager1": {}}, **adapters, **held, **self._objects}

    def _about(self, number: int, *, connected: bool) -> dict[str, Variant]:
        sensor = self.sensors[number]
        return {
            "Address": Variant("s", sensor.address),
            "Alias": Variant("s", sensor.name),
            "Name": Variant("s", sensor.name),
            "Adapter": Variant("o", ADAPTER),
            "Connected": Variant("b", connected),
            "ServicesResolved": Variant("b", connected),
            "Paired": Variant("b", False),
            "UUIDs": Variant("as", list(sensor.advertised)),
            "RSSI": Variant("n", -60 - number),
        }

    def _advertise(self) -> None:
        if not self.discovering:
            return
        self._loop.call_later(ADVERTISING_S, self._advertise)
        for number in self.air - self.held:
            sensor = self.sensors[number]
            path = self._path(sensor)
            if path in self._objects:
                self._signal(path, _DEVICE, {"RSSI": Variant("n", -60 - number)})
                continue
            self._add(path, {_DEVICE: self._about(number, connected=False)})

    def _resolve(self, sensor: H10 | Movesense) -> None:
        handle = 0x0E
        path = self._path(sensor)
        for service, characteristics in sensor.services.items():
            service_path = f"{path}/service{handle:04x}"
            if service_path in self._objects:
                return  # GATT objects persist
            handle += 1
            about = {
                "UUID": Variant("s", service),
                "Device": Variant("o", path),
                "Primary": Variant("b", True),
            }
            self._add(service_path, {"org.bluez.GattService1": about})
            for uuid, flags in characteristics.items():
                char_path = f"{service_path}/char{handle:04x}"
                handle += 3
                about = {
                    "UUID": Variant("s", uuid),
                    "Service": Variant("o", service_path),
                    "Flags": Variant("as", flags),
                    "MTU": Variant("q", sensor.mtu),
                    "Notifying": Variant("b", False),
                }
                self._add(char_path, {_CHARACTERISTIC: about})

    def _disconnected(self, path: str) -> None:
        if not self._objects[path][_DEVICE]["Connected"].value:
            return
        gone = {"ServicesResolved": Variant("b", False), "Connected": Variant("b", False)}
        self._signal(path, _DEVICE, gone)
        for char_path in [p for p in self._notifying if p.startswith(path)]:
            self._notifying.discard(char_path)
            self._signal(char_path, _CHARACTERISTIC, {"Notifying": Variant("b", False)})

    def _notify(self, sensor: H10 | Movesense, uuid: str, data: bytes) -> None:
        for path in self._notifying:
            about = self._objects[path][_CHARACTERISTIC]
            if path.startswith(self._path(sensor)) and about["UUID"].value == uuid:
                self._signal(path, _CHARACTERISTIC, {"Value": Variant("ay", data[: sensor.mtu - 3])})

    def _handle(self, message: Message) -> Message | bool | None:
        if message.message_type is not MessageType.METHOD_CALL or message.path is None:
            return None
        path, member = message.path, str(message.member)
        self.asked.append(member)
        if member in self.hangs:
            return True
        if member == "GetManagedObjects":
            return Message.new_method_return(message, "a{oa{sa{sv}}}", [self._managed()])
        if member == "SetDiscoveryFilter":
            return Message.new_method_return(message)
        if member in ("StartDiscovery", "StopDiscovery"):
            self.discovering = member == "StartDiscovery"
            self._loop.call_soon(self._advertise)
            if self.discovering and self.discovery_s:
                self._loop.call_later(self.discovery_s, self._bus.send, Message.new_method_return(message))
                return True
            return Message.new_method_return(message)
        if path not in self._objects:
            return Message.new_error(message, "org.freedesktop.DBus.Error.UnknownObject", "no such object")
        sensor = self._sensor(path)
        device = self._path(sensor)
        if member == "Connect":
            self.failures -= 1
            if self.failures >= 0:
                return Message.new_error(message, "org.bluez.Error.Failed", "le-connection-abort")
            self.connections += 1
            self._signal(device, _DEVICE, {"Connected": Variant("b", True)})
            if "services" in self.hangs:
                return Message.new_method_return(message)
            self._resolve(sensor)
            self._signal(device, _DEVICE, {"ServicesResolved": Variant("b", True)})
            return Message.new_method_return(message)
        if member == "Disconnect":
            self._loop.call_later(self.disconnect_s, self._disconnected, device)
            return Message.new_method_return(message)
        if member == "StartNotify":
            self._notifying.add(path)
            return Message.new_method_return(message)
        if member == "StopNotify":
            self._notifying.discard(path)
            return Message.new_method_return(message)
        uuid = self._objects[path][_CHARACTERISTIC]["UUID"].value
        if member == "ReadValue":
            value = sensor.read(uuid)
            # BlueZ shows what is read to whoever listens, too.
            self._signal(path, _CHARACTERISTIC, {"Value": Variant("ay", value)})
            return Message.new_method_return(message, "ay", [value])
        if member == "WriteValue":
            if uuid == CONTROL and path not in self._notifying:
                error = "Operation failed with ATT error: 0xfd"
                return Message.new_error(message, "org.bluez.Error.Failed", error)
            for to, data in sensor.write(uuid, bytes(message.body[0])):
                self._loop.call_soon(self._notify, sensor, to, data)
            return Message.new_method_return(message)
        return Message.new_error(message, "org.freedesktop.DBus.Error.UnknownMethod", member)
