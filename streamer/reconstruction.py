# SPDX-License-Identifier: MIT
"""A whole Lead I in one call: an array in, the twelve leads out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from streamer.core.calibration.correction import Calibration, PersonalNetwork
from streamer.core.errors import InputError, SignalError
from streamer.core.leads import LEADS, canonical_lead
from streamer.core.network.network import Network
from streamer.core.network.spec import ModelSpec
from streamer.core.pipeline import Pipeline
from streamer.core.stream import Chunk, Frame, LeadPart, Samples, StreamInfo
from streamer.model_files import load_model

HOP_S = 8.0
"""A whole array needs no low latency, and long windows cost a twentieth."""

IN_ONE_S = 20.0
"""What is no longer than this is one window: two would each look back at the receptive field again."""

MOST_SWING_MV = 20.0
"""No heart moves an electrode by as much from second to second; in microvolts every heart does."""


@dataclass(frozen=True, slots=True)
class Reconstruction:
    """The twelve leads of a whole Lead I.

    Sample ``i`` is the ECG at ``i / rate_hz`` seconds after the first sample of the input: the
    algorithmic latency is taken out.
    """

    rate_hz: float
    """The model's rate, whatever that of the input was."""
    leads_mv: Samples
    """``(12, n)`` in the order of ``names``; NaN where the input is missing."""
    measured_mv: Samples
    """``(n,)``: Lead I as measured, in the model's input band; NaN where the input is missing."""
    scale_mv: Samples
    """``(12, n)``: the uncertainty of each sample; NaN where the model states none."""
    valid: NDArray[np.bool_]
    """``(n,)``: False if the input is missing (NaN)."""
    settling: NDArray[np.bool_]
    """``(n,)``: True for 2 s after a start of the filters."""
    bands: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """By level, such as "0.9": for each lead the half-width of the band that holds so much of the truth,
    as a multiple of its scale.  Empty if the model states none."""
    names: tuple[str, ...] = LEADS
    parts: tuple[LeadPart, ...] = ()
    """What the model's slower bands alone make of the leads, if that was asked for: ``low``, then ``low`` and
    ``mid``.  What a band gives is the difference to the one before it; all of them add up to the leads."""

    def lead(self, name: str) -> Samples:
        """One lead ``(n,)`` in mV, by any spelling of its name, such as ``"V2"`` or ``"avf"``.

        Raises
        ------
        InputError
            If it is none of the twelve.
        """
        lead_mv: Samples = self.leads_mv[_row(name)]
        return lead_mv

    def half_width_mv(self, level: str = "0.9") -> Samples:
        """Half the width ``(12, n)`` of the band that holds a share ``level`` of the truth, mV.

        Raises
        ------
        InputError
            If the model states no such band.
        """
        if level not in self.bands:
            known = ", ".join(self.bands) or "none"
            raise InputError(f"the model states no band {level!r}: choose one of its own ({known})")
        width_mv: Samples = self.scale_mv * np.asarray(self.bands[level], np.float32)[:, None]
        return width_mv


def reconstruct(
    lead_i_mv: ArrayLike,
    rate_hz: float,
    *,
    model: Network | str | Path = "low",
    calibration: Calibration | None = None,
    each_band: bool = False,
) -> Reconstruction:
    """Reconstruct twelve leads from a whole Lead I.

    Parameters
    ----------
    lead_i_mv : array_like (n,)
        Lead I in **millivolts**, real floating-point numbers, unfiltered; NaN where a sample is missing.
        Integers are refused: they are mostly steps of a converter, to be scaled first.
    rate_hz : float
        Its sampling rate, 95 to 5000 Hz.
    model : Network, str or Path
        As `load_model` returns or takes it.  Load it once if you call this often.
    calibration : Calibration, optional
        A person's, as `read_calibration` returns it.
    each_band : bool
        Say too what the model's slower bands alone make of the leads (`Reconstruction.parts`).

    Returns
    -------
    Reconstruction
        ``ceil(n * 250 / rate_hz)`` samples for a model at 250 Hz.  Equal to the frames of a `Pipeline`
        that gets the same samples live, within 1e-4 mV.

    Raises
    ------
    SignalError
        If the input is no such array, if it swings as no electrode does (it looks like microvolts), or if the
        rate is no number.  The error's ``argument`` names which.
    InputError
        If the rate lies outside 95 to 5000 Hz, or the model or the calibration cannot be used.

    Examples
    --------
    >>> import numpy as np
    >>> from streamer import reconstruct
    >>> t_s = np.arange(0, 4, 1 / 500)
    >>> twelve = reconstruct(0.5 * np.sin(2 * np.pi * 8 * t_s), rate_hz=500.0)
    >>> twelve.names[1], twelve.leads_mv.shape, twelve.rate_hz
    ('II', (12, 1000), 250.0)
    >>> twelve.lead("V2").shape
    (1000,)
    """
    lead_mv = _lead_of(lead_i_mv)
    if not isinstance(rate_hz, int | float | np.integer | np.floating) or not math.isfinite(rate_hz):
        raise SignalError(f"a rate of {rate_hz!r} is no number of samples a second: give it in Hz", "rate_hz")
    _refuse_microvolts(lead_mv, float(rate_hz))
    network = model if isinstance(model, Network) else load_model(model)
    personal = network if calibration is None else PersonalNetwork(network, calibration)
    hop = long_hop(network.spec, len(lead_mv), float(rate_hz))
    info = StreamInfo("array", float(rate_hz))
    return whole_lead(info, personal, lead_mv, hop, each_band=each_band)


def long_hop(spec: ModelSpec, samples: int | None, rate_hz: float) -> int | None:
    """The hop, in samples of the model, that costs least if a lead is there as a whole.

    The leads are those of the model's own hop within 1e-4 mV.  None if the network runs with that only.

    Parameters
    ----------
    samples : int or None
        Of the lead, at its ``rate_hz``; None if unknown.
    """
    if samples is None or samples > IN_ONE_S * rate_hz:
        return spec.hop_of(HOP_S)
    return spec.hop_of(samples / rate_hz + (spec.look_ahead + spec.overlap + spec.grid) / spec.rate_hz)


def whole_lead(
    info: StreamInfo,
    network: Network | PersonalNetwork,
    lead_mv: Samples,
    hop: int | None = None,
    *,
    each_band: bool = False,
) -> Reconstruction:
    """Send a whole lead ``(n,)`` through a pipeline, and join its frames.

    Parameters
    ----------
    info, network, hop
        As `Pipeline` takes them.
    lead_mv : array (n,)
        mV, at least one sample; NaN where one is missing.
    each_band
        As `reconstruct` takes it.
    """
    pipeline = Pipeline(info, network, hop=hop)
    pipeline.show_parts(each_band)
    frames = pipeline.push(Chunk(0, lead_mv)) + pipeline.finish()
    n = frames[-1].stop
    leads_mv, scale_mv = _nothing(n)
    whole = Reconstruction(
        rate_hz=network.spec.rate_hz,
        leads_mv=leads_mv,
        measured_mv=np.full(n, np.nan, np.float32),
        scale_mv=scale_mv,
        valid=np.zeros(n, np.bool_),
        settling=np.zeros(n, np.bool_),
        bands=dict(network.spec.bands),
        parts=tuple(LeadPart(part.bands, *_nothing(n)) for part in _parts_in(frames)),
    )
    for frame in frames:  # by their index: in a long gap there are none
        here = slice(frame.start, frame.stop)
        whole.leads_mv[:, here], whole.scale_mv[:, here] = frame.leads_mv, frame.scale_mv
        whole.measured_mv[here], whole.valid[here] = frame.measured_mv, frame.valid
        whole.settling[here] = frame.settling
        for joined, part in zip(whole.parts, frame.parts, strict=False):  # missing frames have none
            joined.leads_mv[:, here], joined.scale_mv[:, here] = part.leads_mv, part.scale_mv
    return whole


def _parts_in(frames: Sequence[Frame]) -> tuple[LeadPart, ...]:
    """Those of the first frame that has any."""
    return next((frame.parts for frame in frames if frame.parts), ())


def _nothing(n: int) -> tuple[Samples, Samples]:
    """Leads and scales ``(12, n)`` of which nothing is there yet."""
    return (np.full((len(LEADS), n), np.nan, np.float32), np.full((len(LEADS), n), np.nan, np.float32))


def _lead_of(lead_i_mv: ArrayLike) -> Samples:
    """The input as float32 ``(n,)``."""
    try:
        given = lead_i_mv if isinstance(lead_i_mv, np.ndarray) else np.asarray(lead_i_mv)
    except ValueError as error:  # lists of different lengths
        raise SignalError("Lead I is no array: give its samples (n,) in mV", "lead_i_mv") from error
    if given.ndim != 1 or not given.size:
        raise SignalError(
            f"Lead I has the shape {given.shape}: give one lead, an array (n,) of at least one sample",
            "lead_i_mv",
        )
    if given.dtype.kind in "iu":
        raise SignalError(
            f"Lead I is made of whole numbers ({given.dtype}), such as steps of a converter: "
            "scale them to mV, as floats",
            "lead_i_mv",
        )
    if given.dtype.kind != "f":
        raise SignalError(f"Lead I is an array of {given.dtype}: give real numbers in mV", "lead_i_mv")
    if isinstance(given, np.ma.MaskedArray):
        given = given.filled(np.nan)
    return given.astype(np.float32)


def _refuse_microvolts(lead_mv: Samples, rate_hz: float) -> None:
    """Judge by how far it swings within a second: an electrode may well rest at 200 mV, but not jump."""
    step = max(1, min(round(rate_hz), len(lead_mv)))
    seconds = lead_mv[: len(lead_mv) // step * step].reshape(-1, step)
    seconds = seconds[np.isfinite(seconds).any(axis=1)]
    finite = np.isfinite(seconds)
    swings = np.where(finite, seconds, -np.inf).max(axis=1) - np.where(finite, seconds, np.inf).min(axis=1)
    if len(swings) and (swing := float(np.median(swings))) > MOST_SWING_MV:
        raise SignalError(
            f"Lead I swings by {swing:.4g} mV a second, as no electrode does; it looks like microvolts: "
            "divide it by 1000",
            "lead_i_mv",
        )


def _row(name: str) -> int:
    lead = canonical_lead(name)
    if lead is None:
        raise InputError(f"there is no lead {name!r}: choose one of {', '.join(LEADS)}")
    return LEADS.index(lead)
