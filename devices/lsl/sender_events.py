# SPDX-License-Identifier: MIT
"""What a sender that is this program says beside its leads: it watches the same person by the same lead."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

from devices.lsl.search import search_for
from streamer.core.events import SenderSaid
from streamer.core.printable import printable

RELAYED = ("alarm", "silence", "quality", "contact", "battery", "drift", "marker", "failed")
"""Of what kinds: the rest is in the stream itself, or of no use elsewhere."""

SEARCH_S = 10.0
"""It is looked for so long: not every sender has such a stream."""

_LOOK_S = 0.1
_MOST = 256
"""Markers at a look: more in a tenth of a second is no bedside."""

_LONGEST = 300


class SenderEvents:
    """Reads the marker stream of one sender.  Nothing here waits.

    Parameters
    ----------
    source_id : str
        Of the stream of leads; nothing is read but for that of a sender that is this program.
    """

    def __init__(self, lsl: Any, source_id: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._lsl = lsl
        self._clock = clock
        ours = re.fullmatch(r"mecg-[0-9a-f]{16}", source_id)
        self._predicate = f"source_id='{source_id}-events' and type='Markers'" if ours else ""
        self._search: Any = None
        self._inlet: Any = None
        self._look_s = self._until_s = 0.0
        self._begin()

    def _begin(self) -> None:
        self._inlet = None
        if self._predicate:
            self._search = search_for(self._lsl, self._predicate)
            self._until_s = self._clock() + SEARCH_S

    def new(self) -> list[SenderSaid]:
        """What has come since it was last asked."""
        now_s = self._clock()
        if now_s < self._look_s:
            return []
        self._look_s = now_s + _LOOK_S
        try:
            self._connect(now_s)
            markers = [] if self._inlet is None else self._inlet.pull_chunk(0.0, _MOST)[0]
        except RuntimeError:  # pylsl's LostError
            self._begin()
            return []
        said = (printable(str(marker[0]), _LONGEST) for marker in markers)
        return [SenderSaid(one) for one in said if one.partition(":")[0] in RELAYED]

    def _connect(self, now_s: float) -> None:
        if self._search is None:
            return
        found = self._search.results()
        if found and found[0].channel_format() == self._lsl.cf_string:
            self._inlet = self._lsl.StreamInlet(found[0], recover=False)
        if found or now_s > self._until_s:
            self._search = None
