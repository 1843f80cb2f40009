# SPDX-License-Identifier: GPL-3.0-or-later
"""Damaged, torn and hostile files: what is whole is read, the rest is told, nothing is raised."""

from __future__ import annotations

import dataclasses
import json
import logging
import math
import struct
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
import pyxdf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamer.core.errors import InputError
from streamer.core.events import Marker, Notice, State, StateChanged, Topic
from streamer.formats.xdf import BOUNDARY_UUID, MAGIC, Tag, boundary, chunk, samples, text_sample
from streamer.recording.dataclass_json import built, plain
from streamer.recording.encoding import ROW, Encoder, Stream, checksum, claim, encode, unpack_event
from streamer.recording.folder import sessions, summary
from streamer.recording.reader import Recording
from streamer.recording.repair import repair
from streamer.session.event_wire import to_wire
from tests.streamer.made_session import (
    Made,
    description,
    items,
    record,
    same_chunk,
    same_chunks,
    same_frame,
    same_frames,
)

CASES = 200


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, Made]:
    """45 s of a strap's packets: small, and with four boundaries."""
    what = items(45, rate_hz=130.0, packet=16, loss=0.05, gap=(20, 23), hop=25, zero_s=100.0)
    path, made = record(tmp_path_factory.mktemp("whole"), what, description(130.0))
    return path.read_bytes(), made


def holds_nothing_wrong(recording: Recording, made: Made) -> list[int]:
    """Whatever is read is as it was; returns the raw indices of the packets that are there."""
    truth = {item.start: item for item in made.chunks}
    frames = {item.start: item for item in made.frames}
    back = list(recording.chunks())
    assert all(same_chunk(item, truth[item.start]) for item in back)
    assert all(same_frame(item, frames[item.start]) for item in recording.frames())
    assert recording.description == description(130.0)
    return [item.start for item in back]


def test_200_truncations_load_up_to_the_end(session: tuple[bytes, Made], tmp_path: Path) -> None:
    data, made = session
    path = tmp_path / "torn.xdf"
    head = data.index(made.chunks[0].lead_mv[:1].tobytes())  # the first samples
    before = 0
    cuts = np.sort(np.random.default_rng(1).integers(head, len(data), CASES))
    for number, cut in enumerate(cuts.tolist()):
        path.write_bytes(data[:cut])
        with Recording.open(path) as recording:
            starts = holds_nothing_wrong(recording, made)
            assert starts == [item.start for item in made.chunks[: len(starts)]]  # all up to the end
            assert len(starts) >= before and not recording.complete
            assert sum(damage.size for damage in recording.damage) < 30_000  # at most one write
            before = len(starts)
        assert summary(path).state in ("open", "damaged")
        if number % 40 == 0:
            streams, _ = pyxdf.load_xdf(path)
            assert len(streams[0]["time_stamps"]) >= sum(len(c.lead_mv) for c in made.chunks[: len(starts)])
    assert before >= len(made.chunks) - 30


@pytest.mark.parametrize("length", [1, 64, 5000])
def test_corruptions_load_up_to_the_damage_and_on_from_the_next_boundary(
    session: tuple[bytes, Made], tmp_path: Path, length: int
) -> None:
    data, made = session
    path = tmp_path / "corrupt.xdf"
    rng = np.random.default_rng(length)
    boundaries = [i for i in range(len(data)) if data.startswith(BOUNDARY_UUID, i)]
    for place in rng.integers(4, len(data) - length, CASES if length == 1 else 40).tolist():
        broken = bytearray(data)
        broken[place : place + length] = bytes(
            old ^ int(flip)
            for old, flip in zip(data[place : place + length], rng.integers(1, 256, length), strict=True)
        )
        path.write_bytes(broken)
        with Recording.open(path) as recording:
            starts = set(holds_nothing_wrong(recording, made))
            lost = [item.start for item in made.chunks if item.start not in starts]
            if lost:
                assert recording.damage
                assert (lost[-1] - lost[0]) / 130 <= 10
                # Before the damage, and behind the next boundary, all is there.
                next_boundary = next((b for b in boundaries if b >= place + length), len(data))
                for damage in recording.damage:
                    assert damage.offset + damage.size <= max(next_boundary + 10_000, place + length + 10_000)
                    assert damage.offset + damage.size > place - 30_000


def test_a_flipped_byte_of_signal_costs_half_a_second_at_the_most(
    session: tuple[bytes, Made], tmp_path: Path
) -> None:
    data, made = session
    path = tmp_path / "flip.xdf"
    place = data.index(made.chunks[200].lead_mv[3:5].tobytes()[:4])
    path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
    with Recording.open(path) as recording:
        starts = set(holds_nothing_wrong(recording, made))
        lost = [item.start for item in made.chunks if item.start not in starts]
        assert made.chunks[200].start in lost and (lost[-1] - lost[0]) / 130 < 1.0
        assert [damage.reason for damage in recording.damage] == ["samples that do not fit their checksum"]
        assert "cannot be read" in str(recording.damage[0])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_bytes_open_or_are_refused_in_one_line(tmp_path: Path, data: st.DataObject) -> None:
    parts = st.one_of(
        st.binary(max_size=40),
        st.just(MAGIC),
        st.just(boundary()),
        st.builds(
            lambda tag, stream, content: chunk(tag, content, stream=stream),
            st.sampled_from(list(Tag)),
            st.integers(0, 9),
            st.binary(max_size=120),
        ),
    )
    path = tmp_path / "any.xdf"
    path.write_bytes(
        data.draw(st.sampled_from([b"", MAGIC])) + b"".join(data.draw(st.lists(parts, max_size=12)))
    )
    with pytest.raises(InputError) as caught:
        Recording.open(path)
    assert "\n" not in str(caught.value)
    assert summary(path).state == "unreadable"


# ---- hostile files


def described(**changes: object) -> bytes:
    """A file's head, with other facts."""
    facts = {
        "format": "mecg-session 1",
        "began_unix_s": 1.8e9,
        "began_host_s": 0.0,
        "unix_s": 1.8e9,
        "host_s": 0.0,
        "so_far": {},
        "description": plain(description()),
        "facts": {},
    }
    text = json.dumps(facts | changes)
    return MAGIC + samples(Stream.DESCRIPTION, 1, text_sample(0.0, text, f"{zlib.crc32(text.encode()):08x}"))


def table(rows: int = 1, **columns: float) -> bytes:
    row = np.zeros(rows, ROW)
    row["flag"], row["samples"] = 8, 1
    for name, value in columns.items():
        row[name] = value
    return samples(Stream.PACKETS, rows, row.tobytes())


HUGE = [
    b"\x08" + struct.pack("<Q", 2**63),
    b"\x08" + struct.pack("<QHI", 2**40, 3, 1),
    struct.pack("<BIH", 4, 0xFFFFFFFF, 1),
    struct.pack("<BIHIBI", 4, 2 + 4 + 5, 3, Stream.RAW, 4, 0xFFFFFFFF),
    struct.pack("<BIHIBI", 4, 2 + 4 + 5, 3, Stream.PACKETS, 4, 0xFFFFFFFF),
    struct.pack("<BIHIBI", 4, 2 + 4 + 5, 3, Stream.EVENTS, 4, 0xFFFFFFFF),
    chunk(Tag.SAMPLES, struct.pack("<BQ", 8, 2**62), stream=Stream.EVENTS),
    samples(Stream.EVENTS, 1, struct.pack("<BdBQ", 8, 0.0, 8, 2**62)),
    samples(Stream.EVENTS, 1, text_sample(0.0, "[" * 200_000)),
    samples(Stream.EVENTS, 1, text_sample(0.0, '{"kind": "a", "text": "b", "count": 1e400}')),
    samples(Stream.EVENTS, 1, text_sample(0.0, '{"kind": 1, "text": "b"}')),
    samples(Stream.EVENTS, 1, text_sample(0.0, '{"kind": "a", "text": "b", "host_s": ' + "9" * 4000 + "}")),
    table(start=2.0**52, samples=1) + samples(Stream.RAW, 1, bytes(13)),
    table(start=math.nan),
    table(start=-1),
    table(start=0.5),
    table(samples=1e300),
    table(samples=65536) + samples(Stream.RAW, 65536, bytes(100)),
    table(samples=0),
    table(stamp=math.inf),
    table(rows=3),
    samples(Stream.RAW, 1, bytes(13)),
    samples(Stream.SCALE, 1, bytes(57)),
    chunk(Tag.CLOCK_OFFSET, b"x", stream=1),
    chunk(Tag.BOUNDARY, b"not the one that it is"),
    chunk(
        Tag.STREAM_HEADER, b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><info>&b;</info>', stream=1
    ),
    chunk(Tag.STREAM_HEADER, b"\xff<<<", stream=1),
]


@pytest.mark.parametrize("number", range(len(HUGE)))
def test_hostile_chunks_take_no_memory_and_raise_nothing(tmp_path: Path, number: int) -> None:
    path = tmp_path / "hostile.xdf"
    good = samples(Stream.EVENTS, 1, text_sample(0.0, json.dumps(plain(to_wire(Marker("after"))))))
    path.write_bytes(described() + HUGE[number] + boundary() + good)
    tracemalloc.start()
    try:
        recording = Recording.open(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20e6
    assert [event.text for event in recording.events] == ["after"]
    assert list(recording.chunks()) == [] and recording.seconds == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"flag": 0},
        {"flag": 4},
        {"stamp": math.inf},
        {"stamp": math.nan},
        {"start": -1.0},
        {"start": -math.inf},
        {"start": 2.0**53},
        {"start": 0.5},
        {"samples": 2.5},
        {"crc32": math.nan},
    ],
    ids=str,
)
def test_a_row_of_what_cannot_be_is_damage_even_if_the_checksum_fits(
    wrong: dict[str, float], tmp_path: Path
) -> None:
    path = tmp_path / "hostile.xdf"
    encoded = encode(np.zeros((2, 1), np.float32), np.array([2]), np.zeros(1))
    parts = []
    for number, values in enumerate(({}, wrong)):
        row = np.zeros(1, ROW)
        row["flag"], row["start"], row["samples"] = 8, 2.0 * number, 2
        for name, value in values.items():
            row[name] = value
        if "crc32" not in values:
            row["crc32"] = checksum(row, encoded)
        parts += [samples(Stream.PACKETS, 1, row.tobytes()), samples(Stream.RAW, 2, encoded)]
    path.write_bytes(described() + b"".join(parts))
    with Recording.open(path) as recording:
        assert [item.start for item in recording.chunks()] == [0]
        assert recording.damage[0].reason == "a table of what cannot be"


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "mecg-session 2"},
        {"began_unix_s": 1e14},
        {"began_unix_s": "now"},
        {"host_s": None},
        {"description": []},
        {"description": {}},
        {"description": {**plain(description()), "rate_hz": 1e308}},
        {"description": {**plain(description()), "rate_hz": "250"}},
        {"description": {**plain(description()), "rate_hz": 2}},  # no model runs at it, nor finds beats
        {"description": {**plain(description()), "rate_hz": 10**400}},
        {"description": {**plain(description()), "stream": {"source": "a", "rate_hz": 0}}},
        {"description": {**plain(description()), "stream": {"source": "a", "rate_hz": None}}},
        {
            "description": {
                **plain(description()),
                "stream": {"source": "a", "rate_hz": 500, "placement": "x"},
            }
        },
        {"description": {**plain(description()), "origins": {"I": 1}}},
    ],
)
def test_a_description_that_cannot_be_is_refused_in_one_line(
    tmp_path: Path, changes: dict[str, object]
) -> None:
    path = tmp_path / "odd.xdf"
    path.write_bytes(described(**changes))
    with pytest.raises(InputError) as caught:
        Recording.open(path)
    assert "\n" not in str(caught.value)


def test_foreign_files_are_refused(tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.xdf"
    header = b"<info><name>EEG</name></info>" + b" " * 2000
    foreign.write_bytes(
        MAGIC + chunk(Tag.FILE_HEADER, b"<info/>") + chunk(Tag.STREAM_HEADER, header, stream=1)
    )
    for path in (foreign, tmp_path, tmp_path / "none", Path("a\0b"), Path("x" * 5000), Path("/dev/zero")):
        with pytest.raises(InputError):
            Recording.open(path)


def test_fields_of_another_version_are_ignored_and_missing_ones_have_their_defaults() -> None:
    facts = plain(description())
    facts["new"] = 1
    facts["stream"]["new"] = [1]
    del facts["stream"]["notes"], facts["origins"]
    back = built(type(description()), facts)
    assert back == dataclasses.replace(
        description(), stream=dataclasses.replace(description().stream, notes=())
    )
    event = StateChanged(State.LIVE, "x", host_s=math.nan)
    back_event = unpack_event(json.dumps({**plain(to_wire(event)), "new": 1}))
    assert isinstance(back_event, StateChanged)
    assert math.isnan(back_event.host_s) and back_event.state is State.LIVE


# ---- after the session


def test_a_file_that_was_not_closed_is_closed_in_its_place(
    session: tuple[bytes, Made], tmp_path: Path
) -> None:
    data, made = session
    path = tmp_path / "open.xdf"
    # All but the end: what a crash right after a write leaves.
    path.write_bytes(data[: data.rindex(BOUNDARY_UUID) - 7])
    before = path.read_bytes()
    assert summary(path).state == "open"
    done = repair(path)
    assert done is not None and (done.dropped, done.kept) == (0, None)
    assert path.read_bytes().startswith(before)
    assert list(tmp_path.iterdir()) == [path]
    with Recording.open(path) as recording:
        assert recording.complete
        assert same_chunks(recording.chunks(), made.chunks)
    streams, _ = pyxdf.load_xdf(path)
    for stream in streams:
        assert int(stream["footer"]["info"]["sample_count"][0]) == len(stream["time_stamps"])
        assert float(stream["footer"]["info"]["last_timestamp"][0]) == pytest.approx(
            stream["time_stamps"][-1]
        )
    assert repair(path) is None
    listed = summary(path)
    assert listed.state == "complete" and listed.sums == recording.raw_sums


def test_what_is_damaged_is_written_anew_and_kept_as_it_was(
    session: tuple[bytes, Made], tmp_path: Path
) -> None:
    data, made = session
    path = tmp_path / "bad.xdf"
    for round_ in range(2):
        broken = bytearray(data[:-5000])
        broken[data.index(made.chunks[300].lead_mv[2:3].tobytes())] ^= 255
        path.write_bytes(broken)
        with Recording.open(path) as recording:
            chunks, frames = list(recording.chunks()), list(recording.frames())
            assert len(chunks) < len(made.chunks)
        done = repair(path)
        assert done is not None and done.kept is not None and done.dropped > 0
        assert done.kept.read_bytes() == bytes(broken)
        assert len(list(tmp_path.iterdir())) == 2 + round_
        with Recording.open(path) as recording:
            assert recording.complete and recording.description == description(130.0)
            assert same_chunks(recording.chunks(), chunks)
            assert same_frames(recording.frames(), frames)
            last = recording.events[-1]
            assert isinstance(last, Notice) and last.topic is Topic.REPAIR
        assert path.stat().st_mode & 0o777 == 0o600
        streams, _ = pyxdf.load_xdf(path)
        assert len(streams[0]["time_stamps"]) == sum(len(item.lead_mv) for item in chunks)


def test_a_session_that_is_being_recorded_is_left_alone(session: tuple[bytes, Made], tmp_path: Path) -> None:
    path = tmp_path / "busy.xdf"
    path.write_bytes(session[0][:-100])
    with path.open("ab") as file:
        assert claim(file)
        assert summary(path).state == "recording"
        with pytest.raises(InputError, match="is being recorded: stop that first"):
            repair(path)
    assert summary(path).state == "damaged"


def test_sessions_are_listed_by_time_with_the_odd_ones_among_them(
    session: tuple[bytes, Made], tmp_path: Path
) -> None:
    (tmp_path / "a.xdf").write_bytes(session[0])
    (tmp_path / "b.xdf").write_bytes(b"")
    (tmp_path / "c.xdf").write_bytes(session[0][:100_000])
    (tmp_path / "notes.txt").write_text("")
    (tmp_path / "d.xdf").mkdir()
    found = list(sessions(tmp_path))
    assert [(each.path.name, each.state) for each in found] == [
        ("a.xdf", "complete"),
        ("b.xdf", "unreadable"),
        ("c.xdf", "damaged"),
    ]
    assert found[0].sums.gaps > 1 and found[0].sums.lost >= 390
    assert found[0].seconds == pytest.approx(45, abs=0.2)
    with pytest.raises(InputError, match="cannot be listed"):
        list(sessions(tmp_path / "none"))


def test_a_file_that_changes_while_it_is_read_is_told(session: tuple[bytes, Made], tmp_path: Path) -> None:
    path = tmp_path / "s.xdf"
    path.write_bytes(session[0])
    recording = Recording.open(path)
    path.write_bytes(session[0][:20_000])
    with pytest.raises(InputError, match="was changed while it was read"):
        list(recording.chunks())


def test_instants_are_placed_in_the_session(tmp_path: Path) -> None:
    path, made = record(tmp_path, items(10, zero_s=50.0, gap=(3, 5)), description())
    with Recording.open(path) as recording:
        for host_s in (50.0, 52.0, 55.5, 59.0, 70.0, 48.0):
            assert recording.second_of(host_s) == pytest.approx(host_s - 50.0, abs=0.03)
        marker = made.events[0]
        assert recording.second_of(marker.host_s) == pytest.approx(marker.host_s - 50, abs=1e-9)


def test_an_encoder_that_was_undone_counts_what_is_written() -> None:
    encoder = Encoder(description(), {}, 0.0, 0.0)
    what = [item for item in items(2) if type(item).__name__ == "Chunk"]
    encoder.raw(what[:50])  # type: ignore[arg-type]
    mark, so_far = encoder.mark(), encoder.so_far
    encoder.raw(what[50:])  # type: ignore[arg-type]
    assert encoder.so_far != so_far
    encoder.undo(mark)
    assert encoder.so_far == so_far


@pytest.fixture(autouse=True)
def quiet() -> None:
    logging.getLogger("pyxdf").setLevel(logging.CRITICAL)  # it logs each damage that we make
