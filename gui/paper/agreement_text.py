# SPDX-License-Identifier: GPL-3.0-or-later
"""In words, how the reconstructed leads agree with the measured ones that lie over them; no Qt."""

from __future__ import annotations

import math

from gui.signal.history import History
from streamer.core.leads import LEADS
from streamer.core.measured_leads import AGREES_S, agreement

LEAST_S = 2.0
"""Of fewer seconds nothing is said."""


def compared(history: History, edge_s: float) -> dict[str, str]:
    """For each lead that was measured, how the last ten seconds before ``edge_s`` agree.

    What came while the filters settled, or without contact, counts too: it is on the screen.
    """
    traces = history.traces
    if traces is None or not traces.has_truth or not math.isfinite(edge_s):
        return {}
    stop = min(math.floor(edge_s * traces.rate_hz) + 1, traces.stop)
    seen = traces.view(max(traces.start, stop - round(AGREES_S * traces.rate_hz)), stop)
    if seen.truth_mv is None or seen.leads_mv.shape[1] < LEAST_S * traces.rate_hz:
        return {}
    found = agreement(seen.leads_mv, seen.truth_mv, seen.half_width_mv)
    said = {}
    for k, lead in enumerate(LEADS):
        if math.isfinite(found.rmse_mv[k]):
            said[lead] = f"RMSE {found.rmse_mv[k]:.2f} mV"
            if math.isfinite(found.correlation[k]):
                said[lead] += f"  r {found.correlation[k]:.2f}"
            if math.isfinite(found.coverage[k]):
                said[lead] += f"  cov {100 * found.coverage[k]:.0f} %"
    return said
