# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines as sketches print them, and all that is none."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.serial.lines import Layout, numbers_in, read_line

ONE = Layout(1)


@given(
    cells=st.lists(st.floats(-1e9, 1e9) | st.integers(-(2**31), 2**32), min_size=1, max_size=8),
    between=st.sampled_from([",", ";", "\t", " ", ", ", " ; "]),
    end=st.sampled_from(["", "\r", " "]),
    labels=st.sampled_from([None, "ecg:", "Lead I: ", "LO+:", "ch_1:"]),
)
def test_numbers_are_read_however_they_are_set_apart(
    cells: list[float], between: str, end: str, labels: str | None
) -> None:
    line = between.join(f"{(labels or '').replace(' I', '_I')}{cell!r}" for cell in cells) + end
    assert numbers_in(line.encode()) == [float(cell) for cell in cells]


@given(line=st.binary(max_size=60), width=st.integers(1, 4), column=st.integers(1, 4))
def test_any_bytes_are_a_sample_or_none(line: bytes, width: int, column: int) -> None:
    reading = read_line(line, Layout(min(column, width)), width)
    assert reading is None or math.isfinite(reading.value) or reading.off


@pytest.mark.parametrize(
    "line", ["", "nan", "inf", "1_000", "0x1F", "12 3a", "1,,x", "--5", "5-", "1e999", "ets Jul 29 2019", "é"]
)
def test_what_is_no_number_is_no_sample(line: str) -> None:
    assert read_line(line.encode("utf-8"), ONE, 1) is None


@pytest.mark.parametrize("line", ["!", "!!", "LO+", "lo-", "LO", "leads off", "Lead off!", "LEADS_OFF"])
def test_marks_of_an_electrode_are_known(line: str) -> None:
    for text in (line, line + "\r"):
        reading = read_line(text.encode(), ONE, 1)
        assert reading is not None and reading.off
    reading = read_line(b"17,!", Layout(2, counter=1), 2)
    assert reading is not None and reading.off and reading.mark == 17


@pytest.mark.parametrize(("line", "off"), [(b"512,0,0", False), (b"512,1,0", True), (b"512,0,1", True)])
def test_columns_of_lo_say_whether_an_electrode_is_off(line: bytes, off: bool) -> None:
    reading = read_line(line, Layout(1, off=(2, 3)), 3)
    assert reading is not None and reading.off is off and math.isnan(reading.value) is off


@given(value=st.integers(0, 4095), cut=st.integers(0, 10))
def test_a_line_that_lost_a_column_or_holds_two_is_no_sample(value: int, cut: int) -> None:
    whole = f"{value},7,9".encode()
    cut_line = whole[: whole.rindex(b",")]
    assert read_line(cut_line, Layout(1), 3) is None
    assert read_line(whole + b"," + whole, Layout(1), 3) is None
