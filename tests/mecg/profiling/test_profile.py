# SPDX-License-Identifier: GPL-3.0-or-later
"""`mecg profile`: the waterfall adds up, the files are as documented, a comparison is no alarm bell."""

import copy
import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mecg.__main__ import main
from mecg.cli import profile
from mecg.profiling import clock_offset
from mecg.profiling import compare as profile_compare
from mecg.profiling.collector import MOST_BLOCKS, WHOLES, Block, Blocks, LatencyCollector, bins_of, middle_ms
from mecg.profiling.compare import compare, read_summary, remarks, table
from streamer.core.errors import InputError
from streamer.core.events import Event
from streamer.core.network.network import Network
from streamer.core.pipeline import Pipeline
from streamer.core.stream import Chunk, Frame, StreamInfo
from tests.streamer.known_network import scaled_identity

NETWORK = Network(scaled_identity())
DOC = Path(__file__).parents[3] / "docs" / "profile.md"


@pytest.fixture(scope="module")
def profiled(tmp_path_factory: pytest.TempPathFactory, model_file: Path) -> tuple[Path, str]:
    """The folder of a profile, and what was said with --json."""
    out = tmp_path_factory.mktemp("profile") / "out"
    command = ["profile", "synthetic:", "--seconds", "8.5", "--model", str(model_file), "--json"]
    with redirect_stdout(StringIO()) as said:
        assert main([*command, "--out", str(out)]) == 0
    return out, said.getvalue()


@pytest.fixture(scope="module")
def out(profiled: tuple[Path, str]) -> Path:
    return profiled[0]


def test_json_is_the_summary_with_the_comparison(
    profiled: tuple[Path, str], model_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, said = profiled
    assert json.loads(said) == json.loads((out / "summary.json").read_text())
    command = ["profile", "synthetic:", "--seconds", "8.5", "--model", str(model_file), "--json"]
    code = main([*command, "--compare", str(out / "summary.json"), "--out", str(tmp_path / "b")])
    rows = json.loads(capsys.readouterr().out)["comparison"]
    assert {row["verdict"] for row in rows} <= {"worse", "better", "same"}
    assert code == any(row["verdict"] == "worse" for row in rows)


@pytest.fixture
def summary(out: Path) -> Any:
    return json.loads((out / "summary.json").read_text())


# ---- the waterfall


def frames_of(rate_hz: float, sizes: list[int], delays: list[float]) -> tuple[list[Frame], LatencyCollector]:
    """Frames of a stream whose every instant is made up; 1 ms passes between stamps."""
    now = [0.0]

    def clock() -> float:
        now[0] += 1e-3
        return now[0]

    pipeline = Pipeline(StreamInfo("test:", rate_hz), NETWORK, clock=clock)
    frames, start = [], 0
    for size, delay in zip(sizes, delays, strict=True):
        now[0] = max(now[0], (start + size - 1) / rate_hz + delay)
        chunk = Chunk(start, np.zeros(size, np.float32), start / rate_hz, now[0])
        frames += pipeline.push(chunk)
        start += size
    return frames, LatencyCollector(NETWORK.spec, rate_hz, "end")


@settings(deadline=None, max_examples=30)
@given(
    st.sampled_from([100.0, 130.0, 250.0, 500.0, 1000.0]),
    st.lists(st.tuples(st.integers(1, 150), st.floats(0, 0.2)), min_size=20, max_size=40),
)
def test_the_waterfall_adds_up_to_what_is_felt(rate_hz: float, packets: list[tuple[int, float]]) -> None:
    frames, hops = frames_of(rate_hz, [n for n, _ in packets], [s for _, s in packets])
    block = Block(0.0, 1.0)
    felt_ms = []
    for frame in frames:
        assert frame.stamps is not None
        put_s, taken_s, done_s = (frame.stamps.made + k * 1e-3 for k in (1, 2, 3))
        hops.watch("end", frame, put_s, taken_s, done_s)
        middle_s = (frame.start + frame.stop - 1) / 2 / frame.rate_hz
        felt_ms.append(1e3 * (done_s - middle_s))
    hops.digest(block)
    assert hops.whole == len(frames)
    if not frames:
        return
    parts = hops.waterfall_ms()
    assert sum(part["mean"] for part in parts) == pytest.approx(np.mean(felt_ms), abs=1e-3)
    assert hops.felt.count == hops.end_to_end.count == len(frames)
    # No part of the algorithm is more than the budget says, and none but the converter's is negative.
    pipeline = Pipeline(StreamInfo("test:", rate_hz), NETWORK)
    algorithm = {part["stage"]: part["mean"] for part in parts if part["kind"] == "algorithm"}
    assert sum(algorithm.values()) <= pipeline.latency.total_ms + 1e-6
    assert algorithm["look-ahead"] == pytest.approx(pipeline.latency.look_ahead_ms)
    assert all(part["mean"] > -1e-6 for part in parts if part["stage"] != "rate conversion")
    program_ms = sum(part["mean"] for part in parts if part["kind"] == "program")
    assert program_ms == pytest.approx(
        hops.sums_ms["queue"] / hops.whole + program_ms - parts[6]["mean"], abs=1e-3
    )


def test_paint_ends_the_way_where_a_frame_is_on_the_screen() -> None:
    frames, _ = frames_of(500.0, [20] * 20, [0.0] * 20)
    hops = LatencyCollector(NETWORK.spec, 500.0, "monitor", screen=True)
    for frame in frames:
        assert frame.stamps is not None
        made_s = frame.stamps.made
        hops.watch("monitor", frame, made_s, made_s, made_s)
    last = frames[-1]
    assert last.stamps is not None
    hops._paints.append((frames[0].stop, last.stamps.made + 0.01, last.stamps.made + 0.03))
    hops.digest(Block(0.0, 1.0))
    assert hops.whole == 1
    hops._paints.append((last.stop, last.stamps.made + 0.05, last.stamps.made + 0.06))
    hops.digest(Block(0.0, 1.0))
    assert hops.whole == len(frames)
    assert hops.stages["paint"].summary()["max"] == pytest.approx(20, abs=1e-3)


def test_bins_are_read_within_one_percent() -> None:
    ms = np.geomspace(2e-3, 1e5, 5000)
    assert np.all(np.abs(middle_ms(bins_of(ms)) / ms - 1) <= 0.0101)


def test_a_long_session_takes_bounded_room() -> None:
    blocks = Blocks()
    for i in range(20_000):
        block = blocks.at(i * 0.5)
        block.counts.setdefault("felt", type(block.waiting)()).update([7])
    assert len(blocks.all) <= MOST_BLOCKS
    assert sum(block.counts["felt"][7] for block in blocks.all) == 20_000
    ends = [block.at_s + block.seconds for block in blocks.all]
    assert all(
        end == pytest.approx(following.at_s) for end, following in zip(ends, blocks.all[1:], strict=False)
    )


# ---- the files


def test_the_summary_is_as_documented(summary: Any) -> None:
    documented = set(re.findall(r"^\| `(\w+)`", DOC.read_text("utf-8"), re.MULTILINE))
    assert set(summary) - {"compared_with"} == documented - {"compared_with"}
    assert summary["format"] == 1
    parts = summary["algorithmic_ms"]
    names = ("look_ahead", "overlap", "hop", "rate_conversion")
    assert parts["total"] == pytest.approx(sum(parts[name] for name in names), abs=1e-3)
    for stage in (*summary["stages_ms"].values(), summary["end_to_end_ms"], summary["hop_jitter_ms"]):
        assert set(stage) == {"p50", "p90", "p99", "p99_9", "max", "count"}
        assert stage["p50"] <= stage["p90"] <= stage["p99"] <= stage["p99_9"] <= stage["max"] * 1.0001
    stages = ["packet", "transport", "queue", "convert", "bands", "turn", "window", "inference", "stitch"]
    assert list(summary["stages_ms"])[:9] == stages
    assert summary["samples"] == {"in": 4250, "out": 2125, "lost": 0}
    assert summary["end_to_end_ms"]["count"] > 100
    felt = sum(part["mean"] for part in summary["waterfall_ms"])
    assert felt == pytest.approx(summary["felt_ms"]["mean"], abs=1e-4)
    assert 0 < summary["cpu"]["cores"] < 4
    assert {"core", "reader", "sink status line", "profiler"} <= set(summary["cpu"]["threads"])
    assert 20 < summary["memory_mb"]["peak"] < 4000
    assert set(summary["blocks"][3]["counts"]) == set(WHOLES) - {"screen"}


def test_the_trace_is_in_the_format_of_chrome(out: Path) -> None:
    trace = json.loads((out / "trace.json").read_text())
    spans = [event for event in trace["traceEvents"] if event["ph"] == "X"]
    assert {"queue", "convert", "inference", "stitch", "take"} <= {span["name"] for span in spans}
    assert all(span["dur"] >= 0 and isinstance(span["ts"], float) for span in spans)
    rows = {event["tid"] for event in trace["traceEvents"] if event.get("name") == "thread_name"}
    assert {span["tid"] for span in spans} <= rows


def test_the_report_is_one_file_that_fetches_and_runs_nothing(out: Path) -> None:
    page = (out / "report.html").read_text("utf-8")
    assert not re.search(r"<script|<link|@import|url\(|src=|href=|https?://", page)
    assert page.count("<svg") == page.count("</svg>") >= 10
    assert "prefers-color-scheme: dark" in page
    assert "@media print" in page
    assert "nan" not in re.sub(r"[a-z]+nan|nan[a-z]+", "", page)


def test_nothing_is_overwritten_unasked(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["profile", "synthetic:", "--seconds", "1", "--out", str(out)]) == 2
    assert "exists" in capsys.readouterr().err


# ---- comparing


def made_up(seed: int, *, slower: float = 1.0, seconds: int = 40) -> dict[str, Any]:
    """A session with noise as sessions have it: hops that depend on the second, and outliers."""
    random = np.random.default_rng(seed)
    blocks = []
    for at in range(seconds):
        level = np.exp(random.normal(0, 0.1))
        counts = {}
        for whole, ms in {"felt": 80.0, "end_to_end": 1.2, "inference": 0.4, "path": 0.3}.items():
            hops_ms = ms * slower * level * np.exp(random.normal(0, 0.2, 62))
            hops_ms[random.random(62) < 0.005] *= 20
            bins, n = np.unique(bins_of(hops_ms), return_counts=True)
            counts[whole] = [[int(b), int(k)] for b, k in zip(bins, n, strict=True)]
        cpu = {"core": 0.02 * slower * level}
        blocks.append({"at_s": at, "seconds": 1.0, "memory_mb": 180.0, "cpu_s": cpu, "counts": counts})
    return {
        "format": 1,
        "algorithmic_ms": {"total": 79.0},
        "stages_ms": {},
        "end_to_end_ms": {},
        "samples": {"in": 20_000, "out": 10_000, "lost": 0},
        "cpu": {},
        "memory_mb": {},
        "blocks": blocks,
    }


def verdicts(old: dict[str, Any], new: dict[str, Any]) -> set[str]:
    return {row.verdict for row in compare(old, new)}


def test_noise_is_not_worse() -> None:
    alarms = sum("worse" in verdicts(made_up(2 * seed), made_up(2 * seed + 1)) for seed in range(25))
    assert alarms <= 1


def test_half_as_fast_is_worse_and_twice_as_fast_is_better() -> None:
    for seed in range(4):
        slow = {row.name: row.verdict for row in compare(made_up(seed), made_up(seed + 100, slower=1.5))}
        assert slow["end to end, p50"] == slow["inference, p50"] == slow["CPU"] == "worse"
        assert slow["memory"] == "same"
        quick = {row.name: row.verdict for row in compare(made_up(seed), made_up(seed + 100, slower=0.5))}
        assert quick["end to end, p50"] == "better"
        assert "worse" not in quick.values()


def test_lost_samples_and_a_longer_look_ahead_are_worse() -> None:
    new = made_up(1)
    new["samples"]["lost"] = 50
    new["algorithmic_ms"]["total"] = 99.0
    found = {row.name: row.verdict for row in compare(made_up(1), new)}
    assert {name for name, verdict in found.items() if verdict == "worse"} == {"lost", "algorithmic"}
    assert any(line.endswith("worse") for line in table(compare(made_up(1), new)))


def test_what_differs_beside_the_measurements_is_said() -> None:
    old, new = made_up(1) | {"source": "a"}, made_up(1) | {"source": "b"}
    assert remarks(old, new) == ["source: a before, b now"]


@pytest.mark.parametrize(("slower", "code"), [(1.0, 0), (1.5, 1), (0.5, 0)])
def test_two_finished_sessions_are_compared_as_a_live_one_with_an_earlier_one(
    slower: float, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = made_up(1), made_up(1, slower=slower)
    for name, summary in (("a", old), ("b", new)):
        (tmp_path / f"{name}.json").write_text(json.dumps(summary))
    both = ["profile", "--compare", str(tmp_path / "a.json"), str(tmp_path / "b.json")]
    assert main(both) == code
    assert capsys.readouterr().out.splitlines() == table(compare(old, new))
    assert main([*both, "--json"]) == code
    told = json.loads(capsys.readouterr().out)["comparison"]
    assert [row["verdict"] for row in told] == [row.verdict for row in compare(old, new)]
    assert {path.name for path in tmp_path.iterdir()} == {"a.json", "b.json"}


@pytest.mark.parametrize(
    "words", [[], ["--compare", "a.json"], ["synthetic:"], ["--compare", "a.json", "no.json"]]
)
def test_a_profile_without_a_folder_is_refused_in_one_line(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.json").write_text(json.dumps(made_up(1)))
    monkeypatch.chdir(tmp_path)
    assert main(["profile", *words]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_compare_ends_with_1_where_it_is_worse_and_says_so(
    summary: Any,
    tmp_path: Path,
    model_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(profile_compare, "LEAST_BLOCKS", 3)
    quick, slow = copy.deepcopy(summary), copy.deepcopy(summary)
    # A predecessor a thousand times as fast, and one as much slower: 1 % bins, 2 log1p(0.01) wide.
    for other, shift in ((quick, -340), (slow, 340)):
        for block in other["blocks"]:
            block["counts"] = {k: [[max(b + shift, 0), n] for b, n in v] for k, v in block["counts"].items()}
            block["cpu_s"] = {} if shift < 0 else {"core": 10.0}
            block["memory_mb"] = 1.0 if shift < 0 else 1e6
        (tmp_path / f"{shift}.json").write_text(json.dumps(other))
    run = ["profile", "synthetic:", "--seconds", "4.5", "--model", str(model_file), "--force"]
    run += ["--out", str(tmp_path / "new"), "--compare"]
    assert main([*run, str(tmp_path / "-340.json")]) == 1
    assert "worse" in capsys.readouterr().out
    assert "Against" in (tmp_path / "new" / "report.html").read_text("utf-8")
    read_summary(tmp_path / "new" / "summary.json")
    assert "worse" not in {
        row.verdict for row in compare(json.loads((tmp_path / "340.json").read_text()), summary)
    }


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "[]",
        "{}",
        '{"format": 1}',
        json.dumps(made_up(1) | {"format": 2}),
        json.dumps(made_up(1, seconds=3)),
        json.dumps(made_up(1) | {"blocks": [{"counts": 3}] * 9}),
        json.dumps(made_up(1) | {"samples": None}),
        "[" * 100_000,
        json.dumps(made_up(1) | {"format": "x" * 10_000}),
        json.dumps(made_up(1)).replace('"counts": {', '"counts": {"queue": [[1000000000000, 1]], '),
    ],
)
def test_a_summary_that_is_none_is_refused_in_one_line(
    text: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if text is None:
        os.mkfifo(tmp_path / "bad.json")
    else:
        (tmp_path / "bad.json").write_text(text)
    with pytest.raises(InputError):
        read_summary(tmp_path / "bad.json")
    code = main(
        ["profile", "synthetic:", "--out", str(tmp_path / "x"), "--compare", str(tmp_path / "bad.json")]
    )
    said = capsys.readouterr().err
    assert code == 2
    assert len(said.splitlines()) == 1 and len(said) < 1000
    assert "Traceback" not in said


# ---- the absolute delay


def ecg(t_s: np.ndarray, seed: int = 1) -> np.ndarray:
    beats = np.cumsum(np.random.default_rng(seed).normal(0.85, 0.05, 200))
    mv = np.zeros_like(t_s)
    for at in beats:
        mv += np.exp(-(((t_s - at) / 0.012) ** 2)) + 0.25 * np.exp(-(((t_s - at - 0.25) / 0.05) ** 2))
    return mv


@settings(deadline=None, max_examples=12)
@given(st.floats(-0.4, 1.2), st.integers(0, 1000))
def test_the_delay_of_one_stream_against_another_is_found(delay_s: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    ours, theirs = np.arange(0, 40, 1 / 130), np.arange(0.3, 42, 1 / 500)
    a = ecg(ours) + random.normal(0, 0.03, len(ours)) + 0.3 * np.sin(ours / 2)
    b = 0.7 * ecg(theirs) + random.normal(0, 0.03, len(theirs))
    found = clock_offset.measure((ours + delay_s, a), (theirs, b))
    assert found.ms == pytest.approx(1e3 * delay_s, abs=1.5)
    assert found.low_ms - 1.5 <= 1e3 * delay_s <= found.high_ms + 1.5
    assert found.low_ms <= found.ms <= found.high_ms
    assert found.high_ms - found.low_ms < 5


@pytest.mark.parametrize("delay_s", [-4.9, -4.5, 4.5, 4.9])
def test_a_delay_of_up_to_five_seconds_is_found_in_half_a_minute(delay_s: float) -> None:
    t_s = np.arange(0, 32, 1 / 250)
    found = clock_offset.measure((t_s + delay_s, ecg(t_s)), (t_s, ecg(t_s)))
    assert found.ms == pytest.approx(1e3 * delay_s, abs=1.5)


def test_another_heart_is_no_reference() -> None:
    t_s = np.arange(0, 40, 1 / 250)
    with pytest.raises(InputError, match="not the same signal"):
        clock_offset.measure((t_s, ecg(t_s, 1)), (t_s, np.random.default_rng(1).normal(size=len(t_s))))
    with pytest.raises(InputError, match="share"):
        clock_offset.measure((t_s[:2000], ecg(t_s[:2000])), (t_s[:2000], ecg(t_s[:2000])))
    with pytest.raises(InputError, match="no sample"):
        clock_offset.measure((np.empty(0), np.empty(0)), (t_s, ecg(t_s)))


class Heart:
    """Lead I of one heart, its stamps off by so much; follows `streamer.session.source.Source`."""

    begun = time.monotonic()

    def __init__(self, rate_hz: float, delay_s: float) -> None:
        self._rate_hz, self._delay_s = rate_hz, delay_s

    def open(self) -> StreamInfo:
        return StreamInfo("polar:test", self._rate_hz, live=True)

    def items(self) -> Iterator[Chunk | Event]:
        for start in range(0, round(30 * self._rate_hz), 20):
            t_s = (start + np.arange(20)) / self._rate_hz
            yield Chunk(
                start, ecg(t_s).astype(np.float32), self.begun - 30 + t_s[0] + self._delay_s, time.monotonic()
            )

    def stop(self) -> None:
        pass


def test_a_reference_gives_the_absolute_delay_and_radio_is_called_relative(
    tmp_path: Path, model_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sources = {"polar:test": Heart(130.0, 0.045), "lsl:truth": Heart(500.0, 0.0)}
    monkeypatch.setattr(profile, "source_of", lambda options, *_: sources[options.text])
    run = [
        "profile",
        "polar:test",
        "--reference",
        "lsl:truth",
        "--seconds",
        "60",
        "--out",
        str(tmp_path / "o"),
    ]
    assert main([*run, "--model", str(model_file)]) == 0
    summary = json.loads((tmp_path / "o" / "summary.json").read_text())
    assert summary["transport"]["relative"] is True
    assert "relative" in capsys.readouterr().out
    delay = summary["reference"]["delay"]
    assert delay["ms"] == pytest.approx(45, abs=1.5)
    assert delay["low_ms"] <= delay["ms"] <= delay["high_ms"]
    assert summary["reference"]["felt_absolute_ms"] == pytest.approx(
        summary["felt_ms"]["mean"] + delay["ms"], abs=0.01
    )


def test_with_the_monitor_the_way_ends_with_the_paint(
    tmp_path: Path, model_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("PyQt6")
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    run = ["profile", "synthetic:", "--with-monitor", "--seconds", "4", "--out", str(tmp_path / "o")]
    assert main([*run, "--model", str(model_file)]) == 0
    summary = json.loads((tmp_path / "o" / "summary.json").read_text())
    assert summary["end_to_end_sink"] == "monitor"
    assert summary["stages_ms"]["paint"]["count"] > 20
    assert summary["waterfall_ms"][-1]["stage"] == "paint"
