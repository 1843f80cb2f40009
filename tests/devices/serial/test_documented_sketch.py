# SPDX-License-Identifier: GPL-3.0-or-later
"""The sketch of docs/boards.md, compiled for this machine, prints lines that are read."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from devices.serial.lines import Layout, read_line

COMPILER = shutil.which("g++") or shutil.which("clang++")
PAGE = Path(__file__).parents[3] / "docs/boards.md"

ARDUINO = r"""
#include <cstdint>
#include <cstdio>
static uint32_t now_us = 4294000000u;  // micros() goes round meanwhile
static uint32_t micros() { return now_us += 7; }
static const int INPUT = 0, A0 = 14;
static long samples = 0;
static void pinMode(int, int) {}
static int digitalRead(int pin) { return pin == 10 && samples >= 100 && samples < 150; }
static int analogRead(int) { return samples % 1024; }
struct {
  void begin(long) {}
  void print(uint32_t n) { std::printf("%u", n); }
  void print(char c) { std::printf("%c", c); }
  void println(char c) { std::printf("%c\r\n", c); samples++; }
  void println(int n) { std::printf("%d\r\n", n); samples++; }
} Serial;
"""


@pytest.mark.skipif(COMPILER is None, reason="no C++ compiler")
def test_the_sketch_of_the_page_prints_what_is_read(tmp_path: Path) -> None:
    (sketch,) = re.findall(r"```cpp\n(.*?)```", PAGE.read_text("utf-8"), re.S)
    source, program = tmp_path / "sketch.cpp", tmp_path / "sketch"
    rate = r'std::fprintf(stderr, "%f", samples * 1e6 / (uint32_t)(now_us - 4294000000u));'
    main = f"int main() {{ setup(); while (samples < 1000) loop(); {rate} }}"
    source.write_text(ARDUINO + sketch + main)
    subprocess.run([COMPILER or "", "-Wall", "-Werror", "-o", program, source], check=True)
    ran = subprocess.run([program], capture_output=True, check=True)
    readings = [read_line(line, Layout(2, counter=1), 2) for line in ran.stdout.split(b"\n")[:-1]]
    assert [reading and reading.mark for reading in readings] == list(range(1000))
    assert [k for k, reading in enumerate(readings) if reading and reading.off] == list(range(100, 150))
    assert abs(float(ran.stderr) / 250 - 1) < 0.01
