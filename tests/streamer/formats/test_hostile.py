# SPDX-License-Identifier: MIT
"""No file ends in a traceback, takes long, or asks for memory without end."""

from __future__ import annotations

import io
import json
import random
import struct
import time
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamer import InputError, open_recording
from streamer.formats.recording import Stated

FILES = Path(__file__).parent / "files"
NAMES = sorted(p.name for p in FILES.iterdir() if p.name != "facts.json" and p.suffix not in (".hea", ".mat"))


def made() -> dict[str, bytes]:
    """What has no file beside the others: an archive, and JSON of those who write it another way."""
    beat = [1000 * (i % 250 == 100) for i in range(1000)]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for day in (14, 15):
            lines = (FILES / "apple_en.csv").read_text("utf-8").splitlines()[:1000]
            name = f"apple_health_export/electrocardiograms/ecg_2026-03-{day}.csv"
            archive.writestr(name, "\n".join(lines).replace("03-14", f"03-{day}"))
    google = {"waveformSamples": beat, "samplingFrequencyHertz": 250, "millivoltsScalingFactor": 1000}
    measured = [{"date": 1.7e9 + i / 250, "voltage": v, "units": "mcV"} for i, v in enumerate(beat)]
    packets = [{"Timestamp": 125 * i, "Samples": beat[16 * i : 16 * i + 16]} for i in range(60)]
    documents = {
        "google.json": {"dataPoints": [{"electrocardiogram": google}]},
        "health_auto_export.json": {"data": {"ecg": [{"voltageMeasurements": measured}]}},
        "withings.json": {"body": {"signal": beat, "sampling_frequency": 300, "wearposition": 1}},
        "movesense.json": packets,
    }
    return {"export.zip": out.getvalue()} | {
        name: json.dumps(document).encode() for name, document in documents.items()
    }


MADE = made()
STATED = Stated(unit_mv=1e-3, rate_hz=250.0)
LONGEST_S = 2.0
INSERTED = (b"9" * 20, b"\xff" * 4, b"-1", b"[" * 50, b"\n", b"\0\0\0\0", b"1e999")
NUMBERS = (b"\xff\xff\xff\x7f", b"\0\0\0\x80", b"\0\0\0\0", b"\x01\0\0\0")
FREE_BYTES = 24 << 20
"""What any file may take: imports, caches."""


def opened(path: Path, stated: Stated = STATED) -> str | None:
    """The line of the refusal, None if it was read; fails if it takes long."""
    began = time.process_time()
    try:
        open_recording(path, stated).read(0, 1000)
        line = None
    except (InputError, OSError) as error:
        line = str(error)
        assert "\n" not in line
    assert time.process_time() - began < LONGEST_S
    return line


def mutated(raw: bytes, chance: random.Random) -> bytes:
    data = bytearray(raw)
    for _ in range(chance.choice((1, 1, 2, 5, 30))):
        at = chance.randrange(chance.choice((min(len(data), 2000), len(data))))
        match chance.randrange(6):
            case 0:
                data[at] = chance.randrange(256)
            case 1:
                data[at] = chance.choice(b'0123456789-.,;\n\t{}[]"eEN\x00\xff')
            case 2:
                del data[at : at + chance.choice((1, 2, 8, 300))]
            case 3:
                data[at:at] = chance.choice(INSERTED)
            case 4:
                data[at : at + 4] = chance.choice(NUMBERS)
            case _:
                del data[max(at, 1) :]
        if not data:
            data = bytearray(b"\0")
    return bytes(data)


def fuzz(name: str, runs: int, folder: Path) -> None:
    raw = MADE[name] if name in MADE else (FILES / name).read_bytes()
    small = raw[:20_000] if name.endswith((".csv", ".txt", ".json")) and len(raw) > 50_000 else raw
    path = folder / "mutant"
    chance = random.Random(f"{name} {runs}")
    for i in range(runs):
        path.write_bytes(mutated(small, chance))
        stated = chance.choice((STATED, Stated()))
        if i % 10:
            opened(path, stated)
        else:
            takes_memory_for_its_size(path, stated)


def takes_memory_for_its_size(path: Path, stated: Stated) -> None:
    tracemalloc.start()
    try:
        opened(path, stated)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < max(10 * path.stat().st_size, FREE_BYTES)


@pytest.mark.parametrize("name", [*NAMES, *MADE])
def test_a_mutated_file_is_read_or_refused_in_one_line(name: str, tmp_path: Path) -> None:
    fuzz(name, 100, tmp_path)


def test_a_dicom_element_that_says_it_is_long_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "long.dcm"
    raw = (FILES / "dicom_I_II.dcm").read_bytes()
    opened(FILES / "dicom_I_II.dcm")  # what is imported is not counted
    path.write_bytes(raw[:900] + struct.pack("<HH2sHL", 0x2E31, 0x2E32, b"OB", 0, 700 << 20))
    takes_memory_for_its_size(path, STATED)
    path.write_bytes(raw[:132] + struct.pack("<HHL", 0x2E31, 0x2E32, 700 << 20) + raw[132:800])
    takes_memory_for_its_size(path, STATED)


def deflated_dicom(more: int) -> bytes:
    """The DICOM of the tests, packed as a whole, with an element of so many zeros in MB."""
    dataset = pydicom.dcmread(FILES / "dicom_I_II.dcm")
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian
    out = io.BytesIO()
    dataset.save_as(out)
    raw = out.getvalue()
    start = 144 + struct.unpack_from("<I", raw, 140)[0]
    body = zlib.decompress(raw[start:], -zlib.MAX_WBITS)
    packing = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    parts = [packing.compress(body)]
    if more:
        parts.append(packing.compress(struct.pack("<HH2sHL", 0x5401, 0x1010, b"OB", 0, more << 20)))
        parts += [packing.compress(bytes(1 << 20)) for _ in range(more)]
    return raw[:start] + b"".join(parts) + packing.flush()


def test_a_dicom_that_is_packed_as_a_whole_is_read_and_a_bomb_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "packed.dcm"
    path.write_bytes(deflated_dicom(0))
    assert np.array_equal(open_recording(path).read(), open_recording(FILES / "dicom_I_II.dcm").read())
    path.write_bytes(deflated_dicom(200))
    assert path.stat().st_size < 1 << 20
    takes_memory_for_its_size(path, STATED)
    with pytest.raises(InputError, match="unpacks"):
        open_recording(path)


_ANY = st.sampled_from(
    [None, 5, "abc", [], {}, {"a": 1}, [1, 2, 3], [None], [{}], [[]], [[0, 1], [1, 2]], True]
)
_NAMES = "waveformSamples voltageMeasurements Samples signal Timestamp date interval"
_NAMES += " samplingFrequency scalingFactor leadNumber wearposition units"
_OF_ANY_TYPE = st.dictionaries(st.sampled_from(_NAMES.split()), _ANY)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(document=st.lists(_OF_ANY_TYPE, min_size=1, max_size=3))
def test_fields_of_json_hold_anything_and_are_read_or_refused(document: object, tmp_path: Path) -> None:
    path = tmp_path / "any.json"
    path.write_text(json.dumps(document))
    for reading in ("", "?reading=1", "?reading=2"):
        opened(Path(f"{path}{reading}"))


@pytest.mark.long
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("name", [*NAMES, *MADE])
def test_two_thousand_mutants_are_read_or_refused_in_one_line(name: str, tmp_path: Path) -> None:
    fuzz(name, 2000, tmp_path)


@pytest.mark.parametrize("name", NAMES)
def test_a_file_takes_no_more_than_ten_times_its_size_of_memory(name: str) -> None:
    opened(FILES / name)  # what it imports is no part of it
    tracemalloc.start()
    try:
        opened(FILES / name)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 10 * (FILES / name).stat().st_size + (1 << 20)


def edf_of_a_billion_records() -> bytes:
    raw = bytearray((FILES / "edfplus_I_uV.edf").read_bytes())
    raw[236:244] = b"99999999"
    return bytes(raw)


def zip_bomb() -> bytes:
    out = io.BytesIO()
    name = "apple_health_export/electrocardiograms/ecg_2026-03-14.csv"
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive, archive.open(name, "w") as file:
        for _ in range(200):
            file.write(b"0" * (1 << 20))
    return out.getvalue()


@pytest.mark.parametrize(
    "raw",
    [
        b"[" * 1_000_000,
        b'{"a":' * 200_000,
        b"[[],[]," * 200_000 + b"[]]",
        json.dumps({"waveformSamples": [10**400], "scalingFactor": 1}).encode(),
        edf_of_a_billion_records(),
        zip_bomb(),
        b"PK\x03\x04" + bytes(1000),
        b"ALIVE\0\0\0" + b"\x02\0\0\0fmt \xff\xff\xff\xff",
        b"ISHNE1.0" + b"\xff" * 600,
        b"XDF:" + b"\x04\xff\xff\xff\x7f\x01\x00" + bytes(100),
        b"time [s],I [mV]\n0,1\n1e-3,2\n2e-3,1\n1e15,0\n",
        b"",
        bytes(5000),
        b"\xff\xfe" + b"\n\0" * 3,
    ],
    ids=range(14),
)
def test_what_claims_too_much_is_refused_in_one_line(raw: bytes, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(raw)
    tracemalloc.start()
    try:
        line = opened(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert line
    assert peak < max(10 * len(raw), FREE_BYTES)


def test_a_damaged_archive_is_refused(tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.write(FILES / "apple_en.csv", "apple_health_export/electrocardiograms/ecg_1.csv")
    raw, path = bytearray(out.getvalue()), tmp_path / "export.zip"
    raw[2000] ^= 0xFF
    path.write_bytes(raw)
    assert opened(path)
    assert zlib.crc32(raw)


def long_texts(n: int) -> dict[str, str]:
    """Files whose values take few letters each: a list of their lines would take many times as much."""
    apple = (FILES / "apple_en.csv").read_text("utf-8").splitlines()[:14]
    fitbit = {"waveformSamples": [12] * n, "samplingFrequencyHz": "250", "scalingFactor": 10922}
    withings = ",".join(["12", "900"] * (n // 2))
    return {
        "column.csv": "12\n" * n,
        "apple.csv": "\n".join([*apple, *["12"] * n]),
        "table.csv": "time [ms],I [mV]\n" + "".join(f"{4 * i},{i % 7 / 1000:.3f}\n" for i in range(n // 4)),
        "fitbit.json": json.dumps({"ecgReadings": [fitbit]}, separators=(",", ":")),
        "withings.csv": f'date,frequency,wearposition,signal\n"2026-03-14 09:15:00",300,1,"[{withings}]"\n',
    }


@pytest.mark.parametrize("name", long_texts(2))
def test_a_long_text_takes_no_more_than_ten_times_its_size_of_memory(name: str, tmp_path: Path) -> None:
    for n in (100, 100_000):
        (tmp_path / name).write_text(long_texts(n)[name], "utf-8")
        tracemalloc.start()
        try:
            open_recording(tmp_path / name, STATED)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < 10 * (tmp_path / name).stat().st_size + (1 << 20)
