# SPDX-License-Identifier: MIT
"""One person from several visits.

Electrodes never sit twice in the same place, so what one visit teaches is half person and half that day's
places.  The mean of several visits' corrections keeps the person.  How much of it holds on a visit that
it was not learned from is measured by leaving out one visit after another, and so much of it is made.
What a visit says is kept as sums (`Moments`) and its own correction: no signal is needed again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import nan

import numpy as np
from numpy.typing import NDArray

from streamer.core.calibration.correction import MOST_FEATURES, Calibration, Origin
from streamer.core.calibration.fit import Array, Moments, Prior, Reference, fit, scale_terms
from streamer.core.errors import Field, InputError
from streamer.core.leads import SEVEN, canonical_lead
from streamer.core.network.network import Network
from streamer.core.stream import Samples

LATER = 0.7
"""A visit counts so much of what the next one does.  Chosen on folds 6-8: docs/decisions.md."""
MOST_VISITS = 20
ALIKE = 0.01
"""Sums of two visits that differ by a smaller share are of one recording: two days differ by far more."""

_NAME, _NOTE = 40, 200
"""Letters: of a visit's name before a note, and of what a file keeps of one."""


@dataclass(frozen=True, slots=True)
class Visit:
    """What one reference says of a person; holds no signal."""

    origin: Origin
    head: Array
    """``(7, features, stride)``: the correction that it alone gives, mV; zeros where it teaches nothing."""
    reach: float
    """How far its features go at the most, over their root mean square."""
    moments: Moments
    stated_mv: Samples | None = None
    """``(7,)``: RMS of the network's scale, where it has one."""
    notes: tuple[str, ...] = ()
    """What fell back towards the generic model, and why."""
    rmse_mv: Array | None = None
    """``(2, 7)``: cross-validated within the reference, generic and personal."""

    def __post_init__(self) -> None:
        n = len(SEVEN)
        _, features, stride = self.head.shape if self.head.ndim == 3 else (0, 0, 0)
        moments = self.moments
        good = self.head.shape[:1] == (n,) and 1 <= stride <= 64 and 1 <= features <= MOST_FEATURES
        good = good and moments.features.shape == (n, features, features)
        good = good and moments.products.shape == self.head.shape
        good = good and moments.squares.shape == moments.steps.shape == (n,)
        arrays = [self.head, moments.features, moments.products, moments.squares, moments.steps]
        good = good and all(np.isfinite(x).all() for x in arrays)
        good = good and bool((moments.squares >= 0).all() and (moments.steps >= 0).all())
        good = good and bool(moments.steps.any()) and 0 < self.reach < 1e9 and 0 < moments.step_s < 10
        good = good and (self.stated_mv is None or self.stated_mv.shape == (n,))
        good = good and (self.rmse_mv is None or self.rmse_mv.shape == (2, n))
        if not good:
            raise InputError("a visit's numbers do not fit together: calibrate again")

    @property
    def teaches(self) -> bool:
        """Whether it moves any lead."""
        return bool(self.head.any())


def visit_of(
    network: Network, prior: Prior, reference: Reference, origin: Origin, notes: Sequence[str] = ()
) -> Visit:
    """What a reference says of a person.

    Raises
    ------
    InputError
        As `streamer.core.calibration.fit.fit`.
    """
    alone = fit(network, prior, reference, origin, notes)
    pair = reference.exchanged(prior) if origin.kind == "simultaneous" else ()
    return Visit(
        origin=origin,
        head=alone.head.transpose(0, 2, 1).astype(np.float64),
        reach=alone.reach / float(np.sqrt(alone.usual)),
        moments=reference.without(pair).moments(),
        stated_mv=reference.stated_mv,
        notes=alone.notes,
        rmse_mv=alone.rmse_mv.astype(np.float64),
    )


def same_recording(a: Visit, b: Visit) -> bool:
    """Whether two visits are one recording, whatever they are called and in whichever format it is."""
    ones, others = a.moments.products, b.moments.products
    if ones.shape != others.shape or (a.moments.steps != b.moments.steps).any():
        return False
    return bool(np.linalg.norm(ones - others) <= ALIKE * np.linalg.norm(ones))


def teaching(visits: Sequence[Visit]) -> Sequence[Visit]:
    """Those that teach something: what a calibration is made of."""
    return [visit for visit in visits if visit.teaches]


def combined(prior: Prior, visits: Sequence[Visit]) -> Calibration:
    """One person's calibration from visits, the earliest first; of a single one what `fit` makes of it.

    Parameters
    ----------
    prior : Prior
        Of the model that all of them were made with.
    visits : sequence of Visit
        At the most `MOST_VISITS`.  One that teaches nothing counts for nothing, as long as another does.

    Returns
    -------
    Calibration
        Its ``rmse_mv`` is that on visits that were left out, where there are several.

    Raises
    ------
    InputError
        Where there is none, or too many, or they were not measured alike.
    """
    if not 1 <= len(visits) <= MOST_VISITS:
        raise InputError(f"{len(visits)} visits: a calibration is made of 1 to {MOST_VISITS}")
    _refuse_unlike(visits)
    some = teaching(visits) or visits[-1:]
    weights = _weights(len(some))
    head = np.einsum("v,vlfs->lfs", weights, np.stack([visit.head for visit in some]))
    share, rmse_mv = 1.0, some[-1].rmse_mv
    if len(some) > 1:
        share, rmse_mv = _held_out(some, weights)
    head *= share
    metric, usual = _metric(prior, some, weights)
    zero = np.zeros_like(head)
    before, left = (np.sqrt(_weighted([v.moments.left_mv2(h) for v in some], weights)) for h in (zero, head))
    ratio = np.divide(left, before, out=np.ones(len(SEVEN)), where=np.nan_to_num(before) > 0)
    ratio = np.clip(np.nan_to_num(ratio, nan=1.0), 0.05, 1.0)
    scale = np.exp((prior.scale * scale_terms(ratio, before, _stated(some, weights))).sum(axis=1))
    corrected = head.any(axis=(1, 2))
    return Calibration(
        origin=_origin(visits),
        head=np.ascontiguousarray(head.transpose(0, 2, 1), np.float32),
        metric=metric.astype(np.float32),
        reach=max(visit.reach for visit in some) * float(np.sqrt(usual)),
        usual=usual,
        scale=np.where(corrected, scale, 1.0).astype(np.float32),
        bands=dict(prior.bands) if corrected.any() else {},
        left=ratio.astype(np.float32),
        notes=_notes(visits, contradict=len(some) > 1 and share == 0),
        rmse_mv=np.full((2, len(SEVEN)), nan, np.float32) if rmse_mv is None else rmse_mv.astype(np.float32),
    )


def brings(visits: Sequence[Visit]) -> Array:
    """What each visit's own correction does on all the others: generic and personal RMSE of the seven
    leads ``(visits, 2)``, mV; NaN where there is no other.
    """
    result = np.full((len(visits), 2), nan)
    for i, (row, visit) in enumerate(zip(result, visits, strict=True)):
        others = [other for j, other in enumerate(visits) if j != i]
        row[:] = [_left_mv(others, head) for head in (np.zeros_like(visit.head), visit.head)]
    return result


def unlike(visits: Sequence[Visit]) -> tuple[Visit, ...]:
    """Those that do not look like the person of the others: neither makes what the others teach together
    their error smaller, nor what they teach that of half of the others.

    A visit whose leads were measured one after another is not judged: too many true ones look so.
    """
    some = [visit for visit in teaching(visits) if visit.origin.kind == "simultaneous"]
    heads, weights = [visit.head for visit in some], _weights(len(some))
    found = []
    for i, visit in enumerate(some):
        others = some[:i] + some[i + 1 :]
        if not others:
            continue
        taught = np.average(np.delete(heads, i, axis=0), axis=0, weights=np.delete(weights, i))
        helps = sum(_is_helped([other], visit.head) for other in others)
        if 2 * helps < len(others) and not _is_helped([visit], taught):
            found.append(visit)
    return tuple(found)


def unlike_words(visits: Sequence[Visit]) -> str:
    """What is to be said of `unlike` ones; nothing if there are none."""
    names = [f"{visit.origin.source[:_NAME]} {visit.origin.date}".strip() for visit in unlike(visits)]
    if not names:
        return ""
    what = "what each teaches does not hold on the others"
    if len(names) == len(teaching(visits)):
        return f"{_listed(names)} do not look like one person: {what}"
    do = "does" if len(names) == 1 else "do"
    return f"{_listed(names)} {do} not look like the person of the other visits: {what}"


def _listed(names: Sequence[str]) -> str:
    return " and ".join(names[:2]) if len(names) < 3 else f"{names[0]} and {len(names) - 1} more"


def _is_helped(visits: Sequence[Visit], head: Array) -> bool:
    """Whether a correction makes the error on visits smaller; so too if no lead is known that would say."""
    return not _left_mv(visits, head) >= _left_mv(visits, np.zeros_like(head))


def _left_mv(visits: Sequence[Visit], head: Array) -> float:
    """RMSE of the seven leads that a correction leaves on visits; NaN if none is known."""
    known = [visit.moments.left_mv2(head) for visit in visits]
    return float(np.sqrt(np.nanmean(known))) if known and np.isfinite(known).any() else nan


def _notes(visits: Sequence[Visit], *, contradict: bool) -> tuple[str, ...]:
    """What is to be said of each, by its name where there are several; and of all of them."""
    if len(visits) == 1:
        return visits[0].notes
    told = [f"{visit.origin.source[:_NAME]}: {note}" for visit in visits for note in visit.notes]
    if words := unlike_words(visits):
        told.append(words)
    if contradict:
        told.append("the visits contradict each other: what one teaches does not hold on the others")
    return tuple(note[:_NOTE] for note in told)


def _refuse_unlike(visits: Sequence[Visit]) -> None:
    """Raise an `InputError` where visits cannot be of one model, one lead and one way to measure it."""
    latest = visits[-1].origin
    for origin in (visit.origin for visit in visits):
        if (origin.model, origin.version) != (latest.model, latest.version):
            raise InputError(
                f"{origin.source} was learned with the model {origin.model} {origin.version}, "
                f"{latest.source} with {latest.model} {latest.version}: calibrate it again with the newer one"
            )
        leads = [canonical_lead(each.lead) or each.lead for each in (origin, latest)]
        if leads[0] != leads[1] or origin.inverted != latest.inverted:
            raise InputError(
                f"{origin.source} and {latest.source} are not of one lead with one polarity",
                Field.POLARITY,
            )
        placements = {origin.placement, latest.placement} - {"unstated"}
        if len(placements) > 1:
            raise InputError(
                f"the electrodes of {origin.source} sat on the {origin.placement}, those of {latest.source} "
                f"on the {latest.placement}: keep a calibration for each"
            )
    if len({visit.head.shape for visit in visits}) > 1:
        raise InputError("the visits' numbers do not fit together: calibrate again")


def _weights(visits: int) -> Array:
    weights = LATER ** np.arange(visits)[::-1].astype(np.float64)
    return np.asarray(weights / weights.sum())


def _held_out(visits: Sequence[Visit], weights: Array) -> tuple[float, Array]:
    """The share of the mean correction that holds on a visit which it was not learned from, and its RMSE
    there, generic and personal ``(2, 7)``; NaN where a lead was never known.

    The mean of all visits wavers less than what was tried, from which one is missing: its share is the
    larger, as if each visit's correction were the person's and an error of its own.
    """
    cross, own, before, samples = (np.zeros(len(SEVEN)) for _ in range(4))
    for i, left_out in enumerate(visits):
        others = np.delete(weights, i) / np.delete(weights, i).sum()
        heads = [visit.head for j, visit in enumerate(visits) if j != i]
        head = np.einsum("v,vlfs->lfs", others, np.stack(heads))
        moments = left_out.moments
        cross += (head * moments.products).sum(axis=(1, 2))
        own += np.einsum("lfs,lfg,lgs->l", head, moments.features, head)
        before += moments.squares
        samples += moments.steps * head.shape[2]
    holds = float(np.clip(cross.sum() / own.sum(), 0, 1)) if own.sum() > 0 else 0.0
    after = np.maximum(before - 2 * holds * cross + holds**2 * own, 0)
    rmse_mv = np.full((2, len(SEVEN)), nan)
    np.sqrt(np.divide(np.stack((before, after)), samples, out=rmse_mv, where=samples > 0), out=rmse_mv)
    if holds == 0:
        return 0.0, rmse_mv
    worth = 1 / float((weights**2).sum())  # so many visits of equal weight
    return 1 / (1 + (worth - 1) / worth * (1 / holds - 1)), rmse_mv


def _metric(prior: Prior, visits: Sequence[Visit], weights: Array) -> tuple[Array, float]:
    """As of `fit`, from the visits' mean features; and their mean squared length."""
    grams = []
    for visit in visits:
        best = int(np.argmax(visit.moments.steps))
        grams.append(visit.moments.features[best] / visit.moments.steps[best])
    mean = np.einsum("v,vfg->fg", weights, np.stack(grams))
    gram = prior.factor.T @ mean @ prior.factor
    lower = np.linalg.cholesky(gram + float(prior.precision.mean()) * np.eye(len(gram)))
    metric: Array = np.asarray(np.linalg.solve(lower, prior.factor.T), np.float64)
    return metric, float(np.einsum("kf,fg,kg->", metric, mean, metric))


def _weighted(rows: Sequence[Array], weights: Array) -> Array:
    """The weighted mean of those that are known ``(7,)``; NaN where none is."""
    values = np.stack(rows)
    known: NDArray[np.bool_] = np.isfinite(values)
    sums = (np.where(known, values, 0) * weights[:, None]).sum(axis=0)
    total = (known * weights[:, None]).sum(axis=0)
    return np.asarray(np.divide(sums, total, out=np.full(len(SEVEN), nan), where=total > 0))


def _stated(visits: Sequence[Visit], weights: Array) -> Samples | None:
    if any(visit.stated_mv is None for visit in visits):
        return None
    squares = [
        np.square(visit.stated_mv.astype(np.float64)) for visit in visits if visit.stated_mv is not None
    ]
    return np.asarray(np.sqrt(_weighted(squares, weights)), np.float32)


def _origin(visits: Sequence[Visit]) -> Origin:
    """The latest visit's; it says how many came before, and whether any lead was measured by itself."""
    latest = visits[-1].origin
    kinds = {visit.origin.kind for visit in visits}
    return replace(latest, earlier=len(visits) - 1, kind="sequence" if "sequence" in kinds else latest.kind)
