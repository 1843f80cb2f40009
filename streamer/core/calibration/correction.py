# SPDX-License-Identifier: MIT
"""One person's correction on top of the network, as it runs.

The network's last layer is linear: leads = head . features.  A person is a change of that head,
learned from a short 12-lead reference (`streamer.core.calibration.fit`).

A correction is trusted only as far as the reference went: where the features lie further out than
any of the reference's (another kind of beat, noise), it is scaled back to that distance.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import exp

import numpy as np
from numpy.typing import NDArray

from streamer.compiled import compiled
from streamer.core.errors import Field, InputError
from streamer.core.events import Drift
from streamer.core.leads import LEADS, SEVEN
from streamer.core.network.network import Features, Network, Stepper
from streamer.core.network.parts import ALL_BANDS, BANDS_IN_WORDS
from streamer.core.network.spec import LEVELS, ModelSpec
from streamer.core.stream import Samples

MOST_FEATURES = 1024
DRIFT_S = 10.0
"""Over so long the live features' distance is averaged."""
DRIFT_LIMIT = 3.0
"""So many times the reference's mean squared distance, for so long: calibrate again."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a calibration comes from."""

    model: str
    version: str
    source: str
    """The reference's name, without folders."""
    date: str
    """Of the reference where known, else of the calibration: ISO, ``2026-11-23``."""
    placement: str = "unstated"
    lead: str = "I"
    inverted: bool = False
    kind: str = "simultaneous"
    """Or ``sequence``: the leads were measured one after another."""
    earlier: int = 0
    """So many visits before this one are in it too."""

    def words(self) -> str:
        """One line for people: which person, from when."""
        before = f" and {self.earlier} earlier visit{'s' * (self.earlier > 1)}" if self.earlier else ""
        one_by_one = ", leads measured one after another" if self.kind == "sequence" else ""
        return f"{self.source}, {self.date}{before}{one_by_one}"


@dataclass(frozen=True, slots=True)
class Calibration:
    """One person's correction; holds no signal."""

    origin: Origin
    head: Samples
    """``(7, stride, features)``: added to the last layer, mV."""
    metric: Samples
    """``(K, features)``: the length of ``metric @ features`` says how unlike the reference they are."""
    reach: float
    """The longest that is trusted."""
    usual: float
    """The mean squared length in the reference."""
    scale: Samples
    """``(7,)``: on the network's scale."""
    bands: Mapping[str, tuple[float, ...]]
    """As `ModelSpec.bands`; empty where nothing is stated of calibrated leads."""
    left: Samples
    """``(7,)``: the reference's error after the fit, over that before it."""
    notes: tuple[str, ...] = ()
    """Sentences for the user: what fell back towards the generic model, and why."""
    rmse_mv: Samples = field(default_factory=lambda: np.full((2, len(SEVEN)), np.nan, np.float32))
    """Cross-validated within the reference: generic and personal ``(2, 7)``; NaN where unknown."""

    def __post_init__(self) -> None:
        n = len(SEVEN)
        _, stride, features = self.head.shape if self.head.ndim == 3 else (0, 0, 0)
        good = self.head.shape[:1] == (n,) and 1 <= stride <= 64 and 1 <= features <= MOST_FEATURES
        good = good and self.metric.ndim == 2 and self.metric.shape[1] == features
        good = good and 1 <= len(self.metric) <= MOST_FEATURES
        good = good and self.scale.shape == self.left.shape == (n,) and self.rmse_mv.shape == (2, n)
        numbers = (self.head, self.metric, self.scale)
        good = good and all(x.dtype == np.float32 and np.isfinite(x).all() for x in numbers)
        good = good and bool((self.scale > 0).all()) and 0 < self.reach < 1e9 and 0 < self.usual < 1e9
        good = good and set(self.bands) in (set(), set(LEVELS))
        good = good and all(
            len(factors) == len(LEADS) and all(0 < f < 1000 for f in factors)
            for factors in self.bands.values()
        )
        if not good:
            raise InputError("its numbers do not fit together: calibrate again")


class PersonalNetwork:
    """A network with a person's correction: follows `Network` as far as a pipeline needs it.

    Raises
    ------
    InputError
        Where the calibration was made for another model, or this is but a part of that model.
    """

    def __init__(self, network: Network, calibration: Calibration) -> None:
        spec, origin = network.spec, calibration.origin
        bands = str(spec.about.get("bands", ALL_BANDS))
        if (f"{origin.model}.{bands}", origin.version) == (spec.name, spec.version):
            raise InputError(
                f"a calibration corrects the whole model; here runs {BANDS_IN_WORDS.get(bands, bands)} alone",
                Field.BANDS,
                leave_out=True,
            )
        if (origin.model, origin.version) != (spec.name, spec.version):
            raise InputError(
                f"the calibration is for the model {origin.model} {origin.version}, this is {spec.name} "
                f"{spec.version}: calibrate again"
            )
        self._network = network
        self.calibration = calibration
        self.spec: ModelSpec = replace(spec, bands=dict(calibration.bands)) if calibration.bands else spec
        self._correct = _Correction(calibration, spec)

    def stepper(self) -> PersonalStepper | None:
        """The incremental form; None if the model has none."""
        stepper = self._network.stepper_with_features()
        return None if stepper is None else PersonalStepper(stepper, self._correct, self.spec)

    def run(self, bands: NDArray[np.float32]) -> NDArray[np.float32]:
        """As `Network.run`, the correction made; the last ``look_ahead`` columns are no output yet."""
        out, features = self._network.run_with_features(bands)
        corrected = np.ascontiguousarray(out)
        self._correct.add(corrected, np.ascontiguousarray(features), self.spec.look_ahead)
        return corrected


class PersonalStepper:
    """The incremental form of a network with a person's correction."""

    def __init__(self, stepper: Stepper, correct: _Correction, spec: ModelSpec) -> None:
        self._stepper, self._correct = stepper, correct
        self._keep = exp(-spec.hop / (DRIFT_S * spec.rate_hz))
        self._mean = correct.usual

    @property
    def drift(self) -> float:
        """How far live Lead I lies from the reference's: 1 is alike."""
        return self._mean / self._correct.usual

    def reset(self) -> None:
        """Forget: the state that silence leaves behind.  Of the drift nothing was learned, so it stands."""
        self._stepper.reset()

    def push(self, bands: NDArray[np.float32]) -> NDArray[np.float32]:
        """As `Stepper.push`, the correction made."""
        out = self._stepper.push(bands)
        squared = self._correct.add(out, self._stepper.features, 0)
        self._mean += (1 - self._keep) * (squared - self._mean)
        return out


@compiled
def _correct(
    matrix: NDArray[np.float32],
    features: NDArray[np.float32],
    reach: float,
    rows: NDArray[np.int64],
    scale: NDArray[np.float32],
    leads: int,
    shift: int,
    out: NDArray[np.float32],
) -> float:
    """Add the correction to ``out (rows, n)``; returns the mean squared length of the steps.

    ``matrix (features, 7 * stride + K)`` holds the head and, behind it, the metric.  The order of sums
    is that of one step alone, however many there are.
    """
    steps, wide = features.shape[1], matrix.shape[1]
    stride = out.shape[1] // steps
    head = len(rows) * stride
    total = 0.0
    sums = np.empty(wide, np.float32)
    for s in range(steps):
        sums[:] = 0
        for f in range(features.shape[0]):
            x = features[f, s]
            for k in range(wide):
                sums[k] += matrix[f, k] * x
        squared = 0.0
        for k in range(head, wide):
            squared += sums[k] * sums[k]
        total += squared
        length = math.sqrt(squared)
        shrink = np.float32(reach / length if length > reach else 1.0)
        for i in range(len(rows)):
            for p in range(stride):
                at = s * stride + p - shift
                if at >= 0:
                    out[rows[i], at] += sums[i * stride + p] * shrink
    if out.shape[0] > leads:
        for i in range(len(rows)):
            for at in range(out.shape[1]):
                out[leads + rows[i], at] *= scale[i]
    mean: float = total / steps
    return mean


class _Correction:
    """Adds to what a network puts out."""

    def __init__(self, calibration: Calibration, spec: ModelSpec) -> None:
        features = calibration.head.shape[2]
        both = (calibration.head.reshape(-1, features), calibration.metric)
        self._matrix = np.ascontiguousarray(np.concatenate(both).T, np.float32)
        self._reach = calibration.reach
        self._rows = np.array([spec.leads.index(lead) for lead in SEVEN], np.int64)
        self._scale = np.ascontiguousarray(calibration.scale)
        self._leads = len(spec.leads)
        self.usual = calibration.usual

    def add(self, out: Samples, features: Features, shift: int) -> float:
        """Correct ``out``, whose columns lie ``shift`` before those of the features, in place."""
        squared: float = _correct(
            self._matrix, features, self._reach, self._rows, self._scale, self._leads, shift, out
        )
        return squared


class DriftWatch:
    """Says when a calibration no longer fits the live Lead I, and when it does again."""

    def __init__(self) -> None:
        self._raised = False

    def push(self, drift: float, at_s: float) -> list[Drift]:
        """Take `PersonalStepper.drift` at an instant of the stream."""
        if not self._raised and drift > DRIFT_LIMIT:
            self._raised = True
            return [Drift(drift, at_s=at_s)]
        if self._raised and drift < DRIFT_LIMIT / 2:
            self._raised = False
            return [Drift(0.0, at_s=at_s)]
        return []
