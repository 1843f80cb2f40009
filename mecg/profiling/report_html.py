# SPDX-License-Identifier: GPL-3.0-or-later
"""A profiling session as one HTML file: inline SVG and CSS, no script, nothing fetched."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from mecg.profiling.collector import WHOLES, Hop, LatencyCollector, middle_ms
from mecg.profiling.compare import Row
from streamer.core.timing.breakdown import ALGORITHM

WIDTH = 940
WORST_SHOWN = 12

_WORDS = {
    "look-ahead": "look-ahead of the network",
    "overlap": "cross-fade of windows",
    "rate conversion": "rate conversion",
    "hop": "wait for the hop",
    "packet": "wait for the packet to fill",
    "transport": "transport",
    "queue": "queue to the core",
    "convert": "convert the rate",
    "bands": "filter into bands",
    "turn": "wait for the hop's turn",
    "window": "ring and window",
    "inference": "network",
    "stitch": "stitch",
    "leads": "twelve leads, frame",
    "release": "release to the sinks",
    "display delay": "display delay (smooth motion)",
    "paint": "paint",
    "felt": "felt: sample to end",
    "end_to_end": "arrival to end",
    "source": "source: packet and transport",
    "path": "core but the network",
    "delivery": "frame to sink",
    "screen": "screen: display delay, paint",
}

_CSS = """
:root { color-scheme: light dark; --paper: #ffffff; --ink: #1c2430; --soft: #5d6978; --line: #dde3ea;
  --card: #f6f8fa; --algorithm: #4c6fb1; --source: #c98a1b; --program: #1f9d8a; --screen: #9a63b8;
  --bad: #c0392b; --good: #2b8a3e; }
@media (prefers-color-scheme: dark) { :root { --paper: #12171d; --ink: #e4e9ef; --soft: #98a4b3;
  --line: #2b343f; --card: #1a212a; --algorithm: #7d9fe0; --source: #e2ae4e; --program: #46c2ae;
  --screen: #c294dd; --bad: #ff7b6b; --good: #69c37c; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 32px 24px 48px; max-width: 988px; background: var(--paper);
  color: var(--ink); font: 15px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; }
h1 { font-size: 24px; margin: 0 0 4px; } h2 { font-size: 18px; margin: 36px 0 6px; }
p { margin: 4px 0 12px; color: var(--soft); } p.lead { color: var(--ink); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(165px, 1fr)); gap: 12px;
  margin: 20px 0; }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 10px 14px; }
.tile b { display: block; font-size: 22px; font-variant-numeric: tabular-nums; }
.tile span { color: var(--soft); font-size: 13px; }
svg { display: block; width: 100%; height: auto; margin: 8px 0; }
svg text { fill: var(--ink); font: 13px system-ui, "Segoe UI", "DejaVu Sans", sans-serif;
  font-variant-numeric: tabular-nums; }
svg text.soft { fill: var(--soft); font-size: 12px; } svg text.heavy { font-weight: 600; }
.axis { stroke: var(--line); stroke-width: 1; }
.algorithm { fill: var(--algorithm); } .source { fill: var(--source); } .program { fill: var(--program); }
.screen { fill: var(--screen); } .total { fill: var(--ink); }
.curve { fill: none; stroke: var(--program); stroke-width: 1.6; } .curve.soft { stroke: var(--soft); }
.dot { fill: var(--bad); }
.key { display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 6px 0; font-size: 13px; color: var(--soft); }
.key i { display: inline-block; width: 11px; height: 11px; border-radius: 2px; margin-right: 6px; }
.grid { display: grid; grid-template-columns: repeat(auto-fit, minmax(290px, 1fr)); gap: 12px; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 13.5px; font-variant-numeric: tabular-nums; }
th, td { padding: 4px 10px; text-align: right; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; } th { color: var(--soft); font-weight: 600; }
td.worse { color: var(--bad); font-weight: 600; } td.better { color: var(--good); font-weight: 600; }
figure, .tile, tr { break-inside: avoid; } figure { margin: 0; } h2, p, .key { break-after: avoid; }
@media print { :root { --paper: #fff; --ink: #000; --soft: #444; --line: #ccc; --card: #fff;
  --algorithm: #4c6fb1; --source: #c98a1b; --program: #1f9d8a; --screen: #9a63b8; }
  body { padding: 0; max-width: none; font-size: 12px; } @page { margin: 14mm; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
"""


def report_html(summary: Mapping[str, Any], hops: LatencyCollector, rows: Sequence[Row] = ()) -> str:
    """The whole page.

    Parameters
    ----------
    summary : mapping
        As summary.json.
    hops : LatencyCollector
        For the slowest hops.
    rows : sequence of Row
        A comparison, where there is one.
    """
    minutes = f"{summary['seconds']:.0f} s"
    parts = [
        f"<h1>Latency of {escape(summary['source'])}</h1>",
        f"<p>{escape(summary['started'])}, {minutes}, {summary['source_rate_hz']:g} Hz, "
        f"{escape(summary['model'])} {escape(summary['model_version'])}, mecg {escape(summary['mecg'])}, "
        f"{escape(summary['machine'])}, load {_load(summary['load'])}</p>",
        _tiles(summary),
        "<h2>The way of an average sample</h2>",
        _sum_in_words(summary),
        _overview(summary["waterfall_ms"]),
        "<h2>The program's part, enlarged</h2>",
        "<p>From the packet's arrival on; means over the same hops.</p>",
        _waterfall([s for s in summary["waterfall_ms"] if s["kind"] == "program"], "the program"),
        "<h2>How it spreads</h2>",
        "<p>All hops, ms on a logarithmic axis; the marks are the median and the 99th percentile.</p>",
        _histograms(summary["blocks"]),
        "<h2>The slowest hops</h2>",
        _over_time(summary["blocks"], hops.worst, summary["end_to_end_sink"]),
        _worst(hops.worst, hops.way),
        "<h2>Processor and memory</h2>",
        _resources(summary),
        "<h2>Every stage</h2>",
        _table(summary),
    ]
    if rows:
        parts += [f"<h2>Against {escape(str(summary.get('compared_with', 'before')))}</h2>", _compared(rows)]
    body = "\n".join(part for part in parts if part)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>mecg profile: {escape(summary['source'])}</title><style>{_CSS}</style></head>\n"
        f"<body>\n{body}\n</body></html>\n"
    )


def _tiles(summary: Mapping[str, Any]) -> str:
    felt, end, samples = summary["felt_ms"], summary["end_to_end_ms"], summary["samples"]
    tiles = [
        (_ms(felt["mean"]), "felt by an average sample"),
        (_ms(summary["algorithmic_ms"]["total"]), "algorithmic, at the most"),
        (_ms(end["p50"]), "arrival to end, median"),
        (_ms(end["p99"]), "arrival to end, p99"),
        (f"{samples['lost']}", f"lost of {samples['in'] + samples['lost']} samples"),
        (f"{100 * summary['cpu']['cores']:.1f} %", "of one core"),
        (f"{summary['memory_mb']['peak']:.0f} MB", "resident, at its most"),
        (_ms(summary["hop_jitter_ms"]["p50"]), "hop jitter, median"),
    ]
    if summary.get("reference"):
        delay = summary["reference"]["delay"]
        tiles.append(
            (_ms(delay["ms"]), f"our stamps later [{delay['low_ms']:.2f}, {delay['high_ms']:.2f}] ms")
        )
    return "".join(
        (
            '<div class="tiles">',
            *(f'<div class="tile"><b>{b}</b><span>{t}</span></div>' for b, t in tiles),
            "</div>",
        )
    )


def _sum_in_words(summary: Mapping[str, Any]) -> str:
    if summary["felt_ms"]["mean"] is None:
        return "<p>The source gives its samples no stamps, so the way before their arrival is not known.</p>"
    sums: Counter[str] = Counter()
    for stage in summary["waterfall_ms"]:
        sums[stage["kind"]] += stage["mean"]
    said = " + ".join(f"{value:.2f} ms {_KIND_WORDS[kind]}" for kind, value in sums.items())
    note = (
        f" Transport is {escape(summary['transport']['words'])}." if summary["transport"]["relative"] else ""
    )
    return f'<p class="lead">{summary["felt_ms"]["mean"]:.2f} ms = {said}.{note}</p>'


_KIND_WORDS = {
    "algorithm": "that the algorithm owes",
    "source": "in the source and on the way here",
    "program": "in the program",
    "screen": "for the screen",
}


def _overview(stages: Sequence[Mapping[str, Any]]) -> str:
    """Each stage of the algorithm, the source and the screen, and the program as one."""
    rows: list[dict[str, Any]] = []
    for stage in stages:
        if stage["kind"] == "program" and rows and rows[-1]["kind"] == "program":
            rows[-1]["mean"] = (rows[-1]["mean"] or 0.0) + (stage["mean"] or 0.0)
        elif stage["kind"] == "program":
            rows.append({"stage": "the program (below)", "kind": "program", "mean": stage["mean"]})
        else:
            rows.append(dict(stage))
    kinds = [("algorithm", "algorithm (computed)"), ("source", "source"), ("program", "program")]
    if any(row["kind"] == "screen" for row in rows):
        kinds.append(("screen", "screen"))
    return _key((f"var(--{kind})", words) for kind, words in kinds) + _waterfall(rows, "felt")


def _waterfall(stages: Sequence[Mapping[str, Any]], total_name: str) -> str:
    shown = [s for s in stages if s["mean"] is not None and abs(s["mean"]) >= 5e-5]
    if not shown:
        return "<p>Nothing was measured.</p>"
    ends = np.cumsum([s["mean"] for s in shown])
    total = float(ends[-1])
    left, right, row = 210, 90, 26
    most = max(float(ends.max()), 1e-9)
    scale = (WIDTH - left - right) / most
    height = row * (len(shown) + 1) + 34
    out = [f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="waterfall">']
    for tick in _ticks(most):
        x = left + tick * scale
        out.append(f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{height - 26}"/>')
        out.append(f'<text class="soft" x="{x:.1f}" y="{height - 8}" text-anchor="middle">{tick:g} ms</text>')
    for i, (stage, end) in enumerate(zip(shown, ends, strict=True)):
        begin, finish = sorted((float(end) - stage["mean"], float(end)))
        x, width, y = left + begin * scale, max((finish - begin) * scale, 1.5), i * row + 4
        name = escape(_WORDS.get(stage["stage"], stage["stage"]))
        out.append(f'<text x="{left - 12}" y="{y + 14}" text-anchor="end">{name}</text>')
        out.append(
            f'<rect class="{stage["kind"]}" x="{x:.2f}" y="{y}" width="{width:.2f}" '
            f'height="{row - 8}" rx="2"/>'
        )
        out.append(f'<text x="{x + width + 7:.1f}" y="{y + 14}">{_figure(stage["mean"])}</text>')
    y = len(shown) * row + 4
    out.append(
        f'<text class="heavy" x="{left - 12}" y="{y + 14}" text-anchor="end">{escape(total_name)}</text>'
    )
    out.append(f'<rect class="total" x="{left}" y="{y + 6}" width="{total * scale:.2f}" height="6" rx="2"/>')
    out.append(
        f'<text class="heavy" x="{left + total * scale + 7:.1f}" y="{y + 14}">{_figure(total)} ms</text>'
    )
    return "".join(("<figure>", *out, "</svg></figure>"))


def _histograms(blocks: Sequence[Mapping[str, Any]]) -> str:
    figures = []
    for whole in WHOLES:
        counts: Counter[int] = Counter()
        for block in blocks:
            for b, n in block["counts"].get(whole, []):
                counts[b] += n
        if counts:
            figures.append(_histogram(_WORDS.get(whole, whole), counts))
    return f'<div class="grid">{"".join(figures)}</div>'


def _histogram(name: str, counts: Mapping[int, int]) -> str:
    """Bars on a logarithmic axis, as high as the share of hops."""
    bins = np.array(sorted(counts))
    weights = np.array([counts[int(b)] for b in bins], dtype=np.float64)
    ms = middle_ms(bins)
    low, high = math.log10(ms[0]) - 0.05, math.log10(ms[-1]) + 0.05
    if high - low < 0.4:
        middle = (high + low) / 2
        low, high = middle - 0.2, middle + 0.2
    columns, width, height = 44, 300, 130
    at = ((np.log10(ms) - low) / (high - low) * columns).astype(int).clip(0, columns - 1)
    bars = np.bincount(at, weights, columns)
    out = [f'<svg viewBox="0 0 {width} {height + 46}" role="img" aria-label="{escape(name)}">']
    out.append(f'<text class="heavy" x="6" y="15">{escape(name)}</text>')
    for i, n in enumerate(bars):
        if n:
            tall = max(n / bars.max() * (height - 30), 1)
            x = 6 + i * (width - 12) / columns
            out.append(
                f'<rect class="program" x="{x:.1f}" y="{height - tall:.1f}" '
                f'width="{(width - 12) / columns - 1:.1f}" height="{tall:.1f}"/>'
            )
    out.append(f'<line class="axis" x1="6" x2="{width - 6}" y1="{height}" y2="{height}"/>')
    for tick in _log_ticks(low, high):
        x = 6 + (math.log10(tick) - low) / (high - low) * (width - 12)
        out.append(f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{height}" y2="{height + 4}"/>')
        x = min(max(x, 14), width - 16)
        out.append(f'<text class="soft" x="{x:.1f}" y="{height + 17}" text-anchor="middle">{tick:g}</text>')
    cumulative = weights.cumsum()
    said = []
    for q, label in ((0.5, "p50"), (0.99, "p99")):
        value = float(ms[int(np.searchsorted(cumulative, math.ceil(q * cumulative[-1])))])
        x = 6 + (math.log10(value) - low) / (high - low) * (width - 12)
        out.append(f'<path class="dot" d="M{x:.1f} {height + 1} l-4 -7 h8 z"/>')
        said.append(f"{label} {_figure(value)}")
    out.append(
        f'<text class="soft" x="6" y="{height + 38}">{"   ".join(said)} ms   '
        f"{int(weights.sum())} hops</text></svg>"
    )
    return "".join(("<figure>", *out, "</figure>"))


def _over_time(blocks: Sequence[Mapping[str, Any]], worst: Sequence[Hop], sink: str) -> str:
    """Median and slowest hop of each stretch."""
    timed = [b for b in blocks if b["counts"].get("end_to_end")]
    if not timed:
        return "<p>Nothing was measured.</p>"
    at = np.array([b["at_s"] + b["seconds"] / 2 for b in timed])
    slowest = np.array([b["worst_ms"] for b in timed])
    median = np.array([_median_ms(b["counts"]["end_to_end"]) for b in timed])
    low, high = math.log10(min(median.min(), slowest.min()) * 0.8), math.log10(slowest.max() * 1.25)
    left, height = 56, 190
    span_s = max(blocks[-1]["at_s"] + blocks[-1]["seconds"], 1e-9)

    def x(s: float) -> float:
        return float(left + s / span_s * (WIDTH - left - 16))

    def y(ms: float) -> float:
        return float(height - (math.log10(ms) - low) / max(high - low, 1e-9) * (height - 12))

    out = [f'<svg viewBox="0 0 {WIDTH} {height + 30}" role="img" aria-label="over time">']
    for tick in _log_ticks(low, high):
        out.append(
            f'<line class="axis" x1="{left}" x2="{WIDTH - 16}" y1="{y(tick):.1f}" y2="{y(tick):.1f}"/>'
        )
        out.append(
            f'<text class="soft" x="{left - 6}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick:g} ms</text>'
        )
    out += [
        f'<text class="soft" x="{x(tick):.1f}" y="{height + 20}" text-anchor="middle">{tick:g} s</text>'
        for tick in _ticks(span_s)
    ]
    for values, kind in ((slowest, "soft"), (median, "")):
        points = " ".join(f"{x(a):.1f},{y(v):.1f}" for a, v in zip(at, values, strict=True))
        out.append(f'<polyline class="curve {kind}" points="{points}"/>')
    for a, v in zip(at, slowest, strict=True):
        out.append(f'<circle class="dot" cx="{x(a):.1f}" cy="{y(v):.1f}" r="2.5"/>')
    words = (
        f"<p>Arrival until {escape(sink)} had it: the median of each stretch, and its slowest hop (dots).</p>"
    )
    return words + "".join(("<figure>", *out, "</svg></figure>"))


_COLOURS = ("#4c6fb1", "#c98a1b", "#1f9d8a", "#9a63b8", "#c0504d", "#7f8c3d", "#5aa5c8", "#b0717a", "#8a8f98")


def _worst(worst: Sequence[Hop], way: Sequence[str]) -> str:
    """Each of the slowest hops, stacked by stage, in the order of their slowness."""
    shown = worst[:WORST_SHOWN]
    if not shown:
        return ""
    measured = [name for name in way if name not in ALGORITHM and name not in ("packet", "transport")]
    totals: Counter[str] = Counter()
    for hop in shown:
        totals.update({name: hop.parts_ms[name] for name in measured})
    main = [name for name, _ in totals.most_common(len(_COLOURS) - 1)]
    colours = dict(zip(main, _COLOURS, strict=False))
    left, row = 70, 22
    most = shown[0].end_to_end_ms
    scale = (WIDTH - left - 80) / max(most, 1e-9)
    out = [f'<svg viewBox="0 0 {WIDTH} {row * len(shown) + 6}" role="img" aria-label="slowest hops">']
    for i, hop in enumerate(shown):
        x, y = float(left), i * row + 2
        out.append(f'<text class="soft" x="{left - 8}" y="{y + 13}" text-anchor="end">#{hop.start}</text>')
        for name in measured:
            width = hop.parts_ms[name] * scale
            if width > 0.2:
                title = f"<title>{escape(_WORDS.get(name, name))} {_figure(hop.parts_ms[name])} ms</title>"
                out.append(
                    f'<rect x="{x:.2f}" y="{y}" width="{width:.2f}" height="{row - 6}" '
                    f'fill="{colours.get(name, _COLOURS[-1])}">{title}</rect>'
                )
            x += width
        out.append(f'<text x="{x + 6:.1f}" y="{y + 13}">{_figure(hop.end_to_end_ms)} ms</text>')
    key = _key([(colours[name], _WORDS.get(name, name)) for name in main] + [(_COLOURS[-1], "all else")])
    words = "<p>The slowest, by the index of their first sample, and where their time went.</p>"
    return words + key + "".join(("<figure>", *out, "</svg></figure>"))


def _resources(summary: Mapping[str, Any]) -> str:
    threads = "".join(
        f"<tr><td>{escape(name)}</td><td>{100 * share:.2f} %</td></tr>"
        for name, share in summary["cpu"]["threads"].items()
    )
    queues = "".join(
        f"<tr><td>{escape(name)}</td><td>{deepest}</td></tr>" for name, deepest in summary["queues"].items()
    )
    memory = summary["memory_mb"]
    words = (
        f"<p>Resident memory {memory['start']:.1f} MB at the start, {memory['end']:.1f} MB at the end, "
        f"{memory['peak']:.1f} MB at its most.</p>"
    )
    return (
        words
        + _memory_curve(summary["blocks"])
        + '<div class="grid"><div class="scroll"><table><tr><th>thread</th><th>of one core</th></tr>'
        + threads
        + '</table></div><div class="scroll"><table><tr><th>queue to</th><th>deepest</th></tr>'
        + queues
        + "</table></div></div>"
    )


def _memory_curve(blocks: Sequence[Mapping[str, Any]]) -> str:
    if len(blocks) < 2:
        return ""
    left, height = 56, 110
    values = [b["memory_mb"] for b in blocks]
    cpu = [100 * sum(b["cpu_s"].values()) / max(b["seconds"], 0.1) for b in blocks]
    most = max(*values, 1.0) * 1.15
    top = max(*cpu, 1.0) * 1.15
    span_s = max(blocks[-1]["at_s"] + blocks[-1]["seconds"], 1e-9)
    out = [f'<svg viewBox="0 0 {WIDTH} {height + 30}" role="img" aria-label="memory and processor">']
    for tick in _ticks(most, 4):
        y = height - tick / most * height
        out.append(f'<line class="axis" x1="{left}" x2="{WIDTH - 56}" y1="{y:.1f}" y2="{y:.1f}"/>')
        out.append(f'<text class="soft" x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{tick:g} MB</text>')
    for tick in _ticks(top, 4):
        y = height - tick / top * height
        out.append(f'<text class="soft" x="{WIDTH - 50}" y="{y + 4:.1f}">{tick:g} %</text>')
    for series, greatest, kind in ((values, most, ""), (cpu, top, "soft")):
        across = [left + (b["at_s"] + b["seconds"] / 2) / span_s * (WIDTH - left - 56) for b in blocks]
        up = [height - value / greatest * height for value in series]
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(across, up, strict=True))
        out.append(f'<polyline class="curve {kind}" points="{points}"/>')
    for tick in _ticks(span_s):
        x = left + tick / span_s * (WIDTH - left - 56)
        out.append(f'<text class="soft" x="{x:.1f}" y="{height + 20}" text-anchor="middle">{tick:g} s</text>')
    key = _key(
        (("var(--program)", "resident memory (left)"), ("var(--soft)", "processor, of one core (right)"))
    )
    return key + "".join(("<figure>", *out, "</svg></figure>"))


def _table(summary: Mapping[str, Any]) -> str:
    names = ("p50", "p90", "p99", "p99_9", "max", "count")
    head = "".join(f"<th>{name.replace('_', '.')}</th>" for name in names)
    rows = []
    wholes = {"arrival to end": summary["end_to_end_ms"], "felt": summary["felt_ms"]}
    for name, stage in (summary["stages_ms"] | wholes | {"hop jitter": summary["hop_jitter_ms"]}).items():
        cells = "".join(
            f"<td>{stage[key] if key == 'count' or stage[key] is None else _figure(stage[key])}</td>"
            for key in names
        )
        rows.append(f"<tr><td>{escape(_WORDS.get(name, name))}</td>{cells}</tr>")
    return (
        "<p>Milliseconds; quantiles within 1 % of the true value.</p>"
        f'<div class="scroll"><table><tr><th>stage</th>{head}</tr>{"".join(rows)}</table></div>'
    )


def _compared(rows: Sequence[Row]) -> str:
    body = "".join(
        f"<tr><td>{escape(row.name)}</td><td>{row.old:.3f}</td><td>{row.new:.3f}</td>"
        f"<td>{row.new - row.old:+.3f} [{row.low:+.3f}, {row.high:+.3f}]</td><td>{escape(row.unit)}</td>"
        f'<td class="{row.verdict}">{row.verdict}</td></tr>'
        for row in rows
    )
    return (
        "<p>Differences with their 99 % intervals.</p>"
        '<div class="scroll"><table><tr><th></th><th>old</th><th>new</th><th>difference</th><th></th>'
        f"<th></th></tr>{body}</table></div>"
    )


def _key(entries: Iterable[tuple[str, str]]) -> str:
    items = "".join(
        f'<span><i style="background:{colour}"></i>{escape(words)}</span>' for colour, words in entries
    )
    return f'<div class="key">{items}</div>'


def _median_ms(pairs: Sequence[Sequence[int]]) -> float:
    bins = np.array([b for b, _ in pairs])
    counts = np.array([n for _, n in pairs]).cumsum()
    return float(middle_ms(bins)[int(np.searchsorted(counts, math.ceil(counts[-1] / 2)))])


def _ticks(most: float, about: int = 8) -> list[float]:
    """Round values from 0 to ``most``."""
    step = 10 ** math.floor(math.log10(max(most, 1e-9) / about))
    step *= next(factor for factor in (1, 2, 5, 10) if most / (step * factor) <= about)
    return [round(i * step, 10) for i in range(math.floor(most / step + 1e-9) + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    """Round values between two powers of ten: 1, 2, 5 of each, where they have room."""
    factors: tuple[float, ...] = (1, 2, 5) if high - low < 2 else (1,)
    if high - low < 0.5:
        factors = (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8)
    powers = range(math.floor(low), math.ceil(high) + 1)
    return [
        float(f"{factor * 10.0**power:.3g}")
        for power in powers
        for factor in factors
        if low <= math.log10(factor) + power <= high
    ]


def _figure(ms: float) -> str:
    """Three digits that count."""
    if ms == 0:
        return "0"
    return f"{ms:.{min(max(2 - math.floor(math.log10(abs(ms))), 0), 4)}f}"


def _ms(value: float | None) -> str:
    return "unknown" if value is None else f"{_figure(value)} ms"


def _load(load: Sequence[float | None]) -> str:
    return " to ".join("unknown" if value is None else f"{value:g}" for value in load)
