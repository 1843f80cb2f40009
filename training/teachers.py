# SPDX-License-Identifier: GPL-3.0-or-later
"""What exported models say of the records that a network learns from (knowledge distillation).

What a teacher says of a person that it has learnt from is more than Lead I tells.
Cross-fitted teachers speak only of folds that they did not learn from.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamer.core.errors import InputError
from streamer.core.leads import PREDICTED
from streamer.core.network.network import Network
from streamer.core.signal.filters import BandSplitter, Filters
from streamer.core.signal.overlap_add import taper
from training.config import Config
from training.data import Records, load, network_input


def said_by(
    models: Sequence[Network],
    config: Config,
    data: Path,
    cache: Path,
    truth_uv: NDArray[np.int16],
    filters: Filters,
) -> NDArray[np.int16]:
    """What teachers say of all records of the configured folds, in the form of their truth; of each fold
    only those that did not learn from it, if they are cross-fitted.
    """
    speak = {fold: speakers(models, fold) if config.cross_fitted else list(models) for fold in config.folds}
    said, first = np.empty_like(truth_uv), 0
    for fold, some in speak.items():
        records = load(data, [fold], cache)
        part = slice(first, first + len(records.ecg_id))
        said[part] = said_of(some, records, truth_uv[part], filters, config.rate_hz)
        first = part.stop
    return said


def speakers(models: Sequence[Network], fold: int) -> list[Network]:
    """Those that did not learn from a fold.

    Raises
    ------
    InputError
        If a model does not say what it learnt from, or all have learnt from this fold.
    """
    for model in models:
        if not model.spec.about.get("folds"):
            raise InputError(f"the model {model.spec.name} does not say which folds it learnt from")
    found = [model for model in models if fold not in model.spec.about["folds"]]
    if not found:
        raise InputError(f"every teacher has learnt from fold {fold}: name one that has not")
    return found


def said_of(
    models: Sequence[Network], records: Records, truth_uv: NDArray[np.int16], filters: Filters, rate_hz: float
) -> NDArray[np.int16]:
    """The mean of what some exported models make of every record, ``(records, 8, n)`` in 1 uV.

    Raises
    ------
    InputError
        If a model takes another rate or other bands than these, or puts out other leads.
    """
    for model in models:
        spec = model.spec
        names = ("input",) if spec.channels == ("measured",) else ("input", "low", "mid")
        pairs = [(getattr(spec.filters, name), getattr(filters, name)) for name in names]
        same = all(np.array_equal(theirs, ours) for theirs, ours in pairs)
        if spec.leads != PREDICTED or spec.rate_hz != rate_hz or not same:
            raise InputError(f"the model {spec.name} cannot teach: it does not read these bands as they come")
    n = truth_uv.shape[-1]
    hold = max(_hold(model, n) for model in models)
    said = np.empty_like(truth_uv)
    for i, uv in enumerate(records.leads_uv[:, 0]):
        bands = network_input(uv.astype(np.float32) / 1e3, filters, rate_hz, hold=hold)
        eights = [_of_one(model, bands, n) for model in models]
        said[i] = np.rint(np.mean(eights, axis=0) * 1e3).clip(-32767, 32767)
    return said


def _hold(model: Network, n: int) -> int:
    """Samples after a record of ``n`` that the model needs to say all of it."""
    spec = model.spec
    if spec.receptive_field is None:
        return spec.window
    return -(-(n + spec.look_ahead) // spec.grid) * spec.grid - n


def _of_one(model: Network, bands: NDArray[np.float32], n: int) -> NDArray[np.float32]:
    """A record's eight leads ``(8, n)`` mV from all that is measured of it."""
    spec = model.spec
    x = bands[[BandSplitter.ROWS.index(channel) for channel in spec.channels]]
    if spec.receptive_field is not None:
        return model.run(x[:, : n + _hold(model, n)])[: len(PREDICTED), :n]
    # Whole windows, as they are served: a hop apart, the first one mostly before the record.
    weights = taper(spec.window, spec.overlap)
    before = spec.window - spec.hop
    x = np.pad(x, ((0, 0), (before, 0)))
    total, weight = np.zeros((len(PREDICTED), x.shape[1]), np.float32), np.zeros(x.shape[1], np.float32)
    for start in range(0, before + n, spec.hop):
        window = slice(start, start + spec.window)
        total[:, window] += model.run(np.ascontiguousarray(x[:, window]))[: len(PREDICTED)] * weights
        weight[window] += weights
    there = slice(before, before + n)
    said: NDArray[np.float32] = total[:, there] / weight[there]
    return said
