# SPDX-License-Identifier: MIT
"""Live chunks in, frames out: what to do with samples as a sensor of your own delivers them.

python examples/live_chunks.py
"""

import math
from collections.abc import Iterator

import numpy as np

from streamer import LEADS, Chunk, Pipeline, StreamInfo, load_model

RATE_HZ = 250.0


def packets() -> Iterator[Chunk]:
    """Stands for your sensor: 5 s in packets of 10 samples, of which one is lost on the way."""
    for start in range(0, 1250, 10):
        if start != 600:  # a gap is a jump of the index; the missing samples come out as NaN
            t_s = np.arange(start, start + 10) / RATE_HZ
            beat_mv = np.exp(-((((t_s % 0.8) - 0.3) / 0.012) ** 2))
            yield Chunk(start, beat_mv.astype(np.float32))


def main() -> None:
    """Print the highest sample of V2, second by second."""
    pipeline = Pipeline(StreamInfo("my sensor", RATE_HZ), load_model("low"))
    print(f"a sample comes out {pipeline.latency.total_ms:.0f} ms after it went in, at the latest")

    second, highest_mv = 0, -math.inf
    for chunk in packets():
        for frame in pipeline.push(chunk):  # often none, sometimes several
            v2_mv = frame.leads_mv[LEADS.index("V2")]
            if frame.valid.any():
                highest_mv = max(highest_mv, float(np.nanmax(v2_mv)))
            if frame.stop / frame.rate_hz >= second + 1:
                print(f"{second} s: V2 reaches {highest_mv:.3f} mV")
                second, highest_mv = second + 1, -math.inf
    rest = pipeline.finish()  # what still waited; a pipeline serves one stream
    print(f"{sum(len(frame.valid) for frame in rest)} samples more at the end; {pipeline.lost} were lost")


if __name__ == "__main__":
    main()
