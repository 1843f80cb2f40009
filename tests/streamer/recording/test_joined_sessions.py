# SPDX-License-Identifier: GPL-3.0-or-later
"""Bytes of two recordings in one file: what is read is of the first, to the bit, and nothing of the other."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamer.core.errors import InputError
from streamer.core.events import Event
from streamer.core.stream import Chunk, Frame
from streamer.formats.xdf import MAGIC
from streamer.recording.folder import summary
from streamer.recording.reader import Recording
from streamer.recording.repair import repair
from streamer.session.description import SessionDescription
from tests.streamer.made_session import MODEL_HZ, description, items, record, same_chunks, same_frames

RATE_HZ = 130.0
WHICH = st.integers(0, 3)
many = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def made(folder: Path, seconds: float, first_s: int, zero_s: float, about: SessionDescription) -> Path:
    """A session whose source had run for ``first_s`` before it was recorded."""

    def later() -> Iterator[Chunk | Frame | Event]:
        for item in items(seconds, rate_hz=RATE_HZ, packet=26, hop=50, zero_s=zero_s, seed=first_s + 1):
            if isinstance(item, Chunk | Frame):
                rate_hz = RATE_HZ if isinstance(item, Chunk) else MODEL_HZ
                item = dataclasses.replace(item, start=item.start + round(first_s * rate_hz))
            yield item

    return record(folder, later(), about)[0]


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("first"), 25, 0, 100.0, description(RATE_HZ))


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Of the same sensor and settings, or not; with indices behind those of the first, or among them."""
    return [
        made(tmp_path_factory.mktemp("other"), 25, first_s, 5000.0, about)
        for first_s in (0, 40)
        for about in (description(RATE_HZ), description(RATE_HZ, calibration="another person"))
    ]


def is_of_the_first(path: Path, first: bytes, alone: Path) -> Recording:
    """All that is read stands in the first session too."""
    alone.write_bytes(first)
    with Recording.open(path) as joined, Recording.open(alone) as whole:
        chunks = {chunk.start: chunk for chunk in whole.chunks()}
        frames = {frame.start: frame for frame in whole.frames()}
        back, made = list(joined.chunks()), list(joined.frames())
        assert {item.start for item in back} <= set(chunks) and {item.start for item in made} <= set(frames)
        assert same_chunks(back, [chunks[item.start] for item in back])
        assert same_frames(made, [frames[item.start] for item in made])
        assert joined.began_host_s == whole.began_host_s
        assert joined.began == whole.began
        return joined


@many
@given(share=st.sampled_from([1.0, 0.97, 0.7]) | st.floats(0.5, 1.0), which=WHICH, magic=st.booleans())
def test_a_session_behind_another_is_no_part_of_it(
    share: float, which: int, magic: bool, first: Path, others: list[Path], tmp_path: Path
) -> None:
    other = others[which].read_bytes().removeprefix(b"" if magic else MAGIC)
    data = first.read_bytes()
    data = data[: round(share * len(data))]
    path = tmp_path / "joined.xdf"
    path.write_bytes(data + other)
    joined = is_of_the_first(path, data, tmp_path / "alone.xdf")
    with Recording.open(tmp_path / "alone.xdf") as alone:
        assert (joined.raw_sums, joined.clock) == (alone.raw_sums, alone.clock)
        assert len(joined.events) == len(alone.events)
    assert not joined.complete and summary(path).state == "damaged"
    assert summary(path).sums == joined.raw_sums
    assert repair(path) is not None and Recording.open(path).complete
    is_of_the_first(path, data, tmp_path / "alone.xdf")


@many
@given(
    at=st.floats(0.5, 1.0),
    begin=st.floats(0.0, 1.0),
    long=st.floats(0.0, 1.0),
    which=WHICH,
    put_in=st.booleans(),
)
def test_a_stretch_of_another_session_is_damage(
    at: float,
    begin: float,
    long: float,
    which: int,
    put_in: bool,
    first: Path,
    others: list[Path],
    tmp_path: Path,
) -> None:
    data, other = first.read_bytes(), others[which].read_bytes()
    place, start = round(at * len(data)), round(begin * len(other))
    stretch = other[start : start + 1 + round(long * len(other))]
    path = tmp_path / "joined.xdf"
    path.write_bytes(data[:place] + stretch + data[place + (0 if put_in else len(stretch)) :])
    try:
        is_of_the_first(path, data, tmp_path / "alone.xdf")
    except InputError as error:
        assert error.line.isprintable()


def test_a_recording_with_bytes_before_it_loses_nothing(first: Path, tmp_path: Path) -> None:
    path, alone = tmp_path / "late.xdf", tmp_path / "alone.xdf"
    path.write_bytes(b"\0" * 512 + first.read_bytes())
    joined = is_of_the_first(path, first.read_bytes(), alone)
    assert joined.raw_sums == Recording.open(alone).raw_sums
    assert [damage.size for damage in joined.damage] == [512]


@pytest.mark.parametrize("magic", [True, False])
def test_a_session_that_is_there_twice_is_read_once(magic: bool, first: Path, tmp_path: Path) -> None:
    data, path = first.read_bytes(), tmp_path / "twice.xdf"
    path.write_bytes(data + (data if magic else data.removeprefix(MAGIC)))
    twice, once = Recording.open(path), Recording.open(first)
    assert (twice.events, twice.clock, twice.raw_sums) == (once.events, once.clock, once.raw_sums)
    assert [damage.reason for damage in twice.damage] == ["another recording begins there"]
