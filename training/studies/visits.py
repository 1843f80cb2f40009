# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a calibration falls short: ``python -m training.studies.visits MODEL --data PTB-XL``.

The last 4 s of a later record are scored with corrections that were fitted on different things: on
its own first 5 s, on 5 s of an earlier visit, on all of that visit, and on the scored stretch itself.
Beside it, how far the truth itself moved between the visits, how many exchanged leads are seen, and
how often a drift is reported, of the same person and of another.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.core.calibration.correction import DRIFT_LIMIT, Calibration, Origin
from streamer.core.calibration.fit import Prior, Reference, fit, prior_of, reference_of
from streamer.core.calibration.swapped_leads import exchanged
from streamer.core.calibration.visits import MOST_VISITS, Visit, combined, unlike, visit_of
from streamer.core.leads import SEVEN
from streamer.core.network.network import Network
from streamer.core.vitals.beats import beats_in
from training.command import ended_in_one_line
from training.data import RATE_HZ, Records, load, targets
from training.fitted.personal import first_and_later, references_of, several

EARLY_S, LATE_S = 5.0, 5.2
"""Up to here a record is learned from, from here on it is scored; the network looks back 2 s."""
HARM = 1.05
PARTS = 4
"""Pairs are parted by how far their visits lie apart into so many of equal size."""
BEFORE_S, AFTER_S = 0.25, 0.45
MANY = 3
"""Earlier visits, from which on they are counted together."""
OTHERS = 10
"""So many other persons' records are held against each person's earlier visits."""

Array = NDArray[np.float64]


def part_of(reference: Reference, from_s: float, to_s: float, look_ahead: int) -> Reference:
    """The same where only a stretch of the record is known."""
    steps = [round((s * reference.rate_hz + look_ahead) / reference.stride) for s in (from_s, to_s)]
    error_mv = np.full_like(reference.error_mv, np.nan)
    kept = slice(steps[0], steps[1])
    error_mv[:, :, kept] = reference.error_mv[:, :, kept]
    return replace(reference, error_mv=error_mv)


def left_mv(calibration: Calibration | None, reference: Reference) -> float:
    """RMSE of the seven leads with a correction, where the reference is known."""
    error = reference.error_mv
    if calibration is not None:
        length = np.sqrt(((calibration.metric @ reference.features) ** 2).sum(axis=0))
        shrink = calibration.reach / np.maximum(length, calibration.reach)
        error = error - np.einsum("lsf,fn->lsn", calibration.head, reference.features) * shrink
    return float(np.sqrt(np.nanmean(error**2)))


def ceiling(network: Network, references: Sequence[Reference], pairs: NDArray[np.int64]) -> dict[str, Array]:
    """RMSE of each pair's scored stretch ``(pairs,)``, by what the correction was fitted on."""
    prior, spec = prior_of(network), network.spec
    origin = Origin(spec.name, spec.version, "", "")
    result: dict[str, list[float]] = {}
    for a, b in pairs:
        scored = part_of(references[b], LATE_S, 1e3, spec.look_ahead)
        given = {
            "earlier visit": references[a],
            "earlier visit, 5 s": part_of(references[a], 0.0, EARLY_S, spec.look_ahead),
            "same record, 5 s before": part_of(references[b], 0.0, EARLY_S, spec.look_ahead),
            "the scored stretch itself": scored,
        }
        result.setdefault("generic", []).append(left_mv(None, scored))
        for name, reference in given.items():
            calibration = fit(network, prior, reference, origin)
            result.setdefault(name, []).append(left_mv(calibration, scored))
    return {name: np.array(values) for name, values in result.items()}


def summary(rmse_mv: dict[str, Array]) -> dict[str, dict[str, float]]:
    """Medians, over generic, and the share that gets worse, for each way."""
    generic = rmse_mv["generic"]
    return {
        name: {
            "median_rmse_mv": float(np.median(values)),
            "over_generic": float(np.median(values) / np.median(generic)),
            "worse_by_5pct_fraction": float((values > HARM * generic).mean()),
        }
        for name, values in rmse_mv.items()
    }


def mean_beat(leads_mv: NDArray[np.float32], rate_hz: float) -> NDArray[np.float32] | None:
    """Of leads ``(n_leads, n)`` whose first is Lead I; None without beats."""
    before, after = round(BEFORE_S * rate_hz), round(AFTER_S * rate_hz)
    beats = beats_in(leads_mv[0], rate_hz)
    beats = beats[(beats >= before + 0.5 * rate_hz) & (beats + after <= leads_mv.shape[1] - 0.5 * rate_hz)]
    if not len(beats):
        return None
    mean: NDArray[np.float32] = leads_mv[:, beats[:, None] + np.arange(-before, after)].mean(axis=1)
    return mean


def moved(
    network: Network, references: Sequence[Reference], truth: NDArray[np.float32], pairs: NDArray[np.int64]
) -> Array:
    """How far the mean beat of the seven moved between visits, and how far off the generic one is, mV RMS.

    Of each pair ``(pairs, 2)``; NaN where a record shows no beat.
    """
    spec = network.spec
    result = np.full((len(pairs), 2), np.nan)
    for row, (a, b) in zip(result, pairs, strict=True):
        generic = references[b].generic_mv
        assert generic is not None
        seven = generic.transpose(0, 2, 1).reshape(len(SEVEN), -1)[:, spec.look_ahead :]
        n = min(seven.shape[1], truth.shape[2])
        made = np.concatenate((truth[b][:1, :n], seven[:, :n]))
        was, now, guess = (mean_beat(x, spec.rate_hz) for x in (truth[a], truth[b][:, :n], made))
        if was is not None and now is not None and guess is not None:
            row[:] = [np.sqrt(((x - now)[1:] ** 2).mean()) for x in (was, guess)]
    return result


def exchanges(
    network: Network, prior: Prior, records: Records, references: Sequence[Reference]
) -> dict[str, Any]:
    """False alarms on records as they are, and what is seen of exchanged leads and arms."""
    names = [(a, b) for a in range(len(SEVEN)) for b in range(a + 1, len(SEVEN))]
    said: list[float] = []
    found: dict[tuple[int, int], list[bool]] = {pair: [] for pair in names}
    for reference in references:
        known = np.isfinite(reference.error_mv).all(axis=0)
        assert reference.generic_mv is not None
        generic = reference.generic_mv[:, known]
        truth = generic + reference.error_mv[:, known]
        said.append(exchanged(truth, generic, prior.error_covariance)[0])
        for pair in names:
            wrong = truth.copy()
            wrong[list(pair)] = truth[list(pair[::-1])]
            more, seen = exchanged(wrong, generic, prior.error_covariance)
            found[pair].append(more > prior.exchange and seen == pair)
    arms = []
    for uv in records.leads_uv:
        turned = uv.astype(np.float32) / 1e3
        turned[:2] = -turned[0], turned[1] - turned[0]  # I turns, II and III change places
        arms.append(reference_of(network, turned, RATE_HZ).upside_down)
    return {
        "records": len(references),
        "false_alarms": float(np.mean(np.array(said) > prior.exchange)),
        "found": {f"{SEVEN[a]}-{SEVEN[b]}": float(np.mean(found[a, b])) for a, b in names},
        "arms_false_alarms": float(np.mean([r.upside_down for r in references])),
        "arms_found": float(np.mean(arms)),
    }


def drift_of(calibration: Calibration, reference: Reference) -> float:
    """What `PersonalStepper.drift` comes to at the end of a record that goes on so.

    Over the steps where the record is known: within its first steps the filters settle.
    """
    known = np.isfinite(reference.error_mv).any(axis=(0, 1))
    squared = ((calibration.metric @ reference.features[:, known]) ** 2).sum(axis=0)
    return float(squared.mean() / calibration.usual)


def drifts(
    network: Network, references: Sequence[Reference], patients: NDArray[np.int64], pairs: NDArray[np.int64]
) -> dict[str, float]:
    """Share of pairs over `DRIFT_LIMIT`: with another record of the person, and with another's.

    The other is the next person's first record: the same one at every run.
    """
    prior, spec = prior_of(network), network.spec
    origin = Origin(spec.name, spec.version, "", "")
    firsts = list(dict.fromkeys(pairs[:, 0].tolist()))
    calibrations = {i: fit(network, prior, references[i], origin) for i in firsts}
    following = dict(zip(firsts, firsts[1:] + firsts[:1], strict=True))
    assert all(patients[a] != patients[b] for a, b in following.items())
    own = [drift_of(calibrations[a], references[b]) for a, b in pairs]
    other = [drift_of(calibrations[a], references[b]) for a, b in following.items()]
    return {
        "limit": DRIFT_LIMIT,
        "same_person_over_limit_fraction": float(np.mean(np.array(own) > DRIFT_LIMIT)),
        "same_person_median": float(np.median(own)),
        "another_person_over_limit_fraction": float(np.mean(np.array(other) > DRIFT_LIMIT)),
        "another_person_median": float(np.median(other)),
    }


def strangers(
    network: Network, references: Sequence[Reference], patients: NDArray[np.int64]
) -> dict[str, dict[str, float]]:
    """Share of later records that are said to be another person's, by how many earlier visits there are: of
    those that are the person's, and of the first records of the persons that follow.

    ``references`` and ``patients`` in the order of the visits.
    """
    prior, spec = prior_of(network), network.spec
    origin = Origin(spec.name, spec.version, "", "")
    of: dict[int, list[Visit]] = {}
    for reference, patient in zip(references, patients, strict=True):
        of.setdefault(int(patient), []).append(visit_of(network, prior, reference, origin))
    own = list(of.values())
    found: dict[str, dict[str, list[bool]]] = {}
    for i, known in enumerate(own):
        others = [own[(i + j) % len(own)][0] for j in range(1, OTHERS + 1)]
        for count in range(1, len(known)):
            row = found.setdefault("one" if count == 1 else "more", {"same": [], "other": []})
            for name, some in (("same", known[count : count + 1]), ("other", others)):
                said = ([id(visit) for visit in unlike([*known[:count], new])] for new in some)
                row[name] += [id(new) in ids for new, ids in zip(some, said, strict=True)]
    return {
        count: {
            "records": len(row["same"]),
            "same_person_fraction": float(np.mean(row["same"])),
            "another_person_fraction": float(np.mean(row["other"])),
        }
        for count, row in found.items()
    }


def over_visits(
    network: Network, references: Sequence[Reference], patients: NDArray[np.int64]
) -> dict[str, dict[str, dict[str, float]]]:
    """What corrections of several earlier visits leave of a later record's error, by how many there were.

    ``references`` and ``patients`` in the order of the visits.
    """
    prior, spec = prior_of(network), network.spec
    origin = Origin(spec.name, spec.version, "", "")
    of: dict[int, list[int]] = {}
    for i, patient in enumerate(patients):
        of.setdefault(int(patient), []).append(i)
    rmse_mv: dict[str, dict[str, list[float]]] = {}
    for own in of.values():
        known = [visit_of(network, prior, references[i], origin) for i in own]
        for earlier in range(1, len(own)):
            before, scored = known[:earlier], references[own[earlier]]
            ways = {"earliest": before[:1], "latest": before[-1:]}
            if earlier > 1:
                ways |= {"latest two": before[-2:], "all": before[-MOST_VISITS:]}
            group = rmse_mv.setdefault(str(earlier) if earlier < MANY else f"{MANY} or more", {})
            group.setdefault("generic", []).append(left_mv(None, scored))
            for name, some in ways.items():
                group.setdefault(name, []).append(left_mv(combined(prior, some), scored))
    found = {}
    for count, rows in sorted(rmse_mv.items()):
        arrays = {name: np.array(values) for name, values in rows.items()}
        found[count] = summary(arrays)
        for name, row in found[count].items():
            row["mean_over_mean"] = float(arrays[name].mean() / arrays["generic"].mean())
            row["records"] = len(arrays[name])
    return found


def visits(network: Network, data: Path, fold: int, cache: Path) -> dict[str, Any]:
    """All of it, of one fold."""
    records = several(load(data, [fold], cache))
    references = references_of(network, records)
    pairs = first_and_later(records.patient_id)
    rmse_mv = ceiling(network, references, pairs)
    apart = np.diff(records.ecg_id[pairs], axis=1)[:, 0]
    by_distance = {}
    edges = np.quantile(apart, np.linspace(0, 1, PARTS + 1))
    for low, high in pairwise(edges):
        some = (apart >= low) & (apart < high if high < edges[-1] else apart <= high)
        by_distance[f"{low:.0f} to {high:.0f}"] = summary({k: v[some] for k, v in rmse_mv.items()})
    truth = targets(records, network.spec.filters, network.spec.rate_hz).astype(np.float32) / 1e3
    far_mv, off_mv = moved(network, references, truth, pairs).T
    more = far_mv > off_mv
    worse = rmse_mv["earlier visit"] > HARM * rmse_mv["generic"]
    return {
        "fold": fold,
        "pairs": len(pairs),
        "fitted_on": summary(rmse_mv),
        "by_numbers_apart": by_distance,
        "by_earlier_visits": over_visits(network, references, records.patient_id),
        "truth_moved": {
            "median_mv": float(np.nanmedian(far_mv)),
            "median_generic_error_mv": float(np.nanmedian(off_mv)),
            "by_more_than_generic_error_fraction": float(more.mean()),
            "worse_by_5pct_of_those_fraction": float(worse[more].mean()),
            "worse_by_5pct_of_others_fraction": float(worse[~more].mean()),
        },
        "strangers": strangers(network, references, records.patient_id),
        "drift": drifts(network, references, records.patient_id, pairs),
        "exchanges": exchanges(network, prior_of(network), records, references),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="a model that knows how persons differ")
    parser.add_argument("--data", type=Path, required=True, help="a PTB-XL directory")
    parser.add_argument("--fold", type=int, default=9)
    parser.add_argument("--cache", type=Path, default=Path("training/cache"))
    args = parser.parse_args()
    network = Network(args.model.read_bytes())
    print(json.dumps(visits(network, args.data, args.fold, args.cache), indent=1))


if __name__ == "__main__":
    ended_in_one_line(main)
