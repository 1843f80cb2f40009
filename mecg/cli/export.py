# SPDX-License-Identifier: GPL-3.0-or-later
"""`mecg export`: a recorded session, or a part of it, as files for other programs."""

from __future__ import annotations

import math
import os
import re
import shutil
from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mecg.app.terminal import put, say
from mecg.cli.argument_types import from_zero, names, positive
from mecg.cli.help_text import Help
from mecg.cli.options import add_force
from streamer.core.errors import InputError
from streamer.export.excerpt import LONGEST_GAP_S, Excerpt, excerpts_of
from streamer.export.to_csv import write_csv
from streamer.export.to_dicom import write_dicom
from streamer.export.to_edf import write_edf
from streamer.export.to_pdf import write_pages
from streamer.export.to_wfdb import join_records, part_name, write_wfdb
from streamer.formats.atomic_write import refuse_existing, refuse_folder
from streamer.formats.left_behind import claimed, remove_left_behind
from streamer.recording.reader import Recording

Write = Callable[[Excerpt, Path, str], list[Path]]

FORMATS: dict[str, tuple[str, Write]] = {
    "wfdb": (".hea", write_wfdb),
    "edf": (".edf", write_edf),
    "csv": (".csv", write_csv),
    "pdf": (".pdf", write_pages),
    "dicom": (".dcm", write_dicom),
}
"""By name: the end of the main file's name, and what writes all of them."""


HELP = Help(
    about=(
        "Writes a recorded session, or a part of it, as files for other programs. All files are written, or "
        "none. Paths of the files go to stdout."
    ),
    examples=(
        "mecg export mecg-20261128-081500-000.xdf --format edf --out files",
        "mecg export mecg-20261128-081500-000.xdf --format csv --start 60 --end 90 --leads II,V2 --out files",
    ),
)


def add_options(parser: ArgumentParser) -> None:
    """All that `Options` holds."""
    parser.add_argument("session", type=Path, metavar="SESSION", help="a session's file")
    parser.add_argument("--format", choices=tuple(FORMATS), required=True, help="of the files")
    parser.add_argument(
        "--start",
        dest="start_s",
        type=from_zero,
        default=0.0,
        metavar="T",
        help="seconds into the session (0)",
    )
    parser.add_argument(
        "--end", dest="end_s", type=positive, default=math.inf, metavar="T", help="the end, likewise"
    )
    parser.add_argument(
        "--leads",
        type=names,
        default=(),
        metavar="I,II,measured",
        help="these only; measured: I, as measured",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the files go")
    add_force(parser)


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says."""

    session: Path
    format: str
    start_s: float
    end_s: float
    leads: tuple[str, ...]
    out: Path
    force: bool


def run(options: Options) -> int:
    """Write the files, all or none."""
    if options.end_s <= options.start_s:
        raise InputError(f"--end {options.end_s:g} is not after --start {options.start_s:g}")
    end, write = FORMATS[options.format]
    name = record_name(options.session)
    refuse_folder(options.out)
    refuse_existing(options.out / f"{name}{end}", force=options.force)
    with Recording.open(options.session) as recording:
        for damage in recording.damage:
            say(f"{options.session}: {damage.reason} at byte {damage.offset}: what stood there is a gap")
        parts = excerpts_of(recording, options.leads, options.start_s, options.end_s)
    if len(parts) > 1:
        say(
            f"{options.session}: {len(parts)} sets of files, {part_name(name, 1)} and so on, since gaps "
            f"of more than {LONGEST_GAP_S:g} s lie between them"
        )
    for path in write_whole_set(write, parts, options.out, name, force=options.force):
        put(path)
    return 0


def record_name(session: Path) -> str:
    """A name for the files: the session's own, in the letters that every format and system allows."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", session.stem)[:64] or "session"


def write_whole_set(
    write: Write, parts: Sequence[Excerpt], out: Path, name: str, *, force: bool
) -> list[Path]:
    """Write files aside and move them to their place when all of them are whole; returns their paths.

    Of several excerpts each has files of its own, ``NAME_001`` and so on.

    Raises
    ------
    InputError
        One of them is there already.
    OSError
        The disk is full, say; nothing is left behind.
    """
    with _aside(out, name) as folder:
        if len(parts) == 1:
            written = write(parts[0], folder, name)
        else:
            numbered = enumerate(parts, 1)
            written = [p for k, part in numbered for p in write(part, folder, part_name(name, k))]
            if write is write_wfdb:
                written += join_records(parts, folder, name)
        for path in written:
            refuse_existing(out / path.name, force=force)
            path.chmod(0o600)  # as recordings are
        return [path.replace(out / path.name) for path in written]


@contextmanager
def _aside(out: Path, name: str) -> Iterator[Path]:
    was_there = out.exists()
    folder = out / f".{name}.{os.getpid()}.part"
    out.mkdir(parents=True, exist_ok=True)
    remove_left_behind(out)
    folder.mkdir(mode=0o700)
    try:
        with claimed(folder):
            yield folder
    finally:
        shutil.rmtree(folder)
        if not was_there and not any(out.iterdir()):
            out.rmdir()
