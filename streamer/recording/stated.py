# SPDX-License-Identifier: MIT
"""What a session file may state: the writer keeps to it, and every reader believes nothing else."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.core.network.spec import MODEL_HZ
from streamer.core.signal.rate import SOURCE_HZ
from streamer.recording.dataclass_json import built, finite, plain, wall_clock
from streamer.recording.encoding import LONGEST_S, STAMP_REACH_S, RawSums, believable, unpack_description
from streamer.session.description import SessionDescription

_SAME_INSTANT = timedelta(milliseconds=1)
"""A repair states the start to the microsecond."""


@dataclass(frozen=True, slots=True)
class ClockPoint:
    """Where the wall clock stood."""

    host_s: float
    """Monotonic seconds."""
    unix_s: float
    """Unix seconds."""


@dataclass(frozen=True, slots=True)
class Stated:
    """A description as it stands in a file, checked."""

    description: SessionDescription
    facts: Mapping[str, Any]
    """Settings, model file and versions."""
    began: datetime
    began_host_s: float
    point: ClockPoint
    """Where the clocks stood when it was written."""
    so_far: RawSums
    plain: Any
    """The description as it stood there, plain JSON types."""

    @property
    def seconds(self) -> float:
        """From the first raw sample so far to the last."""
        return (self.so_far.stop - self.so_far.start) / self.description.stream.rate_hz


class OtherSessionError(ValueError):
    """A description of another session than the file's first."""

    def __str__(self) -> str:
        return "of another session"


def stated(text: str, crc32: str, before: Stated | None = None) -> Stated:
    """Parse a description, and check all of it.

    Parameters
    ----------
    text, crc32 : str
        The two channels of a sample of `Stream.DESCRIPTION`.
    before : Stated, optional
        An earlier one of the file: it describes the same session, or is damage.

    Raises
    ------
    OtherSessionError
        It is whole, and not of the session that ``before`` is of.
    ValueError
        It is damaged, of another format, or states what cannot be.
    """
    if crc32 != f"{zlib.crc32(text.encode()):08x}":
        raise ValueError("a description that does not fit its checksum")
    given = unpack_description(text)
    described = given.get("description")
    began, began_host_s = wall_clock(given.get("began_unix_s")), finite(given.get("began_host_s"))
    if before is not None and (
        began_host_s != before.began_host_s or abs(began - before.began) > _SAME_INSTANT
    ):
        raise OtherSessionError
    if before is not None and described == before.plain:
        description = before.description
    else:
        description = _description(described)
        if before is not None and plain(description) != plain(before.description):
            raise OtherSessionError
    point = ClockPoint(finite(given.get("host_s")), finite(given.get("unix_s")))
    wall_clock(point.unix_s)
    if not abs(point.host_s - began_host_s) <= STAMP_REACH_S:
        raise ValueError("a clock that cannot be")
    about = given.get("facts")
    facts = about if isinstance(about, dict) else {}
    so_far = _sums(given.get("so_far"), description.stream.rate_hz)
    return Stated(description, facts, began, began_host_s, point, so_far, described)


def _description(described: Any) -> SessionDescription:
    description = built(SessionDescription, described)
    if not SOURCE_HZ[0] <= description.stream.rate_hz <= SOURCE_HZ[1]:
        raise ValueError("a source's rate that cannot be")
    if not MODEL_HZ[0] <= description.rate_hz <= MODEL_HZ[1]:
        raise ValueError("a model's rate that cannot be")
    json.dumps(description.as_dict(), allow_nan=False)  # ValueError: numbers that no sink can state
    return description


def _sums(given: Any, rate_hz: float) -> RawSums:
    sums = built(RawSums, given)
    if not 0 <= sums.start <= sums.stop <= LONGEST_S * rate_hz:
        raise ValueError("an index that cannot be")
    if min(sums.samples, sums.gaps, sums.lost) < 0 or sums.samples + sums.lost != sums.stop - sums.start:
        raise ValueError("sums that cannot be")
    return sums


def believed(rows: NDArray[Any], rate_hz: float, zero_s: float) -> NDArray[Any]:
    """The rows of a table, with NaN for stamps that cannot be and the nominal instant instead of them."""
    rows = rows.copy()
    for name in ("device_s", "arrival_s"):
        rows[name] = believable(rows[name], zero_s)
    wild = np.isnan(believable(rows["stamp"], zero_s))
    rows["stamp"][wild] = zero_s + rows["start"][wild] / rate_hz
    return rows
