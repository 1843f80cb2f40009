# SPDX-License-Identifier: GPL-3.0-or-later
"""Two profiling sessions side by side: is the new one worse than noise would make it?

Both hold their measurements second by second.  Resampling those seconds gives an interval for every
quantile, and for the difference of two: what varies within a session is taken for noise.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mecg.profiling.collector import WHOLES, middle_ms
from streamer.core.errors import InputError
from streamer.core.printable import printable
from streamer.formats.bounded_read import read_bounded

FORMAT = 1
"""Of summary.json."""

CONFIDENCE = 0.99
"""Of each interval; some twenty are looked at, of which none shall cry wolf."""

MATTERS = 0.10
"""A difference must surely be more than this share of the old value ..."""

FLOOR = {"ms": 0.05, "% of a core": 0.5, "MB": 5.0, "% of the samples": 0.05}
"""... and more than this: another run of the same program differs as much."""

RESAMPLES = 1000
LEAST_BLOCKS = 8
_LONGEST = 1 << 28
_MOST_BINS = 1 << 12
"""More than a session has: its bins go up to 1000 s."""

_KEYS = ("algorithmic_ms", "stages_ms", "end_to_end_ms", "samples", "blocks", "cpu", "memory_mb")


@dataclass(frozen=True, slots=True)
class Row:
    """One quantity in both sessions; ``low`` to ``high`` is the interval of the difference."""

    name: str
    unit: str
    old: float
    new: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """``worse``, ``better`` or ``same``."""
        matters = max(MATTERS * abs(self.old), FLOOR[self.unit])
        if self.low > matters:
            return "worse"
        return "better" if self.high < -matters else "same"


def read_summary(path: Path) -> dict[str, Any]:
    """A summary.json of this version.

    Raises
    ------
    InputError
        It cannot be read, is none, or is too short to tell noise from change.
    """
    try:
        summary = json.loads(read_bounded(path, _LONGEST))
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is no JSON: name the summary.json of a mecg profile") from error
    if not isinstance(summary, dict) or "format" not in summary or any(key not in summary for key in _KEYS):
        raise InputError(f"{path} is no summary of a mecg profile: name its summary.json")
    if summary["format"] != FORMAT:
        raise InputError(
            f"{path} has format {printable(summary['format'], 40)}, this is {FORMAT}: measure it again"
        )
    try:
        _rows(summary, summary)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise InputError(f"{path} is damaged ({type(error).__name__}: {error}): measure it again") from error
    check_length(summary, str(path))
    return summary


def check_length(summary: Mapping[str, Any], name: str) -> None:
    """Raise an `InputError` where a session is too short to be compared."""
    if len(summary["blocks"]) < LEAST_BLOCKS:
        raise InputError(f"{name} has {len(summary['blocks'])} s: compare sessions of 10 s and more")


def compare(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Row]:
    """Every quantity that both sessions have."""
    return _rows(old, new)


def table(rows: Sequence[Row]) -> list[str]:
    """Lines for a person."""
    lines = [f"{'':<28}{'old':>10}{'new':>10}  {'difference':<28}"]
    for row in rows:
        mark = "" if row.verdict == "same" else row.verdict
        interval = f"{row.new - row.old:+.3f} [{row.low:+.3f}, {row.high:+.3f}] {row.unit}"
        lines.append(f"{row.name:<28}{row.old:>10.3f}{row.new:>10.3f}  {interval:<42} {mark}".rstrip())
    return lines


def remarks(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """What differs beside the measurements, and may be the reason."""
    names = ("source", "source_rate_hz", "model", "model_version", "machine", "end_to_end_sink")
    return [
        f"{name.replace('_', ' ')}: {old.get(name)} before, {new.get(name)} now"
        for name in names
        if old.get(name) != new.get(name)
    ]


def _rows(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Row]:
    totals = [float(summary["algorithmic_ms"]["total"]) for summary in (old, new)]
    exact = totals[1] - totals[0]
    rows = [Row("algorithmic", "ms", totals[0], totals[1], exact, exact)]
    for whole in WHOLES:
        counts, least = _counts((old, new), whole)
        if any(not matrix.sum() for matrix in counts):
            continue
        pooled = [matrix.sum(axis=0)[None].cumsum(axis=1) for matrix in counts]
        drawn = [_resampled(matrix).cumsum(axis=1) for matrix in counts]
        for name, q in (("p50", 0.5), ("p99", 0.99)):
            values = [float(_quantiles(summed, q, least)[0]) for summed in pooled]
            spread = [_quantiles(summed, q, least) for summed in drawn]
            rows.append(_row(f"{whole.replace('_', ' ')}, {name}", "ms", values, spread))
    for name, unit, value in (("CPU", "% of a core", _cpu_share), ("memory", "MB", _memory_mb)):
        each = [_per_block(summary, value) for summary in (old, new)]
        spread = [_resampled(one[:, None])[:, 0] / len(one) for one in each]
        rows.append(_row(name, unit, [float(one.mean()) for one in each], spread))
    lost = []
    for summary in (old, new):
        samples = summary["samples"]
        lost.append(100 * float(samples["lost"]) / max(samples["in"] + samples["lost"], 1))
    rows.append(Row("lost", "% of the samples", lost[0], lost[1], lost[1] - lost[0], lost[1] - lost[0]))
    return rows


def _row(name: str, unit: str, values: Sequence[float], spread: Sequence[NDArray[np.float64]]) -> Row:
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(spread[1] - spread[0], (tail, 1 - tail))
    return Row(name, unit, values[0], values[1], float(low), float(high))


def _counts(summaries: Sequence[Mapping[str, Any]], whole: str) -> tuple[list[NDArray[np.float64]], int]:
    """``(blocks, bins)`` for each session, and the first bin of both."""
    sessions = [[block["counts"].get(whole, []) for block in summary["blocks"]] for summary in summaries]
    bins = [int(b) for blocks in sessions for pairs in blocks for b, _ in pairs] or [0]
    least = min(bins)
    if least < 0 or max(bins) > _MOST_BINS:
        raise ValueError("durations that no session has")
    matrices = []
    for blocks in sessions:
        matrix = np.zeros((len(blocks), max(bins) - least + 1))
        for row, pairs in zip(matrix, blocks, strict=True):
            for b, n in pairs:
                row[int(b) - least] = n
        matrices.append(matrix)
    return matrices, least


def _per_block(summary: Mapping[str, Any], value: Callable[[Any], float]) -> NDArray[np.float64]:
    # The first second still warms up, the last may be a sliver.
    blocks = [block for block in summary["blocks"] if block["seconds"] > 0]
    return np.array([value(block) for block in blocks[1:-1] or blocks])


def _cpu_share(block: Mapping[str, Any]) -> float:
    return 100 * float(sum(block["cpu_s"].values())) / float(block["seconds"])


def _memory_mb(block: Mapping[str, Any]) -> float:
    return float(block["memory_mb"])


def _resampled(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums over blocks drawn with replacement, ``(RESAMPLES, columns)``."""
    n = len(matrix)
    draws = np.random.default_rng(1).multinomial(n, np.full(n, 1 / n), RESAMPLES)
    return np.asarray(draws @ matrix)


def _quantiles(summed: NDArray[np.float64], q: float, least: int) -> NDArray[np.float64]:
    """The quantile of each row of cumulated counts, the first of which is of bin ``least``; ms."""
    bins = (summed < np.ceil(q * summed[:, -1:])).sum(axis=1)
    return middle_ms(bins + least)
