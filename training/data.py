# SPDX-License-Identifier: GPL-3.0-or-later
"""PTB-XL as PhysioNet publishes it, and the stretches that a network learns from."""

from __future__ import annotations

import hashlib
import os
import sys
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from mecg.evaluation.dataset import Entry, read_table
from mecg.evaluation.noise import muscle, wander
from streamer.core.errors import InputError
from streamer.core.leads import LEADS, PREDICTED
from streamer.core.signal.clinical_frame import clinical_frame
from streamer.core.signal.filters import BandSplitter, Filters
from streamer.core.signal.front_end import FrontEnd
from streamer.core.stream import Chunk
from streamer.formats.wfdb_reader import Record
from training.recorders import Recorder, drawn

RATE_HZ = 100
LONGEST_GAP_S = 3.0
NOISE_DB = (0.0, 24.0)
"""How far a record's own standard deviation lies above the noise that is added to it."""

FRANK = np.array(
    [
        [0.156, -0.010, -0.172, -0.074, 0.122, 0.231, 0.239, 0.194],
        [-0.227, 0.887, 0.057, -0.019, -0.106, -0.022, 0.041, 0.048],
        [0.022, 0.102, -0.229, -0.310, -0.246, -0.063, 0.055, 0.108],
    ]
)
"""X, Y, Z from the leads of `PREDICTED`: Edenbrandt and Pahlm, J Electrocardiol 1988."""

DOWER = np.array(
    [
        [0.632, -0.235, 0.059],
        [0.235, 1.066, -0.132],
        [-0.515, 0.157, -0.917],
        [0.044, 0.164, -1.387],
        [0.882, 0.098, -1.277],
        [1.213, 0.127, -0.601],
        [1.125, 0.127, -0.086],
        [0.831, 0.076, 0.230],
    ]
)
"""And back: Dower, Machado and Osborne, Clin Cardiol 1980."""

LEAST_S = 5.0
"""Errors are scored from 3 s on, and gaps of up to 3 s are learnt."""

MOST_MV = 32.0
"""A record that says more is left out: no heart does, and it would not fit into 16 bits of 1 uV."""

LIMB_LAW_UV = 20
"""A record whose limb leads break Einthoven's law by more is left out of training."""


@dataclass(frozen=True, slots=True)
class Records:
    """Whole records in memory."""

    ecg_id: NDArray[np.int64]
    patient_id: NDArray[np.int64]
    leads_uv: NDArray[np.int16]
    """``(records, 8, samples)`` in the order of `PREDICTED`, 1 uV."""


def load(data: Path, folds: Sequence[int], cache: Path) -> Records:
    """Read the 100 Hz records of some folds, through a cache of packed arrays.

    A packed fold knows the rows of the table that it was made of; where they are others now, or it is
    broken, it is made again.  What cannot be learnt from is left out, and counted on stderr.

    Raises
    ------
    InputError
        Where ``data`` holds no ptbxl_database.csv, that names no record of a fold, or a record is not there,
        is no twelve-lead one of 100 Hz, or of another length than the others.
    """
    parts = []
    for fold in folds:
        entries = read_table(data, [fold], RATE_HZ)
        packed = cache / f"fold{fold:02d}.npz"
        parts.append(_unpacked(packed, entries) or _pack(packed, entries))
    lengths = sorted({part.leads_uv.shape[-1] for part in parts})
    if len(lengths) > 1:
        raise InputError(
            f"{data} has folds of {' and of '.join(map(str, lengths))} samples a record: "
            "all must be of one length"
        )
    return Records(
        *(np.concatenate([getattr(p, k) for p in parts]) for k in ("ecg_id", "patient_id", "leads_uv"))
    )


def made_of(entries: Sequence[Entry]) -> str:
    """What tells a packed fold from one of other records, or of ones that were read otherwise."""
    read = [(str(entry.ecg_id), entry.patient, entry.key) for entry in entries]
    return hashlib.sha256(repr((PREDICTED, LIMB_LAW_UV, read)).encode()).hexdigest()


def _unpacked(packed: Path, entries: Sequence[Entry]) -> Records | None:
    """A packed fold, or none where there is none that can be used."""
    try:
        with packed.open("rb") as handle, np.load(handle) as arrays:
            if str(arrays["made_of"]) == made_of(entries):
                return Records(arrays["ecg_id"], arrays["patient_id"], arrays["leads_uv"])
        why = "was made of other records"
    except FileNotFoundError:
        return None
    except KeyError:
        why = "does not say what it was made of"
    except (zipfile.BadZipFile, EOFError, ValueError):
        why = "is broken"
    print(f"{packed} {why}: made again", file=sys.stderr)
    return None


def _pack(packed: Path, entries: Sequence[Entry]) -> Records:
    """Read a fold's records, and keep them; a crash leaves what was there."""
    ids: list[int] = []
    patients: list[int] = []
    eights: list[NDArray[np.int16]] = []
    left_out: Counter[str] = Counter()
    for entry in entries:
        ecg_id, patient = _numbers_of(entry)
        twelve_mv = _twelve_mv(entry)
        why_not = unfit(twelve_mv)
        if why_not:
            left_out[why_not] += 1
            continue
        eight_uv = np.rint(twelve_mv[[LEADS.index(lead) for lead in PREDICTED]] * 1e3).astype(np.int16)
        if eights and eight_uv.shape != eights[0].shape:
            raise InputError(
                f"{entry.path} has {eight_uv.shape[1]} samples, the records before it {eights[0].shape[1]}: "
                "all must be of one length"
            )
        ids.append(ecg_id)
        patients.append(patient)
        eights.append(eight_uv)
    if left_out:
        why = ", ".join(f"{count} {what}" for what, count in left_out.items())
        print(f"{packed.stem}: {left_out.total()} of {len(entries)} records left out: {why}", file=sys.stderr)
    if not eights:
        raise InputError(f"{packed.stem} has no record that can be learnt from")
    records = Records(np.array(ids), np.array(patients), np.stack(eights))
    packed.parent.mkdir(parents=True, exist_ok=True)
    part = packed.with_suffix(f".{os.getpid()}.part")  # two runs may pack the same fold at once
    with part.open("wb") as handle:
        np.savez(
            handle,
            made_of=made_of(entries),
            ecg_id=records.ecg_id,
            patient_id=records.patient_id,
            leads_uv=records.leads_uv,
        )
    part.replace(packed)
    return records


def unfit(twelve_mv: NDArray[np.float32]) -> str:
    """Why nothing can be learnt from a record ``(12, n)``; empty if it can."""
    if not np.isfinite(twelve_mv).all():
        return "lack samples"
    if np.abs(twelve_mv).max(initial=0.0) > MOST_MV:
        return f"exceed {MOST_MV:g} mV"
    one, two, three = twelve_mv[:3]
    if np.abs(three - (two - one)).max(initial=0.0) * 1e3 > LIMB_LAW_UV:
        return "break Einthoven's law"
    predicted = twelve_mv[[LEADS.index(lead) for lead in PREDICTED]]
    return "have a flat lead" if (np.ptp(predicted, axis=1) == 0).any() else ""


def _numbers_of(entry: Entry) -> tuple[int, int]:
    try:
        if entry.ecg_id is None:
            raise ValueError
        return entry.ecg_id, int(float(entry.patient))
    except (ValueError, OverflowError) as error:
        raise InputError(
            f"the table's row of {entry.key} has no whole number for ecg_id or patient_id: number both"
        ) from error


def _twelve_mv(entry: Entry) -> NDArray[np.float32]:
    record = Record(entry.path)
    if record.rate_hz != RATE_HZ:
        raise InputError(f"{entry.path} is one of {record.rate_hz:g} Hz: bring it to {RATE_HZ} Hz first")
    if record.samples < LEAST_S * RATE_HZ:
        raise InputError(f"{entry.path} is shorter than {LEAST_S:g} s: leave it out of the table")
    try:
        return record.twelve()
    except InputError as error:
        raise InputError(f"{entry.path}: {error}") from error


def network_input(
    lead_mv: NDArray[np.float32],
    filters: Filters,
    rate_hz: float,
    source_hz: float = RATE_HZ,
    *,
    hold: int = 0,
) -> NDArray[np.float32]:
    """A whole record through the live core's own front end: ``(4, n + hold)`` mV; zeros where NaN was.

    The live path ends a stream by holding its last sample: ``hold`` samples of that come last.
    """
    front = FrontEnd(source_hz, filters, rate_hz)
    stretches = [*front.push(Chunk(0, lead_mv)), *front.finish()]
    bands = np.zeros((len(BandSplitter.ROWS), front.end + hold), np.float32)
    for stretch in stretches:
        bands[:, stretch.start : stretch.stop] = stretch.bands
    held = front.hold(hold)
    if held is not None:
        bands[:, front.end :] = held
    return bands


class BandsOf(Protocol):
    """A way from Lead I to the input, such as `network_input`."""

    def __call__(
        self,
        lead_mv: NDArray[np.float32],
        filters: Filters,
        rate_hz: float,
        source_hz: float = RATE_HZ,
        *,
        hold: int = 0,
    ) -> NDArray[np.float32]:
        """As `network_input`."""
        ...


def targets(records: Records, filters: Filters, rate_hz: float) -> NDArray[np.int16]:
    """The clinical frame of every record, ``(records, 8, n)`` in 1 uV."""
    return np.stack(
        [
            np.rint(clinical_frame(uv.astype(np.float32) / 1e3, RATE_HZ, filters, rate_hz) * 1e3)
            .clip(-32767, 32767)
            .astype(np.int16)
            for uv in records.leads_uv
        ]
    )


def noises(n: int, rate_hz: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Baseline wander, muscle noise and mains hum ``(3, n)``, each 1 RMS."""
    t = np.arange(n) / rate_hz
    slow, bursts = wander(n, rate_hz, rng), muscle(n, rate_hz, rng)
    mains_hz = rng.choice([50.0, 60.0]) * rng.uniform(0.995, 1.005)
    hum = np.sin(2 * np.pi * (mains_hz * t + rng.random()))
    kinds = np.stack([slow, bursts, hum])
    normed: NDArray[np.float64] = kinds / kinds.std(axis=1, keepdims=True)
    return normed


def disturbance(n: int, rate_hz: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """``n`` samples of baseline wander, muscle noise and mains hum in random shares, 1 RMS in all."""
    kinds = noises(n, rate_hz, rng)
    share = rng.dirichlet([0.5, 0.5, 0.5])
    mixed: NDArray[np.float64] = np.sqrt(share) @ kinds
    mixed /= mixed.std()
    return mixed


def turned(angles: NDArray[np.float64]) -> NDArray[np.float32]:
    """What hearts that lie otherwise in the same chests make of the eight leads.

    Parameters
    ----------
    angles : array (n, 3)
        Of the rotations about X, Y and Z, radians.

    Returns
    -------
    array (n, 8, 8)
        The leads of `PREDICTED` from themselves.  Only the dipole is turned: what the three
        orthogonal leads do not explain stays as it is.
    """
    turn = Rotation.from_euler("xyz", angles).as_matrix()
    matrices: NDArray[np.float64] = np.eye(len(PREDICTED)) + DOWER @ (turn - np.eye(3)) @ FRANK
    return matrices.astype(np.float32)


@dataclass(slots=True)
class Batches:
    """Shuffled batches of whole records, their input made again by the live core each time."""

    records: Records
    truth_uv: NDArray[np.int16]
    filters: Filters
    rate_hz: float
    batch: int
    gain_spread: float
    """Each record is scaled by a factor drawn evenly from 1 - this to 1 + this, before the filters."""
    gap_share: float
    """So many of the records lose a stretch of up to `LONGEST_GAP_S`."""
    noise_share: float
    """So many of the records are measured through wander, muscle noise and hum."""
    _: KW_ONLY
    turn_deg: float = 0.0
    """The standard deviation of the angles by which each heart is turned about each axis."""
    bands_of: BandsOf = network_input
    """How Lead I becomes the input: other ways are for ablations."""
    recorder_share: float = 0.0
    """So many of the records are as another recorder would have made them (`training.recorders`)."""
    hold: int = 0
    """So many samples of the last one held end each record's input, as `network_input` says."""
    said_uv: NDArray[np.int16] | None = None
    """What models that know better say of each record, undisturbed, in the form of ``truth_uv``."""

    def __len__(self) -> int:
        return len(self.records.ecg_id) // self.batch

    def epoch(
        self, rng: np.random.Generator, first: int = 0
    ) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """Batches of input ``(batch, 4, n + hold)`` and truth ``(batch, 8, n)``, mV, from ``first`` on."""
        return ((x, truth) for x, truth, _ in self.taught(rng, first))

    def taught(
        self, rng: np.random.Generator, first: int = 0
    ) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]]:
        """The same, and what is said of these records ``(batch, 8, n)``, else the truth again."""
        order = rng.permutation(len(self.records.ecg_id))
        for b in range(len(self)):
            chosen = order[b * self.batch : (b + 1) * self.batch]
            gain = rng.uniform(1 - self.gain_spread, 1 + self.gain_spread, len(chosen)).astype(np.float32)
            mixed = gain[:, None, None] * turned(np.radians(rng.normal(0, self.turn_deg, (len(chosen), 3))))
            lead = (mixed[:, :1] @ self.records.leads_uv[chosen].astype(np.float32))[:, 0] / 1e3
            for i in np.flatnonzero(rng.random(len(lead)) < self.gap_share):
                length = rng.integers(1, round(LONGEST_GAP_S * RATE_HZ))
                at = rng.integers(0, lead.shape[1] - length)
                lead[i, at : at + length] = np.nan
            noise_mv = {
                int(i): self._noise_mv(lead[i], rng)
                for i in np.flatnonzero(rng.random(len(lead)) < self.noise_share)
            }
            recorders = self._recorders(len(lead), rng)
            if b < first:
                continue  # all chance of it is drawn, so the next ones are what they always are
            x = np.stack([self.bands_of(row, self.filters, self.rate_hz, hold=self.hold) for row in lead])
            for of, noise in noise_mv.items():
                # The filters are linear, so what the noise adds to the bands can be added to them;
                # hum has no place in records of 100 Hz. A lost sample stays lost.
                added = self.bands_of(noise, self.filters, self.rate_hz, self.rate_hz, hold=self.hold)
                x[of] += added * (x[of] != 0)
            truth = mixed @ self.truth_uv[chosen].astype(np.float32) / 1e3
            said_uv = self.said_uv
            said = truth if said_uv is None else mixed @ said_uv[chosen].astype(np.float32) / 1e3
            for of, recorder in recorders.items():
                x[of] = recorder(x[of]) * (x[of] != 0)
                if recorder.of_all:
                    truth[of], said[of] = recorder(truth[of]), recorder(said[of])
            yield x, truth, said

    def _recorders(self, n: int, rng: np.random.Generator) -> dict[int, Recorder]:
        if not self.recorder_share:
            return {}  # and no chance drawn for it: a run of before stays what it was
        chosen = np.flatnonzero(rng.random(n) < self.recorder_share)
        return {int(i): drawn(rng, self.rate_hz) for i in chosen}

    def _noise_mv(self, lead_mv: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
        """A disturbance as long as the truth, `NOISE_DB` below a record."""
        level_mv = np.nanstd(lead_mv) * 10 ** (-rng.uniform(*NOISE_DB) / 20)
        return (level_mv * disturbance(self.truth_uv.shape[-1], self.rate_hz, rng)).astype(np.float32)
