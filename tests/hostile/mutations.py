# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are almost right: bytes changed blindly, and values changed with their checksums put right."""

from __future__ import annotations

import io
import json
import random
import struct
import zlib
from typing import Any

import numpy as np

from streamer.formats.xdf import (
    MAGIC,
    ChunkReader,
    Tag,
    samples,
    split_samples,
    split_text,
    text_sample,
)
from streamer.recording.encoding import ROW, STREAMS, Stream, checksum

NUMBERS = (0, -1, 1, 1e14, 1e16, 1e300, -1e300, 5e-324, 2**31, 2**53, 2**63, 10**400, -0.0, 0.5)
TEXTS = (
    "",
    "\ud800",
    "\x1b]0;TITLE\x07\x1b[31m",
    "a\r\n* FORGED",
    "\u202eevil",
    "\u2028",
    "\x00",
    "x" * 5000,
    "../../x",
    "é",
)
VALUES: tuple[Any, ...] = (*NUMBERS, *TEXTS, None, True, [], {}, [[]], {"a": {"a": []}}, [1] * 300)

WORDS = (
    b"\xff\xff\xff\xff",
    b"\x00",
    b"\n",
    b"-1",
    b"1e400",
    b"nan",
    b"%s",
    b"\x1b[2J",
    b"99999999999999999999",
    b"\xc3",
)


def changed_bytes(data: bytes, rng: random.Random) -> bytes:
    """One to some bytes flipped, cut, doubled, removed, or replaced by something that hurts."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 16))):
        at = rng.randrange(len(out) + 1)
        match rng.randrange(7):
            case 0 if out:
                out[min(at, len(out) - 1)] ^= 1 << rng.randrange(8)
            case 1:
                del out[at:]
            case 2:
                out[at:at] = rng.randbytes(rng.randrange(1, 20))
            case 3:
                del out[at : at + rng.randrange(1, 40)]
            case 4:
                out[at:at] = out[at : at + rng.randrange(1, 200)]
            case 5:
                word = rng.choice(WORDS)
                out[at : at + len(word)] = word
            case _:
                out[at : at + 4] = struct.pack("<I", rng.choice((0, 1, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 20)))
    return bytes(out)


def changed_json(text: str, rng: random.Random) -> str:
    """A leaf, or a branch, replaced."""
    value = json.loads(text)
    places: list[tuple[Any, Any]] = []

    def walk(node: Any) -> None:
        for key in node if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ():
            places.append((node, key))
            walk(node[key])

    walk(value)
    if not places:
        return text
    node, key = rng.choice(places)
    if rng.random() < 0.15 and isinstance(node, dict):
        del node[key]
    elif rng.random() < 0.02:
        return text.replace(":", ":" + "[" * 50_000, 1)
    else:
        node[key] = rng.choice(VALUES)
    return json.dumps(value)


def changed_session(data: bytes, rng: random.Random) -> bytes:
    """A session file whose checksums are right, and one of whose values is not."""
    reader = ChunkReader(io.BytesIO(data), len(data), STREAMS)
    parts = list(reader)
    tables = (Stream.PACKETS, Stream.FRAMES)
    texts = (Stream.DESCRIPTION, Stream.EVENTS)
    wanted = rng.choice((tables, texts, (Stream.DESCRIPTION,)))
    places = [i for i, part in enumerate(parts) if part.tag == Tag.SAMPLES and part.stream in wanted]
    at = rng.choice(places)
    out = [data[part.offset : part.stop] for part in parts]
    if wanted is tables:
        out[at] = _changed_table(parts, at, rng)
    else:
        out[at] = _changed_text(parts[at].content, parts[at].stream, rng)
    if rng.random() < 0.3:  # and a crash
        out = out[: rng.randrange(at, len(out)) + 1]
    return MAGIC + b"".join(out)


def _changed_table(parts: list[Any], at: int, rng: random.Random) -> bytes:
    count, encoded = split_samples(parts[at].content)
    rows = np.frombuffer(encoded, ROW).copy()
    row, name = rng.randrange(len(rows)), rng.choice(ROW.names[1:6])
    with np.errstate(over="ignore"):
        rows[name][row if rng.random() < 0.7 else slice(row, None)] = float(
            rng.choice((*NUMBERS[:11], float("nan"), float("inf"), rng.gauss(0, 1e6)))
        )
    follows = [
        split_samples(part.content)[1]
        for part in parts[at + 1 : at + 3]
        if part.tag == Tag.SAMPLES and part.stream in (Stream.RAW, Stream.LEADS, Stream.SCALE)
    ]
    if parts[at].stream == Stream.PACKETS:
        follows = follows[:1]
    rows["crc32"] = checksum(rows, *follows)
    return samples(parts[at].stream, count, rows.tobytes())


def _changed_text(content: bytes, stream: int, rng: random.Random) -> bytes:
    count, encoded = split_samples(content)
    channels = 2 if stream == Stream.DESCRIPTION else 1
    told = split_text(encoded, count, channels)
    which = rng.randrange(len(told))
    stamp_s, values = told[which]
    text = changed_json(values[0], rng)
    told[which] = (stamp_s, [text, f"{zlib.crc32(text.encode('utf-8', 'replace')):08x}"][:channels])
    return samples(stream, count, *(text_sample(at_s, *each) for at_s, each in told))
