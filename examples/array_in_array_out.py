# SPDX-License-Identifier: MIT
"""An array in, an array out: the twelve leads of a whole recording, compared with the measured ones.

python examples/array_in_array_out.py recordings/ptb-xl/00010_hr
"""

import sys

import numpy as np

from streamer import InputError, load_model, open_recording, reconstruct


def main(path: str) -> None:
    """Print what was reconstructed."""
    recording = open_recording(path)
    row = recording.row("I")
    if row is None:
        raise InputError(f"{path} has no Lead I, only {', '.join(recording.names)}")
    lead_i_mv = recording.read()[row]  # (n,) mV, NaN where a sample is missing

    twelve = reconstruct(lead_i_mv, recording.rate_hz, model=load_model("full"))

    print(f"{twelve.leads_mv.shape[1] / twelve.rate_hz:.1f} s at {twelve.rate_hz:g} Hz")
    half_width_mv = twelve.half_width_mv("0.9")
    for k, name in enumerate(twelve.names):
        highest_mv, band_mv = np.nanmax(twelve.leads_mv[k]), np.nanmean(half_width_mv[k])
        print(f"{name:>4}  highest {highest_mv:6.3f} mV, 90 % band of +-{band_mv:.3f} mV")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "recordings/ptb-xl/00010_hr")
