# SPDX-License-Identifier: GPL-3.0-or-later
"""The gain that follows the signal; no Qt."""

from __future__ import annotations

import numpy as np

from gui.paper.geometry import LeadArea, auto_gain
from gui.signal.trace_buffer import TraceBuffer

GAIN_LOOKS_S = 5.0
"""The newest seconds that the gain is fitted to."""


def fitted_gain(traces: TraceBuffer, area: LeadArea, px_per_mm: float, mm_per_mv: float) -> float:
    """The gain, mm/mV, at which the newest seconds fit into a lead's area; ``mm_per_mv`` is today's."""
    seen = traces.view(traces.stop - round(GAIN_LOOKS_S * traces.rate_hz), traces.stop).leads_mv
    seen = seen[:, np.isfinite(seen).all(axis=0)]
    if not seen.shape[1]:
        return mm_per_mv
    tall_mv = float(np.ptp(np.percentile(seen, (0.2, 99.8), axis=1), axis=0).max())
    return auto_gain(tall_mv, (area.bottom - area.top) / px_per_mm, mm_per_mv)
