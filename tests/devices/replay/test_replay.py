"""What a replay can do on top of playing: begin elsewhere, go round, and lose packets on purpose."""

from __future__ import annotations

import math
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import pytest

from devices.replay.file import FileReplay
from devices.replay.pacing import Drop, Replay
from devices.replay.synthetic import Synthetic
from streamer.core.errors import Field, InputError
from streamer.core.events import SamplesLost, Seam
from streamer.core.stream import Chunk
from streamer.formats.wfdb_reader import Record
from streamer.session.source import Source

PTB = Path(__file__).parents[3] / "recordings" / "ptb" / "s0010_re"
RATE = 1000
SAMPLES = 38_400


def played(source: Source) -> tuple[list[Chunk], list[SamplesLost]]:
    source.open()
    items = list(source.items())
    chunks = [item for item in items if isinstance(item, Chunk)]
    return chunks, [item for item in items if isinstance(item, SamplesLost)]


def fast(**how: object) -> Replay:
    return Replay(math.inf, **how)  # type: ignore[arg-type]


def test_a_replay_can_begin_later_with_an_index_of_its_own() -> None:
    source = FileReplay(PTB, replay=fast(start_s=12.3))
    info = source.open()
    chunks, lost = played(source)
    assert info.samples == SAMPLES - 12_300 == chunks[-1].stop and chunks[0].start == 0 and not lost
    assert np.array_equal(np.concatenate([c.lead_mv for c in chunks]), Record(PTB).read()[0][12_300:])
    assert any("from 12.3 s on" in note for note in info.notes)


@pytest.mark.parametrize("start_s", [38.4, 1e9])
def test_a_start_behind_the_end_is_refused(start_s: float) -> None:
    for source in (
        FileReplay(PTB, replay=fast(start_s=start_s)),
        Synthetic("?seconds=38.4", replay=fast(start_s=start_s)),
    ):
        with pytest.raises(InputError, match=r"ends after 38\.4 s, before the start at ") as caught:
            source.open()
        assert caught.value.field is Field.START


def test_an_endless_source_can_begin_anywhere() -> None:
    source = Synthetic("?rate=250", replay=fast(start_s=1000))
    assert source.open().samples is None
    first = next(item for item in source.items() if isinstance(item, Chunk))
    assert first.start == 0
    assert np.array_equal(first.lead_mv, Synthetic("?rate=250").lead_mv(250_000, 250_005))


@pytest.mark.parametrize("chunk", [7, 20, 50_000])
def test_a_loop_goes_round_and_its_index_rises(chunk: int) -> None:
    source = FileReplay(PTB, replay=fast(start_s=30, loop=True), chunk_samples=chunk)
    assert source.open().samples is None
    chunks: list[Chunk] = []
    seams: list[tuple[float, int]] = []
    for item in source.items():
        if isinstance(item, Seam):
            seams.append((item.at_s, chunks[-1].stop if chunks else 0))
        if isinstance(item, Chunk):
            chunks.append(item)
            if item.stop > 3 * 8400:
                source.stop()
    laps = range(8400, chunks[-1].stop, 8400)
    assert [at_s for at_s, _ in seams] == [lap / RATE for lap in laps]
    assert all(before <= at_s * RATE for at_s, before in seams), "it is said before the samples come"
    assert all(a.stop == b.start for a, b in pairwise(chunks))
    whole = Record(PTB).read()[0][30_000:]
    joined = np.concatenate([c.lead_mv for c in chunks])
    assert np.array_equal(joined, np.resize(whole, len(joined)))
    reference = np.concatenate([c.reference_mv for c in chunks if c.reference_mv is not None], axis=1)
    assert np.array_equal(reference[0], joined)


@pytest.mark.parametrize("share", [0.05, 0.5])
@pytest.mark.parametrize("burst_s", [0.0, 0.5, 2.0])
def test_what_is_dropped_is_a_jump_of_the_index_and_told(share: float, burst_s: float) -> None:
    source = FileReplay(PTB, replay=fast(loop=True, drop=Drop(share, burst_s)))
    source.open()
    chunks, told, lost_at = [], 0, []
    for item in source.items():
        if isinstance(item, SamplesLost):
            told += item.count
            lost_at.append(item.count / RATE)
        elif isinstance(item, Chunk):
            chunks.append(item)
            if item.stop > 400 * RATE:
                source.stop()
    assert chunks[0].start == 0
    gaps = [b.start - a.stop for a, b in pairwise(chunks)]
    total = chunks[-1].stop
    assert sum(gaps) == told == total - sum(len(c.lead_mv) for c in chunks)
    # One in 20,000 packets by chance, or one stretch in each slot but the last.
    assert told / total == pytest.approx(share, abs=0.01 if burst_s else 0.015)
    if burst_s:
        # Two stretches may touch, and be one gap.
        assert min(lost_at) == pytest.approx(burst_s, abs=0.021) and max(lost_at) <= 2 * burst_s
    whole = Record(PTB).read()[0]
    for chunk in chunks[::97]:
        where = np.arange(chunk.start, chunk.stop) % SAMPLES
        assert np.array_equal(chunk.lead_mv, whole[where])


def test_the_same_packets_are_dropped_at_every_run_and_speed() -> None:
    runs = [
        [c.start for c in played(FileReplay(PTB, replay=Replay(speed, drop=Drop(0.1))))[0]]
        for speed in (math.inf, 500.0)
    ]
    assert runs[0] == runs[1] and len(runs[0]) < SAMPLES / 20


def test_a_loss_at_the_very_end_is_told() -> None:
    chunks, lost = played(FileReplay(PTB, replay=fast(drop=Drop(0.999))))
    assert sum(len(c.lead_mv) for c in chunks) + sum(e.count for e in lost) == SAMPLES
    assert chunks[0].start == 0


@pytest.mark.parametrize(
    ("text", "drop"),
    [
        ("5%", Drop(0.05)),
        (" 0.5 % ", Drop(0.005)),
        ("5%:2s", Drop(0.05, 2.0)),
        ("12.5%: 0.25 s", Drop(0.125, 0.25)),
    ],
)
def test_the_ways_to_say_what_is_dropped(text: str, drop: Drop) -> None:
    assert Drop.parse(text) == drop


@pytest.mark.parametrize(
    "text", ["", "5", "0%", "100%", "-5%", "nan%", "5%:", "5%:2", "5%:0s", "5%:9999s", "5%2s", "٥%", "5%\n6%"]
)
def test_whatever_else_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(InputError, match=r"give 5% .* or 5%:2s") as caught:
        Drop.parse(text)
    assert "\n" not in str(caught.value)


def test_a_share_says_itself_in_the_notes() -> None:
    info = Synthetic(replay=Replay(drop=Drop(0.05, 2), loop=True, start_s=3)).open()
    assert info.notes[-1] == "Left out on purpose: 5 % of the packets, in stretches of 2 s."
    assert "begins again" in info.notes[-2]


def test_as_recorded_says_nothing() -> None:
    assert len(Synthetic().open().notes) == 1
    assert len(list(islice(Synthetic(replay=fast()).items(), 5))) == 5
