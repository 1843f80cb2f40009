# SPDX-License-Identifier: GPL-3.0-or-later
"""Small archives of records, made."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tests.streamer.known_network import scaled_identity

RECORDINGS = Path(__file__).parents[3] / "recordings"
ONE = RECORDINGS / "ptb-xl" / "00010_hr"


def archive(folder: Path, *names: str) -> Path:
    """A folder with a copy of one record under each of these names, which may have folders in them."""
    text = ONE.with_suffix(".hea").read_text()
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ONE.with_suffix(".dat"), path.with_suffix(".dat"))
        path.with_suffix(".hea").write_text(text.replace(ONE.name, path.name))
    return folder


def known_model(folder: Path) -> Path:
    """A model that runs in no time."""
    path = folder / "model.onnx"
    path.write_bytes(scaled_identity())
    return path


def records_in(folder: Path) -> set[str]:
    """The records of a folder and below, as paths in it."""
    return {path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob("*.hea")}


def bytes_in(folder: Path) -> dict[str, bytes]:
    """Every file."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def children_of(process: int) -> list[int]:
    """The processes that one has started, by Linux."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == process:
            found.append(int(stat.parent.name))
    return [child for child in found if child != os.getpid()]
