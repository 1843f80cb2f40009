# SPDX-License-Identifier: MIT
"""What a Bluetooth sensor sends: samples placed in time, its own messages as events, and the rest counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from math import inf

from devices.bluetooth import gatt
from devices.bluetooth.gatt import BadFrameError
from devices.bluetooth.sensor import Sensor
from devices.live.feed import Feed
from devices.live.timeline import Timeline
from streamer.core.errors import InputError
from streamer.core.events import Battery, Contact, Dropped, Notice, SensorRate, State, Topic

HEART_RATE, BATTERY = "heart rate", "battery"
"""Tags of what every kind may send beside its ECG."""

LOW_BATTERY = 10
"""Percent; below it the user is warned."""

_TELL_S = 1.0
"""Frames that were dropped are told at most this often."""

_PULSE_S = 60.0
"""The strap's own heart rate is reported at most this often."""


class Frames:
    """Reads frame after frame, over as many links as there are, and puts what they say into a feed.

    Parameters
    ----------
    sensor : Sensor
        The kind.
    inverted : bool
        Turn the polarity.
    feed : Feed
        Takes chunks and events.
    clock : callable
        Monotonic seconds.
    """

    def __init__(self, sensor: Sensor, inverted: bool, feed: Feed, clock: Callable[[], float]) -> None:
        self._sensor = sensor
        self._inverted = inverted
        self._feed = feed
        self._clock = clock
        self.timeline = Timeline(sensor.rate_hz, sensor.stamp_jitter_s)
        self.rejected: Counter[str] = Counter()
        """Frames that were dropped, by what was wrong with them."""
        self._told: Counter[str] = Counter()
        self._told_s = self._pulse_s = -inf
        self._contact: bool | None = None
        self._battery_is_low = False

    def take(self, tag: str, arrival_s: float, data: bytes, name: str) -> None:
        """Read one frame of the sensor that has this name.

        Raises
        ------
        InputError
            The samples come at another rate: it is another stream.
        LinkLostError
            The sensor says goodbye.
        """
        try:
            if tag == HEART_RATE:
                self._hear_pulse(gatt.decode_heart_rate(data))
                return
            if tag == BATTERY:
                self._hear_battery(gatt.decode_battery(data), name)
                return
            packets = self._sensor.receive(tag, data)
        except BadFrameError as bad:
            packets = [bad]
        for packet in packets:
            if isinstance(packet, BadFrameError):
                self.rejected[str(packet)] += 1
                continue
            lead_mv = -packet.lead_mv if self._inverted else packet.lead_mv
            self._feed.put(self.timeline.place(lead_mv, packet.stamp_s, arrival_s, packet.anchor))
        other_hz = self.timeline.other_rate_hz
        if other_hz is not None:
            raise InputError(
                f"{name} sends {other_hz:.1f} samples a second, not {self._sensor.rate_hz:g}: "
                "that is another stream; start again, with the rate that it has"
            )

    def tell_rejected(self, *, now: bool = False) -> None:
        """Report what was dropped since the last report, if it is time."""
        new = self.rejected - self._told
        if new and (now or self._clock() - self._told_s >= _TELL_S):
            self._told, self._told_s = self.rejected.copy(), self._clock()
            listed = ", ".join(f"{count} x {what}" for what, count in new.items())
            self._feed.put([Dropped(new.total(), f"frames rejected: {listed}", host_s=self._told_s)])

    def silence_advice(self, rejected: int) -> str:
        """What to do about a link that brings no samples; before it, so many frames had been rejected."""
        if self._feed.state is State.WAITING and self.rejected.total() > rejected:
            what = ", ".join(sorted(self.rejected))
            return (
                f"frames come but cannot be read ({what}): see that no other program has set it otherwise, "
                "take it off for a minute so that it starts again, and update its firmware"
            )
        if self._feed.state is State.WAITING and self._sensor.measured_already:
            return "it measures already, for another phone or program: end that"
        return self._sensor.silence_advice

    def _hear_battery(self, percent: int, name: str) -> None:
        self._feed.say(Battery(percent))
        is_low = percent < LOW_BATTERY
        if is_low and not self._battery_is_low:
            text = f"the battery of {name} is at {percent} %: change or charge it soon"
            self._feed.say(Notice(Topic.LINK, text))
        self._battery_is_low = is_low

    def _hear_pulse(self, pulse: gatt.HeartRate) -> None:
        if pulse.contact is not None and pulse.contact != self._contact:
            self._contact = pulse.contact
            text = "the strap feels skin" if pulse.contact else "the strap feels no skin"
            self._feed.say(Contact(pulse.contact, text))
        now_s = self._clock()
        if pulse.bpm and now_s - self._pulse_s >= _PULSE_S:
            self._pulse_s = now_s
            self._feed.say(SensorRate(pulse.bpm))
