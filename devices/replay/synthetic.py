# SPDX-License-Identifier: MIT
"""``synthetic:`` - an ECG made of five waves, with beats at known places, for demos and tests.

After McSharry, Clifford, Tarassenko, Smith, "A dynamical model for generating synthetic
electrocardiogram signals", IEEE Trans Biomed Eng 50 (2003) 289: a beat is a sum of Gaussians for P,
Q, R, S and T.  Theirs are integrated along a limit cycle; ours stand at fixed instants, so that a
sample depends on its index alone, and the beats are where `Synthetic.beats` says.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from urllib.parse import parse_qsl

import numpy as np
from numpy.typing import NDArray

from devices.replay.pacing import AS_RECORDED, Playback, Replay
from streamer.core.errors import Field, InputError
from streamer.core.events import Event
from streamer.core.leads import canonical_lead
from streamer.core.signal.rate import SOURCE_HZ
from streamer.core.stream import Chunk, Placement, Samples, StreamInfo

# mV, seconds from R at 60 beats a minute, width (SD) in seconds.  P and T move with the root of
# the beat's length, as the QT interval does (Bazett); the QRS does not.
_P = (0.12, -0.17, 0.020)
_QRS = ((-0.08, -0.027, 0.009), (0.90, 0.0, 0.011), (-0.15, 0.028, 0.009))
_T = (0.25, 0.27, 0.045)

_BPM = (20.0, 300.0)


class Synthetic:
    """An ECG-like Lead I without noise or end; follows `streamer.session.source.Source`.

    Parameters
    ----------
    rest : str
        What follows ``synthetic:``, such as ``?rate=500&bpm=72&seconds=60``; all of it may be left
        out.  Without ``seconds`` it never ends.
    lead : str, optional
        Only Lead I is made.
    invert, placement
        As `devices.registry.open_source` takes them.
    replay, chunk_samples, clock, sleep
        As `devices.replay.pacing.Playback` takes them.

    Raises
    ------
    InputError
        An unknown or impossible parameter, another lead.
    """

    def __init__(
        self,
        rest: str = "",
        *,
        lead: str | None = None,
        invert: bool = False,
        placement: Placement = Placement.UNSTATED,
        replay: Replay = AS_RECORDED,
        chunk_samples: int | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        if rest and not rest.startswith("?"):
            raise InputError(f"synthetic: takes no {rest!r}; write synthetic:?rate=500&bpm=72")
        given = dict(parse_qsl(rest[1:], keep_blank_values=True))
        unknown = sorted(given.keys() - {"rate", "bpm", "seconds"})
        if unknown:
            raise InputError(f"synthetic: knows no {unknown[0]!r}; it takes rate, bpm and seconds")
        if canonical_lead(lead or "I") != "I":
            raise InputError(
                f"synthetic: has no lead {lead!r}, only I", Field.LEAD, choices=("I",), leave_out=True
            )
        self.rate_hz = _number(given, "rate", 500.0, *SOURCE_HZ)
        self._bpm = _number(given, "bpm", 72.0, *_BPM)
        self._samples = (
            round(_number(given, "seconds", 0.0, 0.01, 1e6) * self.rate_hz) if "seconds" in given else None
        )
        self._rest = rest
        self._sign = -1.0 if invert else 1.0
        self._placement = placement
        self._replay = replay
        self.player = Playback(replay, chunk_samples, clock, sleep)
        """Pauses it and sets its speed."""

    def open(self) -> StreamInfo:
        """Describe the stream.

        Raises
        ------
        InputError
            A start behind the end.
        """
        length = self._replay.length(self.rate_hz, self._samples)
        return StreamInfo(
            source=f"synthetic:{self._rest}",
            rate_hz=self.rate_hz,
            is_lead_i=self._placement is not Placement.CHEST,
            inverted=self._sign < 0,
            placement=self._placement,
            device="synthetic",
            synthetic=True,
            speed=self._replay.speed,
            start_s=self._replay.start_s,
            samples=None if self._replay.loop else length,
            notes=(
                f"A synthetic ECG of {self._bpm:g} beats a minute at {self.rate_hz:g} Hz, nobody's heart.",
                *self._replay.notes(),
            ),
        )

    def items(self) -> Iterator[Chunk | Event]:
        """The chunks and the changes of state."""
        return self.player.play(self._read, self.rate_hz, self._samples)

    def stop(self) -> None:
        """Ask `items` to end; returns at once."""
        self.player.stop()

    def beats(self, start: int, stop: int) -> NDArray[np.int64]:
        """The samples nearest to the R peaks of the beats in ``[start, stop)``; the first R peak
        comes half a beat's length after sample 0.
        """
        length = 60 / self._bpm * self.rate_hz
        first = max(0, int(start / length) - 1)
        peaks = np.rint((np.arange(first, int(stop / length) + 2) + 0.5) * length).astype(np.int64)
        inside: NDArray[np.int64] = peaks[(peaks >= start) & (peaks < stop)]
        return inside

    def lead_mv(self, start: int, stop: int) -> Samples:
        """Samples ``start`` to ``stop`` of Lead I, ``(n,)`` float32 mV, before `invert`."""
        length = 60 / self._bpm
        stretch = length**0.5
        waves = (_stretched(_P, stretch), *_QRS, _stretched(_T, stretch))
        since = np.arange(start, stop) / self.rate_hz - length / 2
        mv = np.zeros(stop - start)
        for height, centre, width in waves:
            away = (since - centre + length / 2) % length - length / 2
            mv += height * np.exp(-0.5 * (away / width) ** 2)
        return mv.astype(np.float32)

    def _read(self, start: int, stop: int) -> tuple[Samples, None]:
        return self.lead_mv(start, stop) * np.float32(self._sign), None


def _stretched(wave: tuple[float, float, float], by: float) -> tuple[float, float, float]:
    height, centre, width = wave
    return height, centre * by, width * by


def _number(given: dict[str, str], name: str, default: float, least: float, most: float) -> float:
    try:
        value = float(given.get(name, default))
    except ValueError:
        value = float("nan")
    if not least <= value <= most:
        raise InputError(
            f"synthetic: {name}={given[name]} is out of the {least:g} to {most:g} range; change it"
        )
    return value
