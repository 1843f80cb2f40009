# SPDX-License-Identifier: MIT
"""A look at some seconds of a stream that does not state its rate or its unit, before the first sample."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from devices.lsl.description import About, refuse_rate, shows_beats
from devices.lsl.repeats import Pulled
from devices.lsl.stamps import RATE_TOLERANCE, RateFit, fit_rate
from streamer.core.errors import Field, InputError

RATE_LOOK_S = 3.0
"""How much of a stream is looked at, ..."""

RATE_LOOK_MOST_S = 10.0
"""... and where stamps are so few and so uneven that the rate is not sure by then, it is nearly so here."""

_LOOK_AGAIN_S = 0.5

LOOK_TIMEOUT_S = 14.0
"""How long to wait for something to look at."""


def look(
    pull: Callable[[], Pulled | None], about: About, rate_hz: float, beats_in: int | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Take some seconds of a stream, by its stamps; they are not handed on.

    They are enough once the rate is sure, if none is stated, and beats are in the newest of a column
    whose unit is not: before the electrodes are on, its size means nothing.

    Parameters
    ----------
    pull : callable
        Gives what has come; None if nothing did.
    about : About
        Whose stream it is.
    rate_hz : float
        As stated; 0 if it is not.
    beats_in : int or None
        The column whose unit is not stated.

    Returns
    -------
    newest : array (n, channels)
        What a unit can be found by.
    stamps : array (m,)
        Of all that came, s.

    Raises
    ------
    InputError
        Too little came, no beats were in it, or the stream was lost.
    """
    batches: list[Pulled] = []
    due_s = RATE_LOOK_S
    until_s = time.monotonic() + LOOK_TIMEOUT_S
    try:
        while time.monotonic() < until_s:
            batch = pull()
            if batch is None:
                continue
            batches.append(batch)
            span_s = batch[1][-1] - batches[0][1][0]
            if span_s < due_s:
                continue
            stamps = np.concatenate([b[1] for b in batches])
            rows = np.concatenate([b[0] for b in batches])
            fit = RateFit(rate_hz, sure=True) if rate_hz else fit_rate(stamps)
            new = stamps > stamps[-1] - RATE_LOOK_S if beats_in is not None else slice(None)
            beats = beats_in is None or (fit and shows_beats(rows[new, beats_in], fit.rate_hz))
            if span_s >= RATE_LOOK_MOST_S and not beats:
                raise InputError(
                    f"{about} states no unit, and no beats came in {span_s:.0f} s; "
                    "attach the electrodes, or state the unit",
                    Field.UNIT,
                )
            if beats and ((fit and fit.sure) or span_s >= RATE_LOOK_MOST_S):
                return rows[new], stamps
            due_s = span_s + _LOOK_AGAIN_S
    except RuntimeError as error:
        raise InputError(f"{about} was lost while it was looked at ({error}); try again") from None
    raise InputError(
        f"{about} states no rate or no unit, and {LOOK_TIMEOUT_S:g} s brought too few samples to "
        "find it; start its measurement, or have it state both"
    )


def rate_from(about: About, stamps: NDArray[np.float64]) -> float:
    """The rate that the stamps of a look fit.

    Raises
    ------
    InputError
        They fit none, or one that cannot be used.
    """
    fit = fit_rate(stamps)
    if fit is None:
        raise InputError(
            f"{about} states no rate, and its stamps fit none within {RATE_TOLERANCE:.0%}", Field.RATE
        )
    refuse_rate(about, fit.rate_hz)
    return fit.rate_hz
