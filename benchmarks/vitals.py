# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures beats and quality flags: ``python -m benchmarks.vitals PTB-XL MITDB``.

Writes the tables of docs/vitals.md.  With another ``--fold``, to choose limits by, it writes nothing.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from benchmarks.measure import MODEL, ROOT
from streamer.core.events import Quality, QualityChanged
from streamer.core.network.latency import group_delay_s
from streamer.core.network.network import Network
from streamer.core.signal.clinical_frame import to_rate
from streamer.core.signal.filters import Filters
from streamer.core.signal.front_end import FrontEnd
from streamer.core.stream import Chunk, Frame, StreamInfo
from streamer.core.vitals.beats import BeatDetector
from streamer.core.vitals.vitals import Vitals
from streamer.formats.wfdb_annotation_reader import BEATS, read_annotations
from streamer.formats.wfdb_reader import Record

PAGE = ROOT / "docs" / "vitals.md"
SOURCE_HZ = 500.0
REPORTED_FOLD = 8
NOISE_DB = (18, 12, 6, 0, -6)
TOLD = (
    Quality.FLAT,
    Quality.SATURATED,
    Quality.NOISY,
    Quality.REVERSED,
    Quality.OUT_OF_RANGE,
)
FROM_S, TO_S = 2.0, 9.4
"""Beats are compared from here, off the edge of the filters of both, to here, where one is surely found."""

Signal = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Strip:
    """One record."""

    name: str
    rhythm: str
    leads_mv: NDArray[np.float32]
    rate_hz: float


def strips(data: Path, fold: int, column: str, every: int = 1) -> Iterator[Strip]:
    """The records of a fold that have a file at this rate; ``filename_lr`` or ``filename_hr``."""
    with (data / "ptbxl_database.csv").open(newline="") as handle:
        rows = [row for row in csv.DictReader(handle) if int(float(row["strat_fold"])) == fold]
    for row in [row for row in rows if row[column]][::every]:
        record = Record(data / row[column])
        leads_mv = record.twelve()
        yield Strip(row["ecg_id"], row.get("rhythm", row.get("scp_codes", "")), leads_mv, record.rate_hz)


# ---- noise, each kind 1 RMS


def wander(n: int, rng: np.random.Generator) -> Signal:
    """Slow movement below 0.6 Hz."""
    t = np.arange(n) / SOURCE_HZ
    parts = [rng.normal() * np.sin(2 * np.pi * (rng.uniform(0.05, 0.6) * t + rng.random())) for _ in range(4)]
    return _unit(np.sum(parts, axis=0))


def muscle(n: int, rng: np.random.Generator) -> Signal:
    """White noise that swells and fades."""
    t = np.arange(n) / SOURCE_HZ
    swell = 1 + np.sin(2 * np.pi * (rng.uniform(0.05, 0.5) * t + rng.random()))
    return _unit(rng.normal(size=n) * swell)


def hum(n: int, rng: np.random.Generator) -> Signal:
    """Mains."""
    t = np.arange(n) / SOURCE_HZ
    mains_hz = rng.choice([50.0, 60.0]) * rng.uniform(0.995, 1.005)
    return _unit(np.sin(2 * np.pi * (mains_hz * t + rng.random())))


def _unit(x: Signal) -> Signal:
    return np.asarray(x / x.std())


# ---- what can be wrong with a lead


def variants(lead_mv: Signal, level_mv: float, rng: np.random.Generator) -> Iterator[tuple[str, Signal]]:
    """The lead as it is, and with each thing wrong."""
    yield "as recorded", lead_mv
    for kind, noise in (("wander", wander), ("muscle noise", muscle), ("hum", hum)):
        for db in NOISE_DB:
            yield f"{kind}, {db} dB", lead_mv + level_mv * 10 ** (-db / 20) * noise(len(lead_mv), rng)
    yield "turned", -lead_mv
    yield "turned, muscle noise 12 dB", -lead_mv + level_mv * 10 ** (-12 / 20) * muscle(len(lead_mv), rng)
    tall = np.abs(lead_mv - np.median(lead_mv)).max()
    for share in (0.8, 0.5):
        rail = share * tall
        yield f"cut off at {share:.0%} of its height", np.clip(lead_mv, -rail, rail)
    dead = lead_mv.copy()
    dead[round(4 * SOURCE_HZ) :] = (
        dead[round(4 * SOURCE_HZ)] + rng.normal(0, 1e-3, len(dead))[round(4 * SOURCE_HZ) :]
    )
    yield "dead after 4 s, 1 uV of noise", dead


def paced(lead_mv: Signal, spike_mv: float) -> Signal:
    """With a spike of 1 to 2 samples before each beat."""
    out = lead_mv.copy()
    beats = np.array(BeatDetector(SOURCE_HZ).push(0, lead_mv.astype(np.float32)))
    at = beats[beats > 40] - 40
    out[at] += spike_mv
    out[at + 1] += spike_mv / 3
    return out


# ---- the live path's own parts


def frames(lead_mv: Signal, rate_hz: float, filters: Filters, model_hz: float) -> Iterator[Chunk | Frame]:
    """What the session's core hands the vitals, without the network, which they do not look at."""
    front = FrontEnd(rate_hz, filters, model_hz)
    chunk = Chunk(0, lead_mv.astype(np.float32))
    yield chunk
    for stretch in [*front.push(chunk), *front.finish()]:
        for start in range(0, len(stretch.settling), 125):
            part = slice(start, start + 125)
            measured = stretch.bands[3, part]
            none = np.full((12, len(measured)), np.nan, np.float32)
            yield Frame(
                stretch.start + start,
                model_hz,
                none,
                measured,
                none,
                np.ones(len(measured), np.bool_),
                stretch.settling[part],
            )


def measured_mv(lead_mv: Signal, rate_hz: float, filters: Filters, model_hz: float) -> NDArray[np.float32]:
    """The whole input band."""
    found = [f.measured_mv for f in frames(lead_mv, rate_hz, filters, model_hz) if isinstance(f, Frame)]
    return np.concatenate(found)


def flags(lead_mv: Signal, rate_hz: float, network: Network) -> frozenset[Quality]:
    """Everything that was ever told of a lead."""
    vitals = Vitals(network.spec.rate_hz, StreamInfo("benchmark", rate_hz))
    told: set[Quality] = set()
    for item in frames(lead_mv, rate_hz, network.spec.filters, network.spec.rate_hz):
        if isinstance(item, Chunk):
            vitals.chunk(item)
            continue
        for event in vitals.push(item):
            if isinstance(event, QualityChanged):
                told |= event.wrong
    return frozenset(told)


# ---- tables


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Markdown."""
    lines = [f"| {' | '.join(head)} |", f"|---|{'---:|' * (len(head) - 1)}"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def flag_table(data: Path, fold: int, every: int, network: Network) -> str:
    """How many records raise each flag, by what is wrong with them."""
    counts: dict[str, NDArray[np.int64]] = {}
    rng = np.random.default_rng(fold)
    for strip in strips(data, fold, "filename_lr", every):
        lead_mv = to_rate(strip.leads_mv[0].astype(np.float64), strip.rate_hz, SOURCE_HZ)
        band = measured_mv(lead_mv, SOURCE_HZ, network.spec.filters, network.spec.rate_hz)
        level_mv = float(band[500:].std())
        for name, x in variants(lead_mv, level_mv, rng):
            _tally(counts, name, flags(x, SOURCE_HZ, network))
    for strip in strips(data, fold, "filename_hr"):
        lead_mv = strip.leads_mv[0].astype(np.float64)
        _tally(counts, "as recorded at 500 Hz", flags(lead_mv, SOURCE_HZ, network))
        for spike_mv in (0.2, 0.5, 1.0):
            made = paced(lead_mv, spike_mv)
            _tally(counts, f"pacing spikes of {spike_mv:g} mV, at 500 Hz", flags(made, SOURCE_HZ, network))
    head = ("Lead I", "records", *(flag.value for flag in TOLD))
    rows = [(name, str(row[-1]), *(f"{n / row[-1]:.1%}" for n in row[:-1])) for name, row in counts.items()]
    return table(head, rows)


def _tally(counts: dict[str, NDArray[np.int64]], name: str, told: frozenset[Quality]) -> None:
    counts.setdefault(name, np.zeros(len(TOLD) + 1, np.int64))
    counts[name] += np.array([*(flag in told for flag in TOLD), True])


def score(found_s: Signal, truth_s: Signal, within_s: float) -> tuple[int, float]:
    """How many true beats have a found one of their own, and the median distance."""
    used: set[int] = set()
    apart = []
    for at_s in truth_s:
        near = [i for i in np.flatnonzero(np.abs(found_s - at_s) <= within_s) if i not in used]
        if near:
            used.add(near[0])
            apart.append(abs(found_s[near[0]] - at_s))
    return len(apart), float(np.median(apart)) if apart else float("nan")


def record_100(folder: Path, network: Network) -> str:
    """The half-hour of MIT-BIH record 100, as it is, with noise, with losses."""
    record = Record(folder / "100")
    at, symbols = read_annotations(folder / "100")
    truth_s = np.array([a for a, symbol in zip(at, symbols, strict=True) if symbol in BEATS]) / record.rate_hz
    lead_mv = record.read()[record.row("MLII")].astype(np.float64)
    rows = []
    for db in (None, 12, 6, 0):
        x = lead_mv
        if db is not None:
            level_mv = np.sqrt(np.var(lead_mv) / 10 ** (db / 10))
            x = lead_mv + np.random.default_rng(0).normal(0, level_mv, len(lead_mv))
        band = measured_mv(x, record.rate_hz, network.spec.filters, network.spec.rate_hz)
        rows.append(_row("as recorded" if db is None else f"white noise, {db} dB", band, truth_s, network))
    band = measured_mv(lead_mv, record.rate_hz, network.spec.filters, network.spec.rate_hz)
    for lost, share in ((5, 0.05), (140, 0.05)):
        holed, rng = band.copy(), np.random.default_rng(0)
        whole = len(band) // lost * lost
        holed[:whole].reshape(-1, lost)[rng.random(whole // lost) < share] = np.nan
        rows.append(_row(f"{share:.0%} lost, {lost / 250:g} s at a time", holed, truth_s, network))
    head = ("MLII, 30 min, 2,273 beats", "sensitivity", "positive predictivity", "median distance")
    return table(head, rows)


def _row(name: str, band: NDArray[np.float32], truth_s: Signal, network: Network) -> tuple[str, ...]:
    rate_hz = network.spec.rate_hz
    delay_s = group_delay_s(network.spec.filters.input, rate_hz, 10.0)  # as the vitals take it out
    found_s = np.array(BeatDetector(rate_hz).push(0, band)) / rate_hz - delay_s
    hits, apart_s = score(found_s, truth_s, 0.05)
    return (
        name,
        f"{hits / len(truth_s):.2%}",
        f"{hits / len(found_s):.2%}",
        f"{1e3 * apart_s:.0f} ms",
    )


def reference_beats(leads_mv: NDArray[np.float32], rate_hz: float) -> Signal:
    """Seconds of the beats that most of twelve leads agree on, found offline.

    In each lead: 8 to 20 Hz without delay, squared, smoothed over 0.1 s, peaks above a quarter of the
    98th percentile and 0.25 s apart.  A beat is where at least seven leads have one within 80 ms.
    """
    sos = signal.butter(2, (8, 20), "bandpass", fs=rate_hz, output="sos")
    found = []
    for lead in leads_mv.astype(np.float64):
        energy = signal.sosfiltfilt(sos, lead) ** 2
        width = round(0.1 * rate_hz)
        energy = np.convolve(energy, np.ones(width) / width, "same")
        peaks, _ = signal.find_peaks(
            energy, height=0.25 * np.quantile(energy, 0.98), distance=round(0.25 * rate_hz)
        )
        found.append(peaks / rate_hz)
    every = np.sort(np.concatenate(found))
    beats: list[float] = []
    while len(every):
        near = [x[np.abs(x - every[0] - 0.04) <= 0.08] for x in found]
        votes = [float(x[0]) for x in near if len(x)]
        if len(votes) >= 7:
            beats.append(float(np.median(votes)))
            every = every[every > max(votes) + 0.1]
        else:
            every = every[1:]
    return np.array(beats)


def rhythm_tables(data: Path, fold: int, network: Network) -> str:
    """Beats of the live detector in Lead I against those of twelve leads, by rhythm."""
    groups: dict[str, Callable[[str], bool]] = {
        "atrial fibrillation (AFIB)": lambda rhythm: "AFIB" in rhythm,
        "pacemaker (PACE)": lambda rhythm: "PACE" in rhythm,
        "all others": lambda rhythm: "AFIB" not in rhythm and "PACE" not in rhythm,
    }
    sums = {name: np.zeros(5) for name in groups}
    worst = []
    for strip in strips(data, fold, "filename_lr"):
        rate_hz = network.spec.rate_hz
        band = measured_mv(strip.leads_mv[0].astype(np.float64), strip.rate_hz, network.spec.filters, rate_hz)
        found_s = np.array(BeatDetector(rate_hz).push(0, band)) / rate_hz
        truth_s = reference_beats(strip.leads_mv, strip.rate_hz)
        hits, _ = score(found_s, _inside(truth_s), 0.1)
        true, _ = score(truth_s, _inside(found_s), 0.1)
        missed, false = len(_inside(truth_s)) - hits, len(_inside(found_s)) - true
        name = next(name for name, belongs in groups.items() if belongs(strip.rhythm))
        sums[name] += (1, len(_inside(truth_s)), missed, false, missed + false == 0)
        if missed + false and name != "all others":
            worst.append(
                (
                    missed + false,
                    strip.name,
                    strip.rhythm.replace("|", " + "),
                    len(_inside(truth_s)),
                    missed,
                    false,
                )
            )
    rows = [
        (
            name,
            f"{n:.0f}",
            f"{beats:.0f}",
            f"{1 - missed / beats:.2%}",
            f"{1 - false / (beats - missed + false):.2%}",
            f"{perfect / n:.1%}",
        )
        for name, (n, beats, missed, false, perfect) in sums.items()
        if n
    ]
    head = ("rhythm", "records", "beats", "sensitivity", "positive predictivity", "without any error")
    worst.sort(reverse=True)
    one_by_one = table(
        ("ecg_id", "rhythm", "beats", "missed", "false"),
        [(name, rhythm, str(beats), str(m), str(f)) for _, name, rhythm, beats, m, f in worst],
    )
    return f"{table(head, rows)}\n\nEach AF and paced record with an error:\n\n{one_by_one}"


def _inside(beats_s: Signal) -> Signal:
    return beats_s[(beats_s >= FROM_S) & (beats_s < TO_S)]


def write(name: str, text: str) -> None:
    """Put a table between its marks in the page."""
    begin, end = f"<!-- begin of {name} -->", f"<!-- end of {name} -->"
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(begin)
    _, _, after = rest.partition(end)
    PAGE.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.vitals", description=__doc__)
    parser.add_argument("data", type=Path, help="PTB-XL")
    parser.add_argument("mitdb", type=Path, help="the folder of MIT-BIH record 100")
    parser.add_argument("--fold", type=int, default=REPORTED_FOLD)
    parser.add_argument("--every", type=int, default=3, help="take every so many records for the flags (3)")
    args = parser.parse_args()
    network = Network(MODEL.read_bytes())
    tables = {
        "record 100": lambda: record_100(args.mitdb, network),
        "rhythms": lambda: rhythm_tables(args.data, args.fold, network),
        "flags": lambda: flag_table(args.data, args.fold, args.every, network),
    }
    for name, make in tables.items():
        text = make()
        print(f"{name}\n\n{text}\n", flush=True)
        if args.fold == REPORTED_FOLD:
            write(name, text)


if __name__ == "__main__":
    main()
