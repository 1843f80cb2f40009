"""A sender in a process of its own: sample k is the number k, so that a receiver can prove every index.

The first line of its standard input is a JSON object with any of the keys of `DEFAULTS`.  It prints
``ready``, then, once its input is closed, how many samples it has sent.
"""

from __future__ import annotations

import json
import math
import sys
import threading
import time
from typing import Any

import numpy as np
import pylsl

DEFAULTS: dict[str, Any] = {
    "name": "ECG under test",
    "type": "ECG",
    "source_id": "sender-1",
    "rate": 250.0,
    "nominal": None,  # what is stated, where that is not the rate; 0 is irregular
    "format": "float32",
    "channels": [{"label": "I", "unit": "microvolts"}],  # their XML children
    "desc": {},  # more children of desc
    "signal": "count",  # or "ecg": about 1 mV, in the unit given by "per_mv"
    "per_mv": 1000.0,
    "table": None,  # a .npy file (samples, channels) to send over and over instead, in the channels' unit
    "origin": None,  # local_clock() at which sample 0 was taken; now where left out
    "packet": 1,  # samples to a push
    "stamps": "each",  # "last": only that of a packet's last sample is given; "push": none is
    "jitter_s": 0.0,  # of the stamps given, the same for a whole packet
    "held_s": 0.0,  # so long after its last sample a packet leaves
    "shift_s": 0.0,  # of the sender's clock against LSL's
    "drop": [],  # [first, stop): samples that never leave
    "every": 0,  # of the samples, drop each n-th
    "seconds": math.inf,
    "chunk_size": 0,
}


def main() -> None:
    how = DEFAULTS | json.loads(sys.stdin.readline())
    channels, rate = how["channels"], how["rate"]
    nominal = rate if how["nominal"] is None else how["nominal"]
    count = max(len(channels), 1)
    info = pylsl.StreamInfo(how["name"], how["type"], count, nominal, how["format"], how["source_id"])
    if channels:
        listed = info.desc().append_child("channels")
        for channel in channels:
            node = listed.append_child("channel")
            for key, value in channel.items():
                node.append_child_value(key, value)
    for key, value in how["desc"].items():
        info.desc().append_child_value(key, value)
    outlet = pylsl.StreamOutlet(info, how["chunk_size"])
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    print("ready", flush=True)

    rng = np.random.default_rng(0)
    packet = how["packet"]
    table = None if how["table"] is None else np.load(how["table"])
    origin = pylsl.local_clock() if how["origin"] is None else how["origin"]
    k = max(0, math.ceil((pylsl.local_clock() - origin) * rate / packet)) * packet
    last = k + how["seconds"] * rate
    sent = 0
    while not ended.is_set() and k < last:
        due = origin + (k + packet - 1) / rate + how["held_s"]
        time.sleep(max(0.0, due - pylsl.local_clock()))
        index = np.arange(k, k + packet)
        k += packet
        keep = np.ones(packet, bool)
        for first, stop in how["drop"]:
            keep &= (index < first) | (index >= stop)
        if how["every"]:
            keep &= index % how["every"] != how["every"] - 1
        index = index[keep]
        if not len(index):
            continue
        sent += len(index)
        if how["format"] == "string":
            outlet.push_sample([f"mark {k}"] * count)
            continue
        values = index.astype(float)
        if how["signal"] == "ecg":
            values = how["per_mv"] * np.exp(-(((index / rate) % 0.8 - 0.4) ** 2) / 0.0008)
        rows = (values[:, None] + 1e5 * np.arange(count)[None, :]).astype(np.float64)
        if table is not None:
            rows = table[index % len(table)].astype(np.float64)
        whole = how["format"].startswith("int")
        samples = rows.astype(np.int64).tolist() if whole else rows.tolist()
        noise = rng.uniform(-how["jitter_s"], how["jitter_s"])
        stamps = (origin + index / rate + noise + how["shift_s"]).tolist()
        if how["stamps"] == "each":
            outlet.push_chunk(samples, stamps)
        elif how["stamps"] == "last":
            outlet.push_chunk(samples, stamps[-1])
        else:
            for sample in samples:
                outlet.push_sample(sample)
    print(sent, flush=True)


if __name__ == "__main__":
    main()
