# SPDX-License-Identifier: MIT
"""A file of several readings lists them in a line that can be read, whatever their labels are."""

from __future__ import annotations

import copy
import io
import json
import struct
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamer import InputError, open_recording
from streamer.core.errors import Field
from streamer.formats.recording import choose
from streamer.formats.xdf import MAGIC, Tag, chunk

FILES = Path(__file__).parent / "files"
LONG = ["a" * 10_000, "b\x1b[31m" + "b" * 10_000]


def two_of(kind: str, path: Path) -> Path:
    """A file of two readings whose labels have 10,000 letters."""
    signal = [1000 * (i % 250 == 100) for i in range(600)]
    if kind == "json":
        readings = [{"signal": signal, "frequency": 300, "date": label} for label in LONG]
        path.write_text(json.dumps(readings))
    elif kind == "withings":
        row = '{},ecg,300,30,1,"' + json.dumps(signal) + '"'
        head = "date,type,frequency,duration,wearposition,signal"
        path.write_text("\n".join([head, *(row.format(label) for label in LONG)]))
    elif kind == "dicom":
        dataset = pydicom.dcmread(FILES / "dicom_I_II.dcm")
        group = dataset.WaveformSequence[0]
        dataset.WaveformSequence.append(copy.deepcopy(group))
        for each, label in zip(dataset.WaveformSequence, LONG, strict=True):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                each.MultiplexGroupLabel = label
        out = io.BytesIO()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dataset.save_as(out)
        path.write_bytes(out.getvalue())
    elif kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for label in LONG:
                text = (FILES / "apple_en.csv").read_text("utf-8").replace("2026-03-14", "no date")
                archive.writestr(f"electrocardiograms/{label}.csv", text)
    else:
        out = io.BytesIO()
        for number, label in enumerate(LONG, 1):
            words = "<type>ECG</type><channel_count>1</channel_count><nominal_srate>250</nominal_srate>"
            words += "<channel_format>float32</channel_format>"
            xml = f"<?xml version='1.0'?><info><name>{label.replace(chr(27), '')}</name>{words}</info>"
            out.write(chunk(Tag.STREAM_HEADER, xml.encode(), stream=number))
            samples = struct.pack("<Bdf", 8, 1.0, 0.0) + struct.pack("<Bdf", 8, 1.004, 0.5)
            out.write(chunk(Tag.SAMPLES, struct.pack("<BI", 4, 2), samples, stream=number))
        path.write_bytes(MAGIC + chunk(Tag.FILE_HEADER, b"<info/>") + out.getvalue())
    return path


@pytest.mark.parametrize("kind", ["json", "withings", "dicom", "zip", "xdf"])
def test_labels_of_ten_thousand_letters_make_a_line_that_can_be_read(kind: str, tmp_path: Path) -> None:
    path = two_of(kind, tmp_path / "any")
    with pytest.raises(InputError) as refused:
        open_recording(path)
    assert refused.value.field is Field.READING and len(refused.value.choices) == 2
    assert len(refused.value.line) < 300
    assert all(len(choice) < 60 and choice.isprintable() for choice in refused.value.choices)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(max_size=100), min_size=2, max_size=40))
def test_whatever_the_labels_a_reading_is_named_by_its_number_or_how_its_label_begins(
    labels: list[str],
) -> None:
    with pytest.raises(InputError) as refused:
        choose(len(labels), labels, None, "the file")
    assert len(refused.value.line) < 24 * 100 and "\n" not in refused.value.line
    assert all(len(choice) < 60 and choice.isprintable() for choice in refused.value.choices)
    for i, label in enumerate(labels):
        assert choose(len(labels), labels, str(i + 1), "the file") == i
        if len(label) > 3 and sum(other.startswith(label) for other in labels) == 1 and not label.isdecimal():
            assert choose(len(labels), labels, label, "the file") == i
    assert np.unique(refused.value.choices).size == len(labels)
