# SPDX-License-Identifier: GPL-3.0-or-later
"""Both ends of a real GATT connection in one process, without a radio and in their own time.

`bumble` is controller, link layer and host of central and peripheral; a small backend lets bleak use
it.  All of it runs in the source's own event loop, whose time jumps to the next thing to happen: an
hour of a strap takes seconds.
"""

from __future__ import annotations

import asyncio
import random
import selectors
from collections.abc import Callable, Mapping
from math import ceil
from typing import Any

from bleak.args import SizedBuffer
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient, NotifyCallback
from bleak.backends.descriptor import BleakGATTDescriptor
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData, BaseBleakScanner
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection
from bleak.exc import BleakError
from bumble import att, core, gatt, hci
from bumble.controller import Controller
from bumble.device import Advertisement, Connection, Device, Peer
from bumble.host import Host
from bumble.link import LocalLink
from bumble.transport.common import AsyncPipeSink

from devices.bluetooth.sensor import Radio
from tests.devices.bluetooth.straps import H10, Movesense

_FLAGS = {
    "read": gatt.Characteristic.Properties.READ,
    "write": gatt.Characteristic.Properties.WRITE,
    "notify": gatt.Characteristic.Properties.NOTIFY,
    "indicate": gatt.Characteristic.Properties.INDICATE,
}


class VirtualTime:
    """Monotonic seconds that pass when nothing else is left to do."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.held: Callable[[], bool] = lambda: False
        """While this is true time stands, so that whoever works in real time can keep up."""

    def __call__(self) -> float:
        return self.now

    def loop(self) -> asyncio.AbstractEventLoop:
        return _VirtualLoop(self)


class _VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self, clock: VirtualTime) -> None:
        self._clock = clock
        super().__init__(_VirtualSelector(clock))

    def time(self) -> float:
        return self._clock.now


class _VirtualSelector(selectors.BaseSelector):
    def __init__(self, clock: VirtualTime) -> None:
        self._clock = clock
        self._real = selectors.DefaultSelector()

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._real.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.modify(fileobj, events, data)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = self._real.select(0)
        if events or timeout == 0:
            return events
        if timeout is None or self._clock.held():
            return self._real.select(0.001)
        self._clock.now += max(timeout, 1e-6)
        return []

    def close(self) -> None:
        self._real.close()

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._real.get_map()


class Air:
    """Sensors within reach of one central.

    Parameters
    ----------
    sensors : sequence
        Each keeps on sampling, link or not, by its own true rate.
    loss : float
        Share of the packets that are lost on the air.
    jitter_s : float
        Mean delay of packets; they keep their order.
    seed : int
        Of loss and jitter.
    """

    def __init__(
        self, *sensors: H10 | Movesense, loss: float = 0.0, jitter_s: float = 0.0, seed: int = 0
    ) -> None:
        self.time = VirtualTime()
        self.sensors = sensors
        self.loss = loss
        self.jitter_s = jitter_s
        self.random = random.Random(seed)
        self.in_range = True
        self.connections = 0
        self.first_after_s = 0.0
        """How long a sensor waits after it was asked to measure."""
        self.tamper: Callable[[H10 | Movesense, int, bytes], list[bytes]] = lambda sensor, start, data: [data]
        """What becomes of each packet on its way."""
        self.on_frame: Callable[[H10 | Movesense, int], None] = lambda sensor, start: None
        """Called after each frame."""
        self._central: Device | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._peripherals: dict[str, Device] = {}
        self._served: dict[str, dict[str, gatt.Characteristic[bytes]]] = {}
        self._last_s = 0.0

    def radio(self) -> Radio:
        """What a source takes instead of the platform's Bluetooth."""
        air = self

        class BumbleScanner(_Scanner):
            world = air

        class BumbleClient(_Client):
            world = air

        return Radio(BumbleClient, BumbleScanner, self.time.loop, self.time)

    @property
    def linked(self) -> int:
        """How many connections there are."""
        return sum(len(peripheral.connections) for peripheral in self._peripherals.values())

    def lose_link(self) -> None:
        """The link breaks; to be called in the loop."""
        assert self._central is not None
        for peripheral in self._peripherals.values():
            for connection in list(peripheral.connections.values()):
                self._spawn(connection.disconnect())

    def send(self, sensor: H10 | Movesense, uuid: str, data: bytes) -> None:
        """Notify or indicate something; to be called in the loop."""
        self._spawn(_send(self._peripherals[sensor.address], self._served[sensor.address][uuid], data))

    def soon(self, delay_s: float, action: Callable[[], object]) -> None:
        """Do something later; to be called in the loop."""
        asyncio.get_running_loop().call_later(delay_s, action)

    def after_passes(self, passes: int, action: Callable[[], object]) -> None:
        """Do something after so many passes of the loop; to be called in it."""

        async def wait() -> None:
            for _ in range(passes):
                await asyncio.sleep(0)
            action()

        self._spawn(wait())

    async def central(self) -> Device:
        """The central; all is made when it is first asked for, in the loop that runs then."""
        if self._central is None:
            link = LocalLink()
            self._central = await _device(link, "central", "F0:F1:F2:F3:F4:F5")
            for sensor in self.sensors:
                peripheral = await _device(link, sensor.name, sensor.address)
                peripheral.gatt_server.max_mtu = sensor.mtu
                self._served[sensor.address] = self._serve(peripheral, sensor)
                await peripheral.start_advertising(advertising_data=_advertisement(sensor), auto_restart=True)
                self._peripherals[sensor.address] = peripheral
                self._tasks.append(asyncio.create_task(self._measure(sensor)))
        return self._central

    def _serve(self, peripheral: Device, sensor: H10 | Movesense) -> dict[str, gatt.Characteristic[bytes]]:
        by_uuid: dict[str, gatt.Characteristic[bytes]] = {}

        def value(uuid: str) -> gatt.CharacteristicValue[bytes]:
            def write(connection: Connection, data: bytes) -> None:
                for to, answer in sensor.write(uuid, bytes(data)):
                    self._spawn(_send(peripheral, by_uuid[to], answer))

            return gatt.CharacteristicValue(read=lambda _: sensor.read(uuid), write=write)

        for service, characteristics in sensor.services.items():
            made = []
            for uuid, flags in characteristics.items():
                properties = gatt.Characteristic.Properties(0)
                for flag in flags:
                    properties |= _FLAGS[flag]
                permissions = gatt.Characteristic.READABLE | gatt.Characteristic.WRITEABLE
                by_uuid[uuid] = gatt.Characteristic(core.UUID(uuid), properties, permissions, value(uuid))
                made.append(by_uuid[uuid])
            peripheral.add_service(gatt.Service(core.UUID(service), made))
        return by_uuid

    def _spawn(self, action: Any) -> None:
        task = asyncio.get_running_loop().create_task(action)
        self._tasks.append(task)
        task.add_done_callback(self._tasks.remove)

    async def _measure(self, sensor: H10 | Movesense) -> None:
        loop = asyncio.get_running_loop()
        while True:
            while not sensor.measuring:
                await asyncio.sleep(0.01)
            await asyncio.sleep(self.first_after_s)
            start = ceil(loop.time() * sensor.rate_hz)
            while sensor.measuring:
                await asyncio.sleep((start + sensor.n) / sensor.rate_hz - loop.time())
                for uuid, data in sensor.packets(start):
                    lost = self.random.random() < self.loss
                    for out in [] if lost else self.tamper(sensor, start, data):
                        delay_s = self.random.expovariate(1 / self.jitter_s) if self.jitter_s else 0.0
                        self._last_s = max(self._last_s + 1e-4, loop.time() + delay_s)
                        loop.call_at(self._last_s, self.send, sensor, uuid, out)
                self.on_frame(sensor, start)
                start += sensor.n


async def _device(link: LocalLink, name: str, address: str) -> Device:
    controller = Controller(name, link=link)
    device = Device(name=name, address=hci.Address(address), host=Host(controller, AsyncPipeSink(controller)))
    await device.power_on()
    return device


async def _send(peripheral: Device, characteristic: gatt.Characteristic[bytes], data: bytes) -> None:
    if characteristic.properties & gatt.Characteristic.Properties.INDICATE:
        await peripheral.indicate_subscribers(characteristic, data)
    else:
        await peripheral.notify_subscribers(characteristic, data)


def _advertisement(sensor: H10 | Movesense) -> bytes:
    # Bumble does not deliver scan responses: the name goes into the advertisement.
    uuids = b"".join(bytes.fromhex(uuid[4:8])[::-1] for uuid in sensor.advertised)
    return bytes(
        core.AdvertisingData(
            [
                (core.AdvertisingData.COMPLETE_LOCAL_NAME, sensor.name.encode()),
                (core.AdvertisingData.INCOMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS, uuids[:2]),
            ]
        )
    )


class _Scanner(BaseBleakScanner):
    world: Air

    def __init__(self, detection_callback: Any, service_uuids: Any, scanning_mode: Any, **_: Any) -> None:
        super().__init__(detection_callback, service_uuids)

    async def start(self) -> None:
        self._device = await self.world.central()
        self.seen_devices = {}
        self._device.on("advertisement", self._heard)
        await self._device.start_scanning()

    async def stop(self) -> None:
        self._device.remove_listener("advertisement", self._heard)
        await self._device.stop_scanning()

    def _heard(self, advertisement: Advertisement) -> None:
        if not self.world.in_range:
            return
        name = advertisement.data.get(core.AdvertisingData.COMPLETE_LOCAL_NAME)
        address = advertisement.address.to_string(False)
        data = AdvertisementData(
            local_name=str(name) if name else None,
            manufacturer_data={},
            service_data={},
            service_uuids=[],
            tx_power=None,
            rssi=-55,
            platform_data=(),
        )
        device = self.create_or_update_device(address, address, data.local_name, advertisement.address, data)
        self.call_detection_callbacks(device, data)


class _Client(BaseBleakClient):
    world: Air

    def __init__(self, address_or_ble_device: BLEDevice, **kwargs: Any) -> None:
        super().__init__(address_or_ble_device, **kwargs)
        self._address: hci.Address = address_or_ble_device.details
        self._connection: Connection | None = None

    @property
    def mtu_size(self) -> int:
        assert self._connection is not None
        return int(self._connection.att_mtu)

    @property
    def is_connected(self) -> bool:
        return self._connection is not None

    async def connect(self, pair: bool, **kwargs: Any) -> None:
        if not self.world.in_range:
            await asyncio.sleep(self._timeout)
            raise TimeoutError
        central = await self.world.central()
        connection = await central.connect(self._address, timeout=self._timeout)
        self.world.connections += 1
        self._connection = connection
        connection.on("disconnection", self._gone)
        peer = Peer(connection)
        await peer.request_mtu(517)
        self.services = BleakGATTServiceCollection()
        for proxy in await peer.discover_services():
            service = BleakGATTService(proxy, proxy.handle, str(_uuid(proxy.uuid)))
            self.services.add_service(service)
            for char in await peer.discover_characteristics(service=proxy):
                flags: list[Any] = [name for name, flag in _FLAGS.items() if char.properties & flag]
                room = connection.att_mtu - 3
                uuid = _uuid(char.uuid)
                self.services.add_characteristic(
                    BleakGATTCharacteristic(char, char.handle, uuid, flags, lambda room=room: room, service)
                )

    def _gone(self, reason: int) -> None:
        self._connection = None
        self.services = None
        if self._disconnected_callback:
            self._disconnected_callback()

    async def disconnect(self) -> None:
        if self._connection is not None:
            await self._connection.disconnect()

    async def pair(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError

    async def unpair(self) -> None:
        raise NotImplementedError

    async def read_gatt_char(self, characteristic: BleakGATTCharacteristic, **kwargs: Any) -> bytearray:
        return bytearray(await _asked(characteristic.obj.read_value()))

    async def read_gatt_descriptor(self, descriptor: BleakGATTDescriptor, **kwargs: Any) -> bytearray:
        raise NotImplementedError

    async def write_gatt_char(
        self, characteristic: BleakGATTCharacteristic, data: SizedBuffer, response: bool
    ) -> None:
        await _asked(characteristic.obj.write_value(bytes(data), with_response=response))

    async def write_gatt_descriptor(self, descriptor: BleakGATTDescriptor, data: SizedBuffer) -> None:
        raise NotImplementedError

    async def start_notify(
        self, characteristic: BleakGATTCharacteristic, callback: NotifyCallback, **kwargs: Any
    ) -> None:
        await _asked(characteristic.obj.subscribe(lambda value: callback(bytearray(value))))

    async def stop_notify(self, characteristic: BleakGATTCharacteristic) -> None:
        raise NotImplementedError


async def _asked(request: Any) -> Any:
    try:
        return await request
    except (att.ATT_Error, core.BaseBumbleError) as error:
        raise BleakError(str(error)) from error


def _uuid(uuid: core.UUID) -> str:
    return (
        uuid.to_hex_str("-").lower()
        if len(uuid.uuid_bytes) == 16
        else (f"0000{uuid.to_hex_str().lower()}-0000-1000-8000-00805f9b34fb")
    )
