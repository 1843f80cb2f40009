# SPDX-License-Identifier: GPL-3.0-or-later
"""`mecg export`: a recorded session, or a part of it, as files for other programs."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from streamer.core.errors import InputError
from streamer.export.excerpt import Excerpt
from streamer.export.to_csv import write_csv
from streamer.export.to_dicom import write_dicom
from streamer.export.to_edf import write_edf
from streamer.export.to_pdf import write_pages
from streamer.export.to_wfdb import write_wfdb
from streamer.formats.atomic_write import refuse_existing
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


def run(args: argparse.Namespace) -> int:
    """Write the files, all or none."""
    if args.end <= args.start:
        raise InputError(f"--end {args.end:g} is not after --start {args.start:g}")
    end, write = FORMATS[args.format]
    name = record_name(args.session)
    refuse_existing(args.out / f"{name}{end}", force=args.force)
    with Recording.open(args.session) as recording:
        for damage in recording.damage:
            print(
                f"{args.session}: {damage.reason} at byte {damage.offset}: what stood there is a gap",
                file=sys.stderr,
            )
        excerpt = Excerpt.of(recording, args.leads, args.start, args.end)
    for path in write_whole_set(write, excerpt, args.out, name, force=args.force):
        print(path)
    return 0


def record_name(session: Path) -> str:
    """A name for the files: the session's own, in the letters that every format and system allows."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", session.stem)[:64] or "session"


def write_whole_set(write: Write, excerpt: Excerpt, out: Path, name: str, *, force: bool) -> list[Path]:
    """Write files aside and move them to their place when all of them are whole; returns their paths.

    Raises
    ------
    InputError
        One of them is there already.
    OSError
        The disk is full, say; nothing is left behind.
    """
    with _aside(out, name) as folder:
        written = write(excerpt, folder, name)
        for path in written:
            refuse_existing(out / path.name, force=force)
        return [path.replace(out / path.name) for path in written]


@contextmanager
def _aside(out: Path, name: str) -> Iterator[Path]:
    was_there = out.exists()
    folder = out / f".{name}.{os.getpid()}.part"
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
        if not was_there and not any(out.iterdir()):
            out.rmdir()
