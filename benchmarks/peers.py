# SPDX-License-Identifier: GPL-3.0-or-later
"""The same job in other programs: a filter and a sliding window on a 250 Hz stream in 20 ms chunks."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import numpy as np

from benchmarks.measure import MODEL, ROOT, Effort, Row, child, one_core, ratio
from streamer.core.network.network import Network
from streamer.core.signal.filters import BandSplitter
from streamer.core.signal.ring_buffer import WindowBuffer

RATE_HZ, CHUNK, WINDOW, HOP = 250.0, 5, 492, 4


def rows(effort: Effort) -> Iterator[Row]:
    """Every row of this part."""
    yield ezmsg()
    yield mne_lsl(effort)


def ezmsg() -> Row:
    """ezmsg-sigproc's Butterworth filter and window, called directly, against our bank and ring."""
    what = "ezmsg-sigproc: 0.5-40 Hz filter and sliding window, per chunk of 5"
    try:
        from ezmsg.sigproc.butterworthfilter import ButterworthFilterSettings, ButterworthFilterTransformer
        from ezmsg.sigproc.window import WindowSettings, WindowTransformer
        from ezmsg.util.messages.axisarray import AxisArray
    except ImportError:
        return Row(what, "", "not measured: pip install -e '.[bench]'")
    lead_mv = np.random.default_rng(0).normal(0, 0.3, CHUNK)
    message = AxisArray(
        lead_mv[:, None],
        dims=["time", "ch"],
        axes={"time": AxisArray.TimeAxis(fs=RATE_HZ, offset=0.0)},
        key="benchmark",
    )
    band = ButterworthFilterTransformer(
        ButterworthFilterSettings(order=4, cuton=0.5, cutoff=40.0, coef_type="sos")
    )
    window = WindowTransformer(
        WindowSettings(newaxis="win", window_dur=WINDOW / RATE_HZ, window_shift=HOP / RATE_HZ)
    )

    def theirs() -> object:
        return window(band(message))

    splitter, ring = BandSplitter(Network(MODEL.read_bytes()).spec.filters), WindowBuffer(4, WINDOW)
    settling = np.zeros(CHUNK, np.bool_)

    def ours() -> object:
        ring.write(splitter.split(lead_mv), settling)
        return np.ascontiguousarray(ring.rows(ring.stop - WINDOW, ring.stop)[:3])

    for _ in range(WINDOW):
        theirs(), ours()
    with one_core():
        slow, fast, times = ratio(theirs, ours)
    return Row(
        what,
        "",
        f"{slow:.0f} µs theirs (one band), {fast:.1f} µs ours (three bands): ours {times:.0f}x faster",
    )


_SEND = """
import sys, time, numpy as np, pylsl
name, rate, chunk = sys.argv[1], 250.0, 5
info = pylsl.StreamInfo(name, 'ECG', 1, rate, 'float32', name)
outlet = pylsl.StreamOutlet(info)
begun, k = pylsl.local_clock(), 0
while True:
    due = begun + (k + chunk) / rate
    time.sleep(max(due - pylsl.local_clock(), 0))
    x = np.sin(np.arange(k, k + chunk)[:, None] / 10).astype(np.float32)
    outlet.push_chunk(x, list(due + (np.arange(chunk) - chunk + 1) / rate))
    k += chunk
"""

_THEIRS = """
import json, sys, time, warnings
warnings.simplefilter('ignore')
import numpy as np, pylsl
import mne_lsl
mne_lsl.set_log_level('ERROR')
from mne_lsl.stream import StreamLSL
name, seconds = sys.argv[1], float(sys.argv[2])
stream = StreamLSL(2.0, name=name)
stream.connect(acquisition_delay=0.001, processing_flags=['clocksync'], timeout=10)
stream.filter(0.5, 40.0, iir_params=dict(order=4, ftype='butter', output='sos'))
time.sleep(1)
delays, begun, cpu, newest = [], time.monotonic(), time.process_time(), 0.0
while time.monotonic() < begun + seconds:
    if stream.n_new_samples:
        data, stamps = stream.get_data()
        if stamps[-1] > newest:
            newest = stamps[-1]
            delays.append(pylsl.local_clock() - newest)
    time.sleep(0.001)
share = (time.process_time() - cpu) / (time.monotonic() - begun)
stream.disconnect()
print(json.dumps([share, 1e3 * float(np.median(delays)), 1e3 * float(np.quantile(delays, 0.99))]))
"""

_OURS = """
import json, sys, time
import numpy as np
from mecg.app.first_seconds import FirstSeconds
from mecg.app.session_builder import pipeline_of, source_of
from mecg.app.models import network_of
from streamer.session.session import Session
from streamer.session.description import SessionDescription
name, seconds = sys.argv[1], float(sys.argv[2])
source = FirstSeconds(source_of('lsl:' + name), seconds)
info = source.open()
network = network_of(None)
pipeline = pipeline_of(info, network)
filtered, made = [], []
def watch(sink, frame, put_s, taken_s, done_s):
    newest_s = frame.device_s + (frame.stamps.newest - 1) / info.rate_hz - frame.start / frame.rate_hz
    filtered.append(frame.stamps.filtered - newest_s)
    made.append(done_s - newest_s)
class Sink:
    name = 'none'
    def open(self, description): pass
    def chunk(self, chunk): pass
    def frame(self, frame): pass
    def event(self, event): pass
    def close(self): pass
description = SessionDescription.of(info, network.spec, pipeline.latency)
session = Session(source, pipeline, description, watch=watch)
session.attach(Sink())
begun, cpu = time.monotonic(), time.process_time()
session.run()
share = (time.process_time() - cpu) / (time.monotonic() - begun)
q = lambda x, p: 1e3 * float(np.quantile(x[50:], p))
print(json.dumps([share, q(filtered, 0.5), q(filtered, 0.99), q(made, 0.5), q(made, 0.99)]))
"""


def mne_lsl(effort: Effort) -> Row:
    """mne-lsl's filter on a live LSL stream against ours, each in a process of its own."""
    what = "mne-lsl: filter on a live LSL stream, 250 Hz in chunks of 5"
    try:
        import mne_lsl as _  # noqa: F401
    except ImportError:
        return Row(what, "", "not measured: pip install -e '.[bench]'")
    seconds, name = max(min(effort.seconds, 20.0), 6.0), "mecg-benchmark"
    sender = subprocess.Popen([sys.executable, "-c", _SEND, name], cwd=ROOT)
    try:
        theirs = child(_THEIRS, name, seconds)
        ours = child(_OURS, f"name={name}", seconds)
    except RuntimeError as error:
        return Row(what, "", f"not measured: {error}")
    finally:
        sender.kill()
        sender.wait()
    return Row(
        what,
        "",
        f"theirs, filtering alone: {theirs[0]:.1%} of a core, sent to filtered p50 {theirs[1]:.1f}, "
        f"p99 {theirs[2]:.1f} ms; ours, with network and twelve leads: {ours[0]:.1%}, sent to filtered p50 "
        f"{ours[1]:.1f}, p99 {ours[2]:.1f} ms, to frame p50 {ours[3]:.1f}, p99 {ours[4]:.1f} ms",
    )
