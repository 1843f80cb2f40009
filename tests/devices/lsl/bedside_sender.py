"""A bedside in a process of its own: `LslOutlet` with leads that go on, and what markers it is told to send.

Its first argument is the stream's name.  A line of its standard input is a JSON list ``[alarm, rises,
why]``, or a text, which becomes the marker of the user.  It prints ``ready``, and ``heard`` once somebody
reads its markers.
"""

from __future__ import annotations

import json
import sys
import threading
import time

from devices.lsl.outlet import LslOutlet
from streamer.core.events import Alarm, AlarmKind, Beat, Event, Marker
from streamer.core.network.network import Network
from tests.streamer.known_network import scaled_identity
from tests.ward.a_bed import a_description, a_frame


def main() -> None:
    outlet = LslOutlet(sys.argv[1])
    outlet.open(a_description(Network(scaled_identity())))
    print("ready", flush=True)
    threading.Thread(target=_say, args=(outlet,), daemon=True).start()
    begun_s, at = time.monotonic(), 0
    while True:
        outlet.frame(a_frame(at, 10, level_mv=0.05 * (at % 200 == 0)))
        at += 10
        time.sleep(max(0.0, begun_s + at / 250 - time.monotonic()))


def _say(outlet: LslOutlet) -> None:
    while not outlet._events.have_consumers():
        time.sleep(0.02)
    print("heard", flush=True)
    for line in sys.stdin:
        said = json.loads(line)
        event: Event = Marker(said) if isinstance(said, str) else Alarm(AlarmKind(said[0]), *said[1:])
        outlet.event(Beat())
        outlet.event(event)


if __name__ == "__main__":
    main()
