# SPDX-License-Identifier: MIT
"""A source of your own as a plug-in: ``text:FILE?rate=250`` plays a file with one number (mV) a line.

Installed with this in its pyproject.toml, a package makes ``mecg monitor text:my.txt?rate=250`` work::

    [project.entry-points."mecg.sources"]
    text = "text_file_source:TextFile"

Here it is used by itself::

    python examples/text_file_source.py my.txt?rate=250

A sensor needs a little more: docs/adding-a-device.md has one.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl

import numpy as np
from numpy.typing import NDArray

from devices.replay.pacing import Playback, Replay
from streamer import Chunk, Event, InputError, Pipeline, Placement, StreamInfo, load_model


class TextFile:
    """Follows `streamer.Source`, and `devices.registry.Factory` as it is made."""

    def __init__(
        self, rest: str, *, lead: str | None, invert: bool, placement: Placement, replay: Replay
    ) -> None:
        path, _, query = rest.partition("?")
        rate = dict(parse_qsl(query)).get("rate", "")
        if not rate.isdecimal():
            raise InputError(f"text:{rest} states no rate; write text:{path or 'FILE'}?rate=250")
        self._path, self._rate_hz = Path(path), float(rate)
        self._lead = lead or "I"
        self._sign = np.float32(-1 if invert else 1)
        self._placement = placement
        self._mv: NDArray[np.float32] = np.empty(0, np.float32)
        self.player = Playback(replay)  # with it a window can pause this source and set its speed

    def open(self) -> StreamInfo:
        """Read the file: what is wrong with it is said before the first sample."""
        try:
            lines = self._path.read_text("utf-8").split()
            self._mv = np.array([float(line) for line in lines], np.float32) * self._sign
        except OSError as error:
            raise InputError(f"{self._path} cannot be read: {error.strerror}") from error
        except ValueError as error:
            raise InputError(f"{self._path} holds something else than numbers: {error}") from error
        return StreamInfo(
            source=f"text:{self._path}?rate={self._rate_hz:g}",
            rate_hz=self._rate_hz,
            lead=self._lead,
            is_lead_i=self._lead == "I" and self._placement is not Placement.CHEST,
            inverted=bool(self._sign < 0),
            placement=self._placement,
            samples=len(self._mv),
        )

    def items(self) -> Iterator[Chunk | Event]:
        """Chunks of 20 ms at the speed that was asked for, and what happens beside them."""
        return self.player.play(
            lambda start, stop: (self._mv[start:stop], None), self._rate_hz, len(self._mv)
        )

    def stop(self) -> None:
        """End soon; any thread may ask."""
        self.player.stop()


def main(rest: str) -> None:
    """Play the file as fast as it goes, and count what comes out."""
    replay = Replay(speed=float("inf"))
    source = TextFile(rest, lead=None, invert=False, placement=Placement.ARMS, replay=replay)
    pipeline = Pipeline(source.open(), load_model("low"))
    frames = [f for item in source.items() if isinstance(item, Chunk) for f in pipeline.push(item)]
    frames += pipeline.finish()
    print(
        f"{sum(len(frame.valid) for frame in frames)} samples of twelve leads at {pipeline.spec.rate_hz:g} Hz"
    )


if __name__ == "__main__":
    main(sys.argv[1])
