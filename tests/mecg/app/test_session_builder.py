"""What the command line puts together."""

import json
import subprocess
import sys

SESSION = """
import json, sys
import numpy as np
from numba.core.dispatcher import Dispatcher
from mecg.app.session_builder import pipeline_of, vitals_of
from mecg.app.models import network_of
from streamer.session.description import SessionDescription
from streamer.core.stream import Chunk, StreamInfo

def compiled():
    parts = [m for name, m in sys.modules.items() if name.startswith("streamer.")]
    found = {id(f): f for m in parts for f in vars(m).values() if isinstance(f, Dispatcher)}
    return {f.__name__: len(f.signatures) for f in found.values()}

info, network = StreamInfo("made", 500.0), network_of(None)
core = pipeline_of(info, network)
vitals = vitals_of(SessionDescription.of(info, network.spec, core.latency), core)
before = compiled()
lead_mv = np.random.default_rng(1).normal(size=4000).astype(np.float32)
lead_mv[2000:2100] = np.nan
for start in range(0, 4000, 37):
    chunk = Chunk(start, lead_mv[start : start + 37])
    vitals.chunk(chunk)
    for frame in core.push(chunk):
        vitals.push(frame)
print(json.dumps([before, compiled()]))
"""


def test_nothing_is_compiled_any_more_once_a_session_runs() -> None:
    """Half a second of compiling, the first time ever, would be half a second of latency."""
    run = subprocess.run([sys.executable, "-c", SESSION], capture_output=True, text=True, check=True)
    before, after = json.loads(run.stdout)
    assert before == after
    assert {name for name, n in after.items() if n} >= {"_convert", "_split", "_assemble", "_detect"}
