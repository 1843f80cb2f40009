# SPDX-License-Identifier: MIT
"""Reads annotations of a WFDB record in the MIT format: annot(5)."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamer.core.errors import InputError
from streamer.formats.wfdb_files import bytes_of, header_path, show

BEATS = frozenset("NLRBAaJSVrFejnE/fQ?")
"""The annotation symbols that mark a beat; the others mark rhythm, noise, waves and notes."""

_ANNOTATION_BYTES = 1 << 26


def read_annotations(path: str | Path, extension: str = "atr") -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Read annotations in the MIT format.

    Parameters
    ----------
    path : str or Path
        The record (``.hea``, ``.dat`` or neither), or the annotation file itself.
    extension : str
        Which annotator's file: ``atr`` is the reference.

    Returns
    -------
    array (n,), tuple of n str
        Sample index and symbol of each (`BEATS` are those of beats); ``"[code]"`` for a code that
        annot(5) does not define.  Comments that define the file's own codes are left out.

    Raises
    ------
    InputError
        No such file, or it ends in the middle of an annotation.
    """
    path = header_path(os.fspath(path).removesuffix(f".{extension}"), exists=False)
    path = path.with_name(f"{path.name[:-4]}.{extension}")
    raw = bytes_of(path, _ANNOTATION_BYTES, "annotation file")
    words = np.frombuffer(raw[: len(raw) // 2 * 2], "<u2").tolist()
    times: list[int] = []
    symbols: list[str] = []
    time = place = 0
    while place < len(words) and words[place]:
        code, low = words[place] >> 10, words[place] & 0x3FF
        place += 1
        if code == _SKIP:
            if place + 2 > len(words):
                break
            step = words[place] << 16 | words[place + 1]
            time += step - (1 << 32) if step >= 1 << 31 else step
            place += 2
        elif code == _AUX:
            note = raw[2 * place : 2 * place + low]
            place += (low + 1) // 2
            if note.startswith(b"## ") and times and times[-1] == 0 and symbols[-1] == '"':
                times.pop()
                symbols.pop()
        elif code < _SKIP:
            time += low
            if code:
                times.append(time)
                symbols.append(_SYMBOLS.get(code, f"[{code}]"))
    if place >= len(words):
        raise InputError(f"{show(path)} ends in the middle of an annotation; fetch it again")
    return np.array(times, np.int64), tuple(symbols)


_SKIP, _AUX = 59, 63
_SYMBOLS = dict(
    zip((*range(1, 15), 16, *range(18, 42)), 'NLRaVFJASEj/Q~|sT*D"=pB^t+u?![]en@xf()r', strict=True)
)
