# SPDX-License-Identifier: MIT
"""Learns one person from a short 12-lead reference.

A person is a change of the network's last layer (`streamer.core.calibration.correction`).  How such changes
are spread over persons is learned once (`training.fitted.personal`) and kept beside the model as the
`Prior`; from a reference the person's change is its posterior mean, a ridge in the prior's metric.  What
the reference does not say is left as the network has it: with no reference the result is the generic
model, bit for bit.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import nan

import numpy as np
from numpy.typing import NDArray

from streamer.core.calibration.correction import MOST_FEATURES, Calibration, Origin
from streamer.core.calibration.swapped_leads import exchanged, upside_down
from streamer.core.errors import InputError
from streamer.core.leads import SEVEN
from streamer.core.network.network import Features, Network
from streamer.core.network.spec import LEVELS
from streamer.core.signal.clinical_frame import clinical_frame
from streamer.core.signal.filters import BandSplitter
from streamer.core.signal.front_end import FrontEnd
from streamer.core.stream import Chunk, Samples

PRIOR_FORMAT = 2
SKIP_START_S, SKIP_END_S = 0.5, 0.8
"""At a record's ends the clinical frame is pinned to zero: no truth to learn from."""
LEAST_S = 1.0
"""A lead that is known for less is left generic."""
FLAT_MV = 0.01
"""From its lowest to its highest value: a lead that moves by less shows no heart."""
USUAL_S = 8.7
"""What is known of a reference of 10 s: the length that the prior's precision is stated for."""
TOLD = (0.3, 3.0)
"""By so much, at the most, a reference is believed to err less or more than the network says."""
WORTH = 0.02
"""A lead whose cross-validated error falls by less than this share is left generic."""
SEQUENCE_SHARE = 0.7
"""So much of a correction is kept where leads were not measured at the same time: 4 ms of error in a beat's
place costs a third of what is gained.  Least error on fold 8, docs/decisions.md."""

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Prior:
    """How persons differ: learned over patients with several records."""

    factor: Array
    """``(features, K)``: a person's head is ``factor @ z``, the elements of z independent."""
    precision: Array
    """``(7,)``: how little z varies for each of the seven leads."""
    visit: float
    """The share of the precision that no longer or cleaner reference lowers: electrodes sit elsewhere
    at the next visit."""
    gain: Array
    """``(7,)``: what is multiplied to the posterior mean, so that amplitudes spread over persons as true
    ones do."""
    noise_mv: Array
    """``(7,)``: RMS that a usual reference's fit leaves unexplained."""
    reach: float
    """The reference's farthest features times this is how far a correction is trusted."""
    lead_covariance: Array
    """``(7, 7)``: how corrections of leads go together, for those that were not measured."""
    scale: Array
    """``(7, 3)``: the factor on the network's scale is exp(a) * (error left / error before) ** b * (generic
    error / scale stated) ** c, all of the reference: where the network errs by more than it says, it will
    again."""
    error_covariance: Array
    """``(7, 7)``: how generic errors of leads go together, in records of equal error."""
    exchange: float
    """Two leads are exchanged where `streamer.core.calibration.swapped_leads.exchanged` says more."""
    bands: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """As `ModelSpec.bands`, of calibrated leads.  Empty without a scale."""

    def __post_init__(self) -> None:
        features, latent = self.factor.shape if self.factor.ndim == 2 else (0, 0)
        n = len(SEVEN)
        shapes = {
            "precision": (n,),
            "gain": (n,),
            "noise_mv": (n,),
            "scale": (n, 3),
            "lead_covariance": (n, n),
            "error_covariance": (n, n),
        }
        good = 1 <= features <= MOST_FEATURES and 1 <= latent <= MOST_FEATURES
        good = good and all(getattr(self, name).shape == shape for name, shape in shapes.items())
        good = good and all(np.isfinite(getattr(self, name)).all() for name in ("factor", *shapes))
        good = good and bool((self.precision > 0).all() and (self.noise_mv > 0).all())
        good = good and 0 < self.visit <= 1 and 0 < self.reach < 1e6 and 1 <= self.exchange < 1e6
        good = good and bool((np.linalg.eigvalsh(self.error_covariance) > 0).all())
        good = good and set(self.bands) in (set(), set(LEVELS))
        if not good:
            raise InputError("the model's knowledge of persons cannot be used: make it again")

    def to_json(self) -> str:
        """What goes into the model's metadata."""
        facts: dict[str, object] = {
            "format": PRIOR_FORMAT,
            **{name: getattr(self, name) for name in _NUMBERS},
        }
        facts["bands"] = {level: list(factors) for level, factors in self.bands.items()}
        for name in _ARRAYS:
            x = getattr(self, name).astype("<f4")
            facts[name] = [list(x.shape), base64.b64encode(x.tobytes()).decode()]
        return json.dumps(facts)

    @classmethod
    def from_json(cls, text: str) -> Prior:
        """Parse and check.

        Raises
        ------
        InputError
            Where it cannot be used.
        """
        try:
            facts = json.loads(text)
            if facts["format"] != PRIOR_FORMAT:
                raise ValueError("another format")
            arrays = {
                name: np.frombuffer(base64.b64decode(facts[name][1], validate=True), "<f4")
                .reshape(facts[name][0])
                .astype(np.float64)
                for name in _ARRAYS
            }
            bands = {level: tuple(map(float, f)) for level, f in facts["bands"].items()}
            visit, reach, exchange = (float(facts[name]) for name in _NUMBERS)
            return cls(**arrays, visit=visit, reach=reach, exchange=exchange, bands=bands)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(
                f"the model's knowledge of persons cannot be read ({error}): make it again"
            ) from error


_ARRAYS = ("factor", "precision", "gain", "noise_mv", "lead_covariance", "scale", "error_covariance")
_NUMBERS = ("visit", "reach", "exchange")


def prior_of(network: Network) -> Prior:
    """What a model knows of persons.

    Raises
    ------
    InputError
        Where it knows nothing.
    """
    if network.prior is None:
        raise InputError(
            f"the model {network.spec.name} {network.spec.version} cannot be calibrated: "
            "it knows nothing of persons"
        )
    return Prior.from_json(network.prior)


@dataclass(frozen=True, slots=True)
class Moments:
    """What a reference says, as sums over steps, for each of the seven leads."""

    features: Array
    """``(7, features, features)``"""
    products: Array
    """``(7, features, stride)``: with the error of the generic leads, mV."""
    squares: Array
    """``(7,)``: of that error, mV^2."""
    steps: Array
    """``(7,)``"""
    step_s: float
    """How long a step is."""

    @property
    def seconds(self) -> Array:
        """For how long each lead is known ``(7,)``."""
        return self.steps * self.step_s

    def left_mv2(self, head: Array) -> Array:
        """Mean squared error ``(7,)`` that a head ``(7, features, stride)`` leaves; NaN where unknown."""
        cross = (head * self.products).sum(axis=(1, 2))
        own = np.einsum("lfs,lfg,lgs->l", head, self.features, head)
        samples = self.steps * head.shape[2]
        left = np.maximum(self.squares - 2 * cross + own, 0)
        return np.asarray(np.divide(left, samples, out=np.full(len(SEVEN), nan), where=samples > 0))


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference on the network's grid: its features, and how wrong the generic leads are."""

    features: Features
    """``(features, steps)``"""
    error_mv: Samples
    """``(7, stride, steps)``: truth less generic; NaN where unknown."""
    rate_hz: float
    """The model's."""
    generic_mv: Samples | None = None
    """``(7, stride, steps)``: what is added to the error to have the truth."""
    stated_mv: Samples | None = None
    """``(7,)``: RMS of the network's scale, where it has one."""
    upside_down: bool = False
    """Lead I is, as with both arms exchanged."""

    @property
    def stride(self) -> int:
        """Samples a step."""
        return int(self.error_mv.shape[1])

    def exchanged(self, prior: Prior) -> tuple[int, ...]:
        """Rows of two leads that lie under each other's labels; none where all are in their place."""
        known = np.isfinite(self.error_mv).all(axis=0)
        if self.generic_mv is None or known.sum() < LEAST_S * self.rate_hz:
            return ()
        generic = self.generic_mv[:, known]
        more, pair = exchanged(generic + self.error_mv[:, known], generic, prior.error_covariance)
        return pair if more > prior.exchange else ()

    def without(self, rows: Sequence[int]) -> Reference:
        """As if these leads had not been measured."""
        error_mv = self.error_mv.copy()
        error_mv[list(rows)] = nan
        return replace(self, error_mv=error_mv)

    def moments(self, part: slice = slice(None)) -> Moments:
        """The sums over some of the steps, those known in the lead."""
        x = self.features[:, part].astype(np.float64)
        y = self.error_mv[:, :, part].astype(np.float64)
        known: NDArray[np.bool_] = np.asarray(np.isfinite(y).all(axis=1))
        if (known == known[0]).all():  # simultaneous leads share the big sum
            kept = x[:, known[0]]
            big = np.broadcast_to(kept @ kept.T, (len(SEVEN), len(x), len(x)))
        else:
            big = np.stack([x[:, k] @ x[:, k].T for k in known])
        small = np.stack([x[:, k] @ row[:, k].T for k, row in zip(known, y, strict=True)])
        squares = np.array([(row[:, k] ** 2).sum() for k, row in zip(known, y, strict=True)])
        steps = known.sum(axis=1).astype(np.float64)
        return Moments(big, small, squares, steps, self.stride / self.rate_hz)


def reference_of(network: Network, leads_mv: Samples, rate_hz: float) -> Reference:
    """Leads recorded at the same time, as the network sees them.

    Parameters
    ----------
    network : Network
        That puts out features.
    leads_mv : array (8, n)
        In the order of `PREDICTED`; NaN where a lead is not known.
    rate_hz : float
        Theirs.

    Raises
    ------
    InputError
        Where Lead I is not known, or the model puts out no features.
    """
    spec = network.spec
    truth = clinical_frame(bridged(leads_mv), rate_hz, spec.filters, spec.rate_hz)
    known = known_samples(leads_mv, rate_hz, spec.rate_hz, truth.shape[1])
    return reference_towards(network, leads_mv[0], rate_hz, np.where(known, truth, np.nan)[1:])


def without_flat(leads_mv: Samples) -> Samples:
    """Leads ``(8, n)``, NaN where a whole lead is flat: its electrode is off, and to learn from it would have
    its flatness predicted ever after.

    Raises
    ------
    InputError
        Where Lead I is.
    """
    highest = np.where(np.isfinite(leads_mv), leads_mv, -np.inf).max(axis=1)
    lowest = np.where(np.isfinite(leads_mv), leads_mv, np.inf).min(axis=1)
    flat = highest - lowest < FLAT_MV
    if flat[0]:
        raise InputError(
            "Lead I of the reference is flat or missing: see to its electrodes and record it again"
        )
    left: Samples = np.where(flat[:, None], np.float32(nan), leads_mv)
    return left


def reference_towards(network: Network, lead_mv: Samples, rate_hz: float, truth_mv: Samples) -> Reference:
    """Lead I as the network sees it, beside given truths ``(7, n)`` at the model's rate; NaN: unknown."""
    if not np.isfinite(lead_mv).any():
        raise InputError("the reference holds no Lead I: record it again")
    spec = network.spec
    front = FrontEnd(rate_hz, spec.filters, spec.rate_hz)
    stretches = [*front.push(Chunk(0, lead_mv.astype(np.float32))), *front.finish()]
    ahead = spec.look_ahead
    n = -(-(front.end + ahead) // spec.grid) * spec.grid
    bands = np.zeros((len(BandSplitter.ROWS), n), np.float32)
    for stretch in stretches:
        bands[:, stretch.start : stretch.stop] = stretch.bands
    held = front.hold(n - front.end)
    if held is not None:
        bands[:, front.end :] = held
    out, features = network.run_with_features(bands[[BandSplitter.ROWS.index(c) for c in spec.channels]])
    stride = n // features.shape[1]
    error = np.full((len(SEVEN), n), np.nan, np.float32)
    m = min(truth_mv.shape[1], n - ahead)
    seven = out[[spec.leads.index(lead) for lead in SEVEN]]
    error[:, ahead : ahead + m] = truth_mv[:, :m] - seven[:, :m]
    skip = round(SKIP_START_S * spec.rate_hz) + ahead
    error[:, :skip] = np.nan
    error[:, front.end + ahead - round(SKIP_END_S * spec.rate_hz) :] = np.nan
    generic = np.zeros_like(error)
    generic[:, ahead:] = seven[:, : n - ahead]
    stated = None
    if spec.has_scale:
        scale = out[[len(spec.leads) + spec.leads.index(lead) for lead in SEVEN], skip - ahead : m]
        stated = np.sqrt((scale**2).mean(axis=1))

    def by_step(x: Samples) -> Samples:
        return x.reshape(len(SEVEN), -1, stride).transpose(0, 2, 1)

    turned = upside_down(bands[:, : front.end].sum(axis=0), spec.rate_hz)
    return Reference(features, by_step(error), spec.rate_hz, by_step(generic), stated, turned)


def bridged(leads_mv: Samples) -> Samples:
    """Missing samples on a straight line: as zeros they would be steps as high as an amplifier's offset."""
    bridged, at = leads_mv.copy(), np.arange(leads_mv.shape[1])
    for row in bridged:
        known = np.isfinite(row)
        if known.any() and not known.all():
            row[~known] = np.interp(at[~known], at[known], row[known])
    return bridged


def known_samples(leads_mv: Samples, rate_hz: float, to_hz: float, n: int) -> NDArray[np.bool_]:
    """Which samples of each lead are known ``(leads, n)``, at another rate."""
    nearest = np.minimum((np.arange(n) * rate_hz / to_hz).round().astype(np.int64), leads_mv.shape[1] - 1)
    return np.asarray(np.isfinite(leads_mv)[:, nearest])


def posterior(prior: Prior, moments: Moments, excess: Array | None = None) -> Array:
    """A person's change of the head ``(7, features, stride)``: its posterior mean.

    Parameters
    ----------
    prior : Prior
    moments : Moments
        Of the reference; a lead without any is inferred from those that were measured.
    excess : array (7,), optional
        Variance that the fit leaves, over the usual: a noisy reference counts for less.
    """
    measured = moments.seconds >= LEAST_S / 2
    z = np.zeros((len(SEVEN), prior.factor.shape[1], moments.products.shape[2]))
    for i in np.flatnonzero(measured):
        steps = moments.steps[i]
        gram = prior.factor.T @ (moments.features[i] / steps) @ prior.factor
        noise = USUAL_S / moments.seconds[i] * (1.0 if excess is None else excess[i])
        weight = prior.precision[i] * (prior.visit + (1 - prior.visit) * noise)
        right = prior.factor.T @ (moments.products[i] / steps)
        z[i] = np.linalg.solve(gram + weight * np.eye(len(gram)), right)
    if measured.any() and not measured.all():
        given, wanted = np.flatnonzero(measured), np.flatnonzero(~measured)
        c = prior.lead_covariance
        across = np.linalg.solve(c[np.ix_(given, given)], c[np.ix_(given, wanted)]).T
        z[wanted] = np.einsum("wg,gks->wks", across, z[given])
    return np.asarray(np.einsum("fk,lks->lfs", prior.factor, z) * prior.gain[:, None, None])


def fit(
    network: Network, prior: Prior, reference: Reference, origin: Origin, notes: Sequence[str] = ()
) -> Calibration:
    """Learn a person from a reference: milliseconds for 10 s.

    Each lead's correction is first tried on the half of the reference that it was not learned from;
    one that is not worth it is scaled back, or left out.  Two leads of a simultaneous reference that seem to
    be exchanged are inferred from the others; with both arms exchanged nothing is learned.

    Raises
    ------
    InputError
        Where no lead is known for `LEAST_S`.
    """
    pair = reference.exchanged(prior) if origin.kind == "simultaneous" else ()
    reference = reference.without(pair)
    whole = reference.moments()
    seconds = whole.seconds
    if (seconds < LEAST_S).all():
        raise InputError(f"the reference holds less than {LEAST_S:g} s of usable signal: record 10 s")
    middle = reference.features.shape[1] // 2
    halves = [reference.moments(slice(0, middle)), reference.moments(slice(middle, None))]
    excess = _excess(prior, whole)
    share = SEQUENCE_SHARE if origin.kind == "sequence" else 1.0
    heads = [share * posterior(prior, half, excess) for half in halves]
    trust, left = _trust(heads, halves)
    tried = np.isfinite(trust)
    head = share * posterior(prior, whole, excess) * np.where(tried, trust, 1.0)[:, None, None]
    if reference.upside_down:
        head *= 0
    told = [*notes, *_fallen_back(trust, seconds, pair, reference.upside_down)]

    # Lead I is known wherever the features are, so the metric needs no other lead.
    some = int(np.argmax(whole.steps))
    gram = prior.factor.T @ (whole.features[some] / whole.steps[some]) @ prior.factor
    weight = float(prior.precision.mean())
    lower = np.linalg.cholesky(gram + weight * np.eye(len(gram)))
    metric = np.linalg.solve(lower, prior.factor.T)
    known = np.isfinite(reference.error_mv[some]).all(axis=0)
    lengths = np.sqrt(((metric @ reference.features[:, known]) ** 2).sum(axis=0))
    before = np.sqrt(np.stack([whole.left_mv2(np.zeros_like(head)), whole.left_mv2(head)]))
    ratio = np.divide(before[1], before[0], out=np.ones(len(SEVEN)), where=before[0] > 0)
    ratio = np.clip(np.nan_to_num(ratio, nan=1.0), 0.05, 1.0)
    scale = np.exp((prior.scale * scale_terms(ratio, before[0], reference.stated_mv)).sum(axis=1))
    scale = np.where(head.any(axis=(1, 2)), scale, 1.0)
    corrected = bool(head.any())
    return Calibration(
        origin=origin,
        head=np.ascontiguousarray(head.transpose(0, 2, 1), np.float32),
        metric=metric.astype(np.float32),
        reach=float(prior.reach * np.quantile(lengths, 0.995)),
        usual=float((lengths**2).mean()),
        scale=scale.astype(np.float32),
        bands=dict(prior.bands) if corrected else {},
        left=ratio.astype(np.float32),
        notes=tuple(told),
        rmse_mv=left.astype(np.float32),
    )


def scale_terms(ratio: Array, generic_mv: Array, stated_mv: Samples | None) -> Array:
    """What `Prior.scale` is multiplied to ``(7, 3)``: 1, log of the share of the reference's error that is
    left, log of its generic error over the scale stated; 0 where unknown.
    """
    told = np.ones(len(SEVEN))
    if stated_mv is not None:
        told = np.divide(generic_mv, stated_mv, out=told, where=np.nan_to_num(generic_mv) > 0)
    return np.stack((np.ones(len(SEVEN)), np.log(ratio), np.log(np.clip(told, *TOLD))), axis=1)


def _excess(prior: Prior, moments: Moments) -> Array:
    """Variance that a first fit leaves, over the usual; at least 1."""
    left = moments.left_mv2(posterior(prior, moments))
    return np.maximum(np.nan_to_num(left, nan=0.0) / prior.noise_mv**2, 1.0)


def _trust(heads: Sequence[Array], halves: Sequence[Moments]) -> tuple[Array, Array]:
    """How much of each lead's correction holds on the other half ``(7,)``, 0 to 1, and its RMSE there.

    NaN where a lead is not known in both halves.
    """
    before, after, cross, own = (np.zeros(len(SEVEN)) for _ in range(4))
    samples = np.zeros(len(SEVEN))
    both = np.ones(len(SEVEN), np.bool_)
    for head, other in zip(heads, halves[::-1], strict=True):
        cross += (head * other.products).sum(axis=(1, 2))
        own += np.einsum("lfs,lfg,lgs->l", head, other.features, head)
        before += other.squares
        samples += other.steps * head.shape[2]
        both &= (other.seconds >= LEAST_S / 2) & head.any(axis=(1, 2))
    after = np.maximum(before - 2 * cross + own, 0)
    best = np.divide(cross, own, out=np.zeros_like(own), where=own > 0)
    gained = 1 - np.sqrt(np.divide(after, before, out=np.ones_like(own), where=before > 0))
    trust = np.where(gained >= WORTH, 1.0, np.clip(best, 0.0, 1.0) * (gained > 0))
    rmse = np.sqrt(np.stack([before, after]) / np.maximum(samples, 1))
    return np.where(both, trust, np.nan), np.where(both, rmse, np.nan)


def _fallen_back(trust: Array, seconds: Array, pair: Sequence[int], turned: bool) -> list[str]:
    if turned:
        return [
            "Lead I stands upside down: put the arms' electrodes right and calibrate again; "
            "nothing is learned"
        ]
    told = []
    if pair:
        a, b = (SEVEN[i] for i in pair)
        told.append(
            f"{a} and {b} look exchanged: check their electrodes and calibrate again; "
            "until then both are inferred from the other leads"
        )
    weak = [lead for lead, t in zip(SEVEN, trust, strict=True) if t < 1]
    if weak:
        told.append(f"{', '.join(weak)}: the reference does not agree with itself, so nearly generic")
    missing = [SEVEN[i] for i in np.flatnonzero(seconds < LEAST_S) if i not in pair]
    if missing:
        told.append(f"{', '.join(missing)}: not measured for {LEAST_S:g} s, inferred from the other leads")
    return told
