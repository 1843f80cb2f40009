# SPDX-License-Identifier: MIT
"""One compiled call makes the rows of a frame: live, each call of numpy costs its cold caches.

The same laws as `streamer.core.leads.twelve_from_eight` and `scale_of_twelve`, which state them.
"""

from __future__ import annotations

from math import nan, sqrt

import numpy as np
from numpy.typing import NDArray

from streamer.compiled import compiled
from streamer.core.leads import LEADS, PREDICTED
from streamer.core.stream import Samples

_HALF = np.float32(0.5)
_MOST = np.float32(1e30)  # sums and squares of less are finite
_NAN = np.float32(nan)
_PLACES = np.array([LEADS.index(lead) for lead in PREDICTED])


def assemble(
    measured_mv: Samples, valid: NDArray[np.bool_], out: Samples, rows: NDArray[np.int64]
) -> tuple[Samples, Samples, Samples]:
    """Leads and scales ``(12, n)`` and the measured lead ``(n,)``, NaN where not valid.

    What is valid is finite: a sample of which the network made no number is marked in ``valid``.

    Parameters
    ----------
    measured_mv, valid : array (n,)
        The measured lead, which is I' where the network leaves it alone, and what of it is there.
    out : array (leads, n) or (2 * leads, n)
        The network's, with the scales, where it states some, below the leads.
    rows : array (leads,)
        Which of `PREDICTED` they are.
    """
    n = len(valid)
    leads, scale = np.empty((12, n), np.float32), np.empty((12, n), np.float32)
    measured = np.empty(n, np.float32)
    out = np.ascontiguousarray(out)  # one layout, one compilation
    _assemble(measured_mv, valid, out, rows, _PLACES, leads, scale, measured)
    return leads, scale, measured


@compiled
def _assemble(
    measured_mv: Samples,
    valid: NDArray[np.bool_],
    out: Samples,
    rows: NDArray[np.int64],
    places: NDArray[np.int64],
    leads: Samples,
    scale: Samples,
    measured: Samples,
) -> None:
    has_scale = len(out) > len(rows)
    for j in range(len(valid)):
        for i in range(len(out)):
            valid[j] = valid[j] and abs(out[i, j]) < _MOST
        if not valid[j]:
            measured[j] = _NAN
            leads[:, j] = _NAN
            scale[:, j] = _NAN
            continue
        measured[j] = measured_mv[j]
        leads[0, j] = measured_mv[j]
        scale[0, j] = 0.0
        for i in range(len(rows)):
            leads[places[rows[i]], j] = out[i, j]
            if has_scale:
                scale[places[rows[i]], j] = out[len(rows) + i, j]
        one, two = leads[0, j], leads[1, j]
        leads[2, j] = two - one
        leads[3, j] = -(one + two) * _HALF
        leads[4, j] = one - two * _HALF
        leads[5, j] = two - one * _HALF
        if has_scale:
            # The errors of I' and II are taken as independent; in float64, whose squares fit.
            a, b = float(scale[0, j]), float(scale[1, j])
            scale[2, j] = sqrt(a * a + b * b)
            scale[3, j] = sqrt(a * a + b * b) / 2
            scale[4, j] = sqrt(a * a + b * b / 4)
            scale[5, j] = sqrt(b * b + a * a / 4)
        else:
            scale[:, j] = _NAN
