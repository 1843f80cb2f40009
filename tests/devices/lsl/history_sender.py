# SPDX-License-Identifier: GPL-3.0-or-later
"""A real liblsl sender that lives a history: packets with arrival, values and stamps, from a file.

The first line of its standard input is a JSON object: ``file`` (``.npz``), ``name``, ``rate`` (0 is
irregular), ``origin`` (of LSL's clock), ``begin_s``, ``end_s`` (of the history; then it dies without a word).
"""

from __future__ import annotations

import json
import os
import sys
import time

import numpy as np
import pylsl


def main() -> None:
    how = json.loads(sys.stdin.readline())
    info = pylsl.StreamInfo(how["name"], "ECG", 2, how["rate"], "float32", how["name"])
    listed = info.desc().append_child("channels")
    for label, unit in (("I", "uV"), ("II", "nV")):
        node = listed.append_child("channel")
        node.append_child_value("label", label)
        node.append_child_value("unit", unit)
    outlet = pylsl.StreamOutlet(info)
    print("ready", flush=True)
    with np.load(how["file"]) as kept:
        at_s, ends, rows, stamps = (kept[key] for key in ("at_s", "ends", "rows", "stamps"))
    for k in range(len(at_s)):
        if at_s[k] < how["begin_s"]:
            continue
        if at_s[k] >= how["end_s"]:
            time.sleep(max(0.0, how["origin"] + how["end_s"] - pylsl.local_clock()))
            os._exit(0)
        time.sleep(max(0.0, how["origin"] + at_s[k] - pylsl.local_clock()))
        part = slice(ends[k - 1] if k else 0, ends[k])
        outlet.push_chunk(rows[part].tolist(), (how["origin"] + stamps[part]).tolist())
    time.sleep(1.0)


if __name__ == "__main__":
    main()
