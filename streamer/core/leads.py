# SPDX-License-Identifier: MIT
"""The twelve leads: their order, where each comes from, and the limb-lead laws.

Einthoven (1912): I + III = II.  Goldberger (1942): the augmented leads are the mean of two limb
leads.  Two of the six limb leads therefore fix the other four, exactly.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
"""The order of the rows of every ``(12, n)`` array in this program."""

PREDICTED = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")
"""What a network puts out.  Its "I" is the measured lead, baseline and phase corrected (I')."""

DERIVED = ("III", "aVR", "aVL", "aVF")
"""Follow from I' and II by law."""

SEVEN = ("II", "V1", "V2", "V3", "V4", "V5", "V6")
"""The truly predicted leads: the headline of every score."""

ELEVEN = tuple(lead for lead in LEADS if lead != "I")
"""Everything but Lead I."""

ORIGIN = {
    lead: "measured" if lead == "I" else "derived" if lead in DERIVED else "predicted" for lead in LEADS
}
"""How each lead came to be; travels to every sink."""

_ROWS = [LEADS.index(lead) for lead in PREDICTED]


def canonical_lead(name: str) -> str | None:
    """The lead that a label means, or None.

    ``I``, ``i``, ``Lead I``, ``MDC_ECG_LEAD_I``, ``ECG I`` are all ``I``; ``AVR`` is ``aVR``.
    """
    text = name.strip().upper().replace("-", "_").replace(" ", "_")
    for prefix in ("MDC_ECG_LEAD_", "MDC_ECG_", "ECG_LEAD_", "ECG_", "LEAD_"):
        text = text.removeprefix(prefix)
    return next((lead for lead in LEADS if lead.upper() == text), None)


def twelve_from_eight(eight_mv: NDArray[np.float32]) -> NDArray[np.float32]:
    """The twelve leads from the eight independent ones.

    Parameters
    ----------
    eight_mv : array (8, n)
        In the order of `PREDICTED`, mV.

    Returns
    -------
    array (12, n)
        In the order of `LEADS`, mV; III = II - I, aVR = -(I + II)/2, aVL = I - II/2,
        aVF = II - I/2.
    """
    one, two = eight_mv[0], eight_mv[1]
    twelve = np.empty((12, eight_mv.shape[1]), np.float32)
    twelve[_ROWS] = eight_mv
    twelve[2] = two - one
    twelve[3] = -(one + two) / 2
    twelve[4] = one - two / 2
    twelve[5] = two - one / 2
    return twelve


def scale_of_twelve(eight_mv: NDArray[np.float32]) -> NDArray[np.float32]:
    """The uncertainty of the twelve leads from that of the eight independent ones.

    Parameters and shapes as in `twelve_from_eight`.  The errors of I' and II are taken as
    independent, so a derived lead's scale is the root of the summed squares of its parts.
    """
    one, two = eight_mv[0], eight_mv[1]
    twelve = np.empty((12, eight_mv.shape[1]), np.float32)
    twelve[_ROWS] = eight_mv
    twelve[2] = np.hypot(one, two)
    twelve[3] = np.hypot(one, two) / 2
    twelve[4] = np.hypot(one, two / 2)
    twelve[5] = np.hypot(two, one / 2)
    return twelve
