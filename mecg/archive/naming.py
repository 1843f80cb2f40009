# SPDX-License-Identifier: GPL-3.0-or-later
"""Which records a command means, and where each result goes."""

from __future__ import annotations

import glob
import os
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from devices.registry import recording_of
from mecg.archive.shard import Shard
from mecg.evaluation.dataset import read_table
from streamer.core.errors import InputError
from streamer.export.band import band_name
from streamer.formats.recording import without_identity
from streamer.formats.registry import format_of, split_reading
from streamer.formats.wfdb_files import is_kind
from streamer.formats.wfdb_writer import record_name
from streamer.lead_recording import is_a_session

FEWEST_HZ = 100
"""The files of PTB-XL that are taken if none are named."""

_PATTERN = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True)
class Item:
    """A record, and where its result goes."""

    record: str
    """As it is opened: a path, with ``?reading=`` behind it if there are several in a file."""
    folder: str
    """Below the output folder; empty is that folder itself."""
    name: str
    """Of the result."""

    def header(self, out: Path) -> Path:
        """The file that is written last: if it is there, the record is whole."""
        return out / self.folder / f"{self.name}.hea"


@dataclass(frozen=True, slots=True)
class Selection:
    """What the user said of which records."""

    records: Sequence[str] = ()
    """Records, folders, patterns."""
    listed: str | None = None
    """A file with a record or folder a line; ``-`` is the standard input."""
    folds: tuple[int, ...] | None = None
    """Of PTB-XL folders; None takes all records of any folder."""
    rate_hz: int = FEWEST_HZ
    """Which of PTB-XL's files, with ``folds``."""
    every: int = 1
    limit: int | None = None
    shard: Shard | None = None
    flat: bool = False
    """All results in one folder."""
    keep_identity: bool = False
    """Let a name in a file's name go into that of its result."""


@dataclass(slots=True)
class Found:
    """The records of a selection, sorted by their paths; what is left out of it is counted."""

    items: list[Item] = field(default_factory=list)
    in_all: int = 0
    """Before the shard was taken."""
    no_recordings: int = 0
    """Files in the folders that are none."""


def find(selection: Selection, out: Path) -> Found:
    """The records that a selection means.

    The shard counts in the sorted list, so that it is the same in whatever order they were named.

    Raises
    ------
    InputError
        Nothing is named, a name is none, or two records would become one.
    """
    found = Found()
    search = _Search(selection, out, found)
    for text in selection.records:
        found.items += search.named(text)
    for line in _lines(selection.listed):
        found.items += search.listed(line)
    if not selection.records and selection.listed is None:
        raise InputError("no record is named: name records, folders or patterns, or --list FILE")
    if not found.items:
        raise InputError("there is no recording in what was named: see docs/files.md for what can be read")
    found.items.sort(key=lambda item: (item.record, item.folder))
    found.items = found.items[:: selection.every][: selection.limit]
    _refuse_clashes(found.items, out)
    found.in_all = len(found.items)
    if selection.shard is not None:
        found.items = found.items[selection.shard.slice()]
    return found


def result_name(path: Path, keep_identity: bool = False) -> str:
    """What the result is called: a WFDB record as it is, another file without its ending; as WFDB allows."""
    text, reading = split_reading(str(path))
    name = Path(text).stem if Path(text).is_file() else Path(text).name
    name = name if keep_identity else without_identity(name)
    return record_name(name if reading is None else f"{name}_{re.sub('[^0-9A-Za-z]', '-', reading)}")


class _Search:
    """From a word of the user to items."""

    def __init__(self, selection: Selection, out: Path, found: Found) -> None:
        self._selection = selection
        self._out = out.resolve()
        self._found = found

    def named(self, text: str) -> list[Item]:
        """Of a word on the command line: a result of a single record goes into the output folder itself."""
        if not text.strip():  # else it would be the folder in which the command runs
            raise InputError("a record without a name: name records, folders or patterns")
        if Path(text).is_dir():
            return self._of_folder(Path(text), Path(text))
        if self._selection.folds is not None:
            raise InputError(f"{text} is no folder, and --folds chooses from PTB-XL folders: leave it out")
        if _is_pattern(text):
            return self._of_pattern(text)
        return [self._item(path_of(text), "")]

    def listed(self, line: str) -> list[Item]:
        """Of a line of a list: the result goes as deep as the line says."""
        path = Path(line)
        if path.is_dir():
            return self._of_folder(path, _mirrored(path))
        record = path_of(line)
        return [self._item(record, _mirrored(record).parent.as_posix())]

    def _of_folder(self, folder: Path, root: Path) -> list[Item]:
        below = Path() if folder == root else root
        if self._selection.folds is not None:
            entries = read_table(folder, self._selection.folds, self._selection.rate_hz)
            paths: Iterator[Path] = (entry.path for entry in entries)
        else:
            paths = self._walk(folder)
        return [self._item(path, (below / path.relative_to(folder).parent).as_posix()) for path in paths]

    def _of_pattern(self, text: str) -> list[Item]:
        parts = Path(text).parts
        fixed = next(i for i, part in enumerate(parts) if _PATTERN.search(part))
        root = Path(*parts[:fixed])
        paths: dict[Path, None] = {}
        for match in sorted(glob.glob(text, recursive=True)):  # noqa: PTH207 - Path's takes no absolute one
            path = Path(match)
            if path.is_dir():
                continue  # what lies in it is named by ** or by the folder itself
            if path.with_suffix(".hea").is_file():
                paths[path.with_suffix("")] = None
            elif _is_recording(path):
                paths[path] = None
            else:
                self._found.no_recordings += 1
        if not paths:
            raise InputError(f"{text} matches no recording: quote it as it is meant, or name a folder")
        return [self._item(path, path.relative_to(root).parent.as_posix()) for path in paths]

    def _item(self, path: Path, folder: str) -> Item:
        folder = "" if self._selection.flat or folder == "." else folder
        return Item(str(path), sys.intern(folder), result_name(path, self._selection.keep_identity))

    def _walk(self, folder: Path) -> Iterator[Path]:
        """The recordings in a folder and below it; the output folder is left out."""
        for place, folders, files in os.walk(folder):
            here = Path(place)
            folders[:] = sorted(
                name for name in folders if not name.startswith(".") and (here / name).resolve() != self._out
            )
            stems = {name[:-4] for name in files if name.endswith(".hea")}
            parts = {band_name(stem) for stem in stems}.union(*(_segments(here / f"{s}.hea") for s in stems))
            yield from (here / stem for stem in sorted(stems - parts))
            for name in sorted(files):
                if name.startswith(".") or name.rpartition(".")[0] in stems:
                    continue
                if _is_recording(here / name):
                    yield here / name
                else:
                    self._found.no_recordings += 1


def path_of(text: str) -> Path:
    """The record that a word names, a WFDB record without its ending; raises InputError."""
    path = recording_of(text)
    if path is None:
        raise InputError(f"{text} is no recording; record it first, or name a file")
    if path.suffix.lower() in (".hea", ".dat", ".mat") and is_kind(Path.is_file, path.with_suffix(".hea")):
        return path.with_suffix("")
    return path


def _mirrored(path: Path) -> Path:
    """As deep as a path says: from the current folder if it is below it, else from the root."""
    whole = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow links
    here = Path.cwd()
    return whole.relative_to(here if whole.is_relative_to(here) else whole.anchor)


def _lines(listed: str | None) -> Iterator[str]:
    if listed is None:
        return
    try:
        text = sys.stdin.read() if listed == "-" else Path(listed).read_text("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{listed} is no list of paths: it is not UTF-8") from error
    for line in text.splitlines():
        if line.strip():
            yield line.strip()


def _is_pattern(text: str) -> bool:
    path, reading = split_reading(text)
    return (
        bool(_PATTERN.search(path))
        and reading is None
        and not Path(f"{text}.hea").exists()
        and not (Path(text).exists())
    )


def _segments(header: Path) -> set[str]:
    """The records that a WFDB record is put together of, if it is."""
    if not is_kind(Path.is_file, header):  # a pipe would be waited for
        return set()
    try:
        with header.open("rb") as file:
            lines = [line for line in file.read(1 << 16).decode("latin-1").splitlines() if line[:1] != "#"]
    except OSError:
        return set()
    first = next((line for line in lines if line.strip()), "").split()
    if not first or "/" not in first[0]:
        return set()
    return {line.split()[0] for line in lines[1:] if line.strip()}


def _is_recording(path: Path) -> bool:
    try:
        return path.is_file() and (is_a_session(path) or format_of(path) is not None)
    except OSError:
        return False


def _refuse_clashes(items: Sequence[Item], out: Path) -> None:
    """Two inputs of one output, and an output over its input; before anything is written."""
    seen: dict[tuple[str, str], Item] = {}
    places: set[tuple[str, str]] = set()
    for item in items:
        place = os.path.split(item.record)[0], item.folder
        if place not in places:
            places.add(place)
            if Path(place[0]).resolve() == (out / item.folder).resolve():
                where = out / item.folder
                raise InputError(
                    f"{item.record} lies in {where} and would be overwritten: choose another --out"
                )
        first = seen.setdefault((item.folder, item.name), item)
        if first is not item:
            raise _clash(first, item, item.header(out).with_suffix(""))
    for item in items:
        other = seen.get((item.folder, band_name(item.name)))
        if other is not None:
            raise _clash(item, other, other.header(out).with_suffix(""))


def _clash(first: Item, second: Item, path: Path) -> InputError:
    return InputError(f"{first.record} and {second.record} would both become {path}: do them one by one")
