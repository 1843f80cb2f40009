# SPDX-License-Identifier: MIT
"""The Bluetooth link that every BLE sensor shares: found, connected, watched, found again.

All of it runs in a thread of its own with an asyncio loop, on `bleak`.  One link is one fresh scan, one
new client and, whatever happens, one ``disconnect()``: a client that lost its link still holds a
descriptor, and one used twice holds two.  Callbacks only stamp and queue.  What bleak reports is
not trusted to be all: where bluetoothd dies it reports nothing, so the data are watched.
"""

from __future__ import annotations

import asyncio
import atexit
import threading
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future, wait
from contextlib import AbstractAsyncContextManager

from bleak import BleakClient

from devices.bluetooth.about import ask_for_extras, described, make_of
from devices.bluetooth.failures import (
    LinkLostError,
    RefusedError,
    asked_in_time,
    explain,
    report_unless,
)
from devices.bluetooth.frames import Frames
from devices.bluetooth.search import Search
from devices.bluetooth.sensor import NO_RSSI, Link, Radio, Sensor
from devices.live.feed import Feed, Timeouts
from devices.live.timeline import Timeline
from devices.replay.pacing import AS_RECORDED, Replay
from streamer.core.errors import Field, InputError
from streamer.core.events import Event, Notice, State, Topic
from streamer.core.leads import canonical_lead
from streamer.core.stream import Chunk, Placement, StreamInfo

CONNECT_S = 12.0
OPEN_ATTEMPTS = 3
LINK_S = 45.0
"""From the scan until the sensor is asked to measure, however many answers each take their time."""

DISCONNECT_S = 3.0
"""BlueZ takes 2.0 to 2.7 s to disconnect."""

LAST_DISCONNECT_S = 0.5
"""At a stop it is asked no less, but not waited for: it finishes by itself."""

_CLOSE_S = 1.4
"""At the program's exit the link has so long to end: Ctrl-C ends everything within 2 s."""

GOODBYE_S = 0.8

_LOOK_S = 0.1
"""Ctrl-C is seen that late while a sensor is looked for."""

_GONE = "gone"
_LEAST_MTU = 23
_TICK_S = 0.25


class BleSource:
    """A BLE sensor as a source; follows `streamer.session.source.Source`.

    Parameters
    ----------
    sensor : Sensor
        The kind.
    wanted : str
        An address, a name or the last word of one; empty for the nearest of its kind.
    lead : str, optional
        There is one lead only; a name other than Lead I is refused.
    invert : bool
        Turn the polarity.
    placement : Placement
        A strap is taken to be on the chest unless it is stated to be on the arms: to take a chest
        lead for Lead I would be wrong in silence, the reverse is a warning too many.
    replay : Replay
        Refused: it is live.
    radio : Radio, optional
        For tests.
    patience : Timeouts, optional
        For tests.

    Raises
    ------
    InputError
        Another lead, or options of a replay.
    """

    def __init__(
        self,
        sensor: Sensor,
        wanted: str = "",
        *,
        lead: str | None = None,
        invert: bool = False,
        placement: Placement = Placement.UNSTATED,
        replay: Replay = AS_RECORDED,
        radio: Radio | None = None,
        patience: Timeouts | None = None,
    ) -> None:
        if canonical_lead(lead or "I") != "I":
            raise InputError(
                f"{sensor.scheme}: has one lead only, no {lead!r}", Field.LEAD, choices=("I",), leave_out=True
            )
        replay.refuse(f"{sensor.scheme}:")
        self._sensor = sensor
        self._inverted = invert
        self._placement = placement
        self._radio = radio or Radio()
        patience = patience or Timeouts(first_s=sensor.first_s)
        self._feed = Feed(patience, self._radio.clock, self._wake)
        self._search = Search(sensor, wanted.strip(), self._radio, self._feed.say)
        self._frames = Frames(sensor, invert, self._feed, self._radio.clock)
        self._opened: Future[StreamInfo] = Future()
        self._thread = threading.Thread(target=self._run, name=f"{sensor.scheme} link", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._begin, self._stop = asyncio.Event(), asyncio.Event()
        self._let_go = False  # of the first link, or of the search for one
        self._cancelled = False  # a stop has cancelled the work

    @property
    def timeline(self) -> Timeline:
        """Where samples lie in time, and what was counted of them."""
        return self._frames.timeline

    @property
    def rejected(self) -> Counter[str]:
        """Frames that were dropped, by what was wrong with them."""
        return self._frames.rejected

    # ---- any thread

    def announce_to(self, hear: Callable[[Event], None]) -> None:
        """Report each step to ``hear`` as it is made, until `items` is iterated."""
        self._feed.listener = hear

    def open(self) -> StreamInfo:
        """Find the sensor, connect to it and see what it can do; it measures from `items` on.

        Raises
        ------
        InputError
            No Bluetooth, no such sensor, or one that does not do what is needed.
        """
        atexit.register(self._close)
        self._thread.start()
        try:
            # Not one long wait: Ctrl-C does not end that if another thread gets the signal.
            while not wait({self._opened}, _LOOK_S).done:
                pass
            return self._opened.result()
        except BaseException:  # Ctrl-C among them
            self.stop()
            raise

    def items(self) -> Iterator[Chunk | Event]:
        """Chunks and events; call `open` first."""
        return self._feed.items()

    def stop(self) -> None:
        """Ask `items` to end; the sensor is told to stop, then the link is ended."""
        self._feed.stop()

    def _close(self) -> None:
        """At exit: a sensor must not be left measuring."""
        self.stop()
        self._thread.join(_CLOSE_S)

    def _wake(self) -> None:
        loop = self._loop
        if loop is None or loop.is_closed():
            return
        try:
            loop.call_soon_threadsafe(self._notice)
        except RuntimeError:
            return  # closed since: the link has ended, and nothing is left to be woken

    # ---- the link's thread

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=self._radio.loop) as runner:
                self._loop = runner.get_loop()
                self._loop.set_exception_handler(report_unless(lambda: self._let_go))
                runner.run(self._until_stopped())
        except Exception as error:  # noqa: BLE001 - a mistake of ours, for the caller to see
            self._end(f"the link failed: {explain(error)}", error)
        finally:
            atexit.unregister(self._close)

    def _notice(self) -> None:
        if self._feed.stopping.is_set():
            self._stop.set()
        elif self._feed.begun.is_set():
            self._begin.set()

    async def _until_stopped(self) -> None:
        self._notice()
        work = asyncio.create_task(self._keep_linked())
        stop = asyncio.create_task(self._stop.wait())
        await asyncio.wait({work, stop}, return_when=asyncio.FIRST_COMPLETED)
        self._let_go = self._cancelled = True
        work.cancel()
        stop.cancel()
        try:
            await work
        except asyncio.CancelledError:
            self._end("stopped")
        except InputError as error:
            self._end(str(error), error)

    def _end(self, text: str, error: Exception | None = None) -> None:
        self._frames.tell_rejected(now=True)
        if not self._opened.done():
            self._opened.set_exception(error or InputError("stopped before the sensor was connected"))
        self._feed.end(text, error)

    async def _keep_linked(self) -> None:
        """Link after link, until one ends with an `InputError` or the task is cancelled."""
        self._feed.enter(State.CONNECTING, f"looking for {self._search.wanted or f'a {self._sensor.kind}'}")
        attempt = 0
        while True:
            before = self.timeline.counts.packets
            try:
                await self._link()
            except (RefusedError, LinkLostError) as end:
                # Who was never seen is not there; a first attempt to connect fails often enough.
                hopeless = not self._opened.done() and (not self._address or attempt >= OPEN_ATTEMPTS - 1)
                # What it has refused before any sample, it will refuse again.
                refused = isinstance(end, RefusedError) and not self.timeline.counts.packets
                if hopeless or refused:
                    raise InputError(str(end)) from end
                attempt = 0 if self.timeline.counts.packets > before else attempt + 1
                self._unless_stopped()
                self._feed.enter(State.RECONNECTING, f"{end}; trying again")
            await asyncio.sleep(self._feed.patience.before_attempt(attempt))

    async def _link(self) -> None:
        """One link, from the scan to its end; always raises."""
        inbox: asyncio.Queue[tuple[str, float, bytes]] = asyncio.Queue()
        gone = asyncio.Event()
        client: BleakClient | None = None
        link: Link | None = None

        def lost(_: BleakClient) -> None:
            gone.set()
            inbox.put_nowait((_GONE, self._radio.clock(), b""))

        try:
            async with self._asked():
                device, seen = await self._search.find()
                self._step(f"found {self._name} ({self._address}) at {_strength(seen.rssi)}; connecting")
                client = BleakClient(
                    device, disconnected_callback=lost, timeout=CONNECT_S, backend=self._radio.client
                )
                await client.connect()
                link = Link(client, inbox, self._radio.clock)
                self._step(f"connected to {self._name}, its services are known; asking for its settings")
                await _unless(gone, self._sensor.prepare(link))
                self._step(
                    f"{self._name} offers {self._sensor.rate_hz:g} Hz; asking for battery and heart rate"
                )
                await _unless(gone, ask_for_extras(link, self._name, self._feed.say))
                self._tell_link(link, seen.rssi)
                if not self._opened.done():
                    self._opened.set_result(self._described(await make_of(link)))
            await _unless(gone, self._begin.wait())
            async with self._asked():
                self.timeline.reconnected()
                self._step(f"asking {self._name} for its ECG")
                self._feed.enter(State.WAITING, f"connected to {self._name}; waiting for its first sample")
                await _unless(gone, self._sensor.start(link))
            await self._receive(inbox, self.rejected.total())
        finally:
            if client is not None:
                await self._say_goodbye(client, link)

    @property
    def _name(self) -> str:
        return self._search.name

    @property
    def _address(self) -> str:
        return self._search.address

    def _step(self, text: str) -> None:
        self._unless_stopped()
        self._feed.say(Notice(Topic.CONNECTING, text))

    def _unless_stopped(self) -> None:
        """A wait below us may have swallowed the cancellation (`asyncio.wait_for` of Python 3.11 does).

        It has to have come: one that is still to come would break off the goodbye, and leave the sensor
        measuring.
        """
        if self._cancelled:
            raise asyncio.CancelledError

    def _asked(self) -> AbstractAsyncContextManager[None]:
        return asked_in_time(LINK_S, lambda: (self._name, self._address), self._step)

    def _described(self, make: str) -> StreamInfo:
        name, address = self._name, self._address
        return described(self._sensor, name, address, make, self._placement, inverted=self._inverted)

    async def _receive(self, inbox: asyncio.Queue[tuple[str, float, bytes]], rejected: int) -> None:
        """Take what comes until the link is gone, by its own account or by its silence; always raises.

        Before, so many frames had been rejected.
        """
        while True:
            self._unless_stopped()
            try:
                async with asyncio.timeout(_TICK_S):
                    tag, arrival_s, data = await inbox.get()
            except TimeoutError:
                pass
            else:
                if tag == _GONE:
                    raise LinkLostError(f"the link to {self._name} is lost")
                self._frames.take(tag, arrival_s, data, self._name)
            self._frames.tell_rejected()
            why = self._feed.watch()
            if why:
                raise LinkLostError(f"{why}; {self._frames.silence_advice(rejected)}")

    def _tell_link(self, link: Link, rssi: int) -> None:
        # What bleak does not tell anywhere is the connection interval.
        mtu = str(link.mtu) if link.mtu > _LEAST_MTU else f"{_LEAST_MTU}, or not told by this system"
        self._feed.say(Notice(Topic.LINK, f"{self._name} ({self._address}) at {_strength(rssi)}, MTU {mtu}"))

    async def _say_goodbye(self, client: BleakClient, link: Link | None) -> None:
        """Stop the measurement, then let go of the client, whatever state it is in."""
        self._let_go = True
        try:
            if link is not None and client.is_connected:
                await self._try(self._sensor.stop(link), GOODBYE_S, "could not be told to stop measuring")
        finally:  # a stop may cancel the goodbye to a link that fell silent
            patience_s = DISCONNECT_S
            if self._stop.is_set():
                patience_s = LAST_DISCONNECT_S
                self._end("stopped")  # the consumer need not wait for it
            await self._try(client.disconnect(), patience_s, "could not be disconnected")

    async def _try(self, action: Coroutine[object, object, None], patience_s: float, failure: str) -> None:
        try:
            async with asyncio.timeout(patience_s):
                await action
        except Exception as error:  # noqa: BLE001 - as above; the link ends in any case, and it is reported
            self._feed.say(Notice(Topic.LINK, f"{self._name} {failure}: {explain(error)}"))


def _strength(rssi: int) -> str:
    return f"{rssi} dBm" if rssi > NO_RSSI else "unknown strength"


async def _unless(gone: asyncio.Event, action: Coroutine[object, object, object]) -> None:
    """Do something, but do not wait for an answer over a link that is gone."""
    tasks = [asyncio.ensure_future(action), asyncio.ensure_future(gone.wait())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if not tasks[0].done():
            raise LinkLostError("the link is lost")
        tasks[0].result()
    finally:
        for task in tasks:
            task.cancel()
