# SPDX-License-Identifier: MIT
"""What an LSL stream says of itself, and what its numbers and stamps say of it; no network here.

Metadata follow the XDF project's pages where senders follow them at all.  Seen in the wild: a
``<name>`` where a ``<label>`` should be, a device's address as type, units in all spellings or
none, ``scaling_factor`` beside the unit, ``nominal_srate`` 0.  All text comes from the network:
it is shortened and made printable before it is shown.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from streamer.core.errors import Field, InputError
from streamer.core.leads import LEADS, canonical_lead
from streamer.core.printable import printable
from streamer.core.signal.rate import SOURCE_HZ
from streamer.core.stream import Placement, SourceKind
from streamer.core.units import is_not_stated, mv_per_unit

MOST_CHANNELS = 1024
"""A stream that claims more is no ECG amplifier, and is refused before memory is taken for them."""

MOST_XML = 1 << 20
"""Characters of a description."""

_POWERS = {"0": 1e3, "-3": 1.0, "-6": 1e-3, "-9": 1e-6}
"""Units of mne-lsl's players: powers of ten of a volt."""

_COUNTS = ("count", "counts", "adc", "raw", "lsb", "adu", "digital", "bit", "bits", "steps")

_UNITS = (("microvolts", 1e-3), ("millivolts", 1.0), ("volts", 1e3))
"""What numbers without a unit may be in."""

_STANDS_OUT = 12.0
"""A QRS has so many times the energy of the median stretch; of noise none has three times."""

_PLAUSIBLE_MV = (0.1, 15.0)
"""What an ECG spans within seconds.  A factor of 1000 lies between two units, so at most one fits."""


_NOT_LIVE = {kind.name.lower(): kind for kind in SourceKind if kind is not SourceKind.LIVE}


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel, as the stream's description has it; texts may be empty."""

    label: str
    kind: str
    unit: str
    scaling: str
    """``scaling_factor``: what to multiply with to get ``unit`` (as Brain Products' senders do)."""
    resolution: str
    """Of counts: a number and its unit, such as ``0.38 uV``."""

    @property
    def looks_like_ecg(self) -> bool:
        """Its label or type says so."""
        text = f"{self.label} {self.kind}".casefold()
        return "ecg" in text or "ekg" in text or canonical_lead(self.label) is not None


@dataclass(frozen=True, slots=True)
class About:
    """A stream's description."""

    name: str
    kind: str
    source_id: str
    uid: str
    """Another at every start of a sender."""
    host: str
    rate_hz: float
    """0 is irregular."""
    format: str
    channels: tuple[Channel, ...]
    device: str
    passed_on: SourceKind | None = None
    """What stands behind the stream, if its sender says that it is not live (as ours does)."""

    @classmethod
    def of(cls, xml: str) -> About:
        """Read liblsl's XML.

        Raises
        ------
        InputError
            It is none.
        """
        try:
            if len(xml) > MOST_XML:
                raise ValueError("too long")
            root = ElementTree.fromstring(xml)
            count = int(root.findtext("channel_count") or "")
            if not 0 <= count <= MOST_CHANNELS:
                raise ValueError(count)
            rate_hz = float(root.findtext("nominal_srate") or "")
        except (ElementTree.ParseError, ValueError, RecursionError):
            raise InputError(
                "an LSL stream describes itself in no readable way; restart its sender"
            ) from None
        nodes = root.findall("desc/channels/channel")[:count]
        channels = [
            Channel(
                label=_text(node, "label") or _text(node, "name") or f"channel {i}",
                kind=_text(node, "type"),
                unit=_text(node, "unit"),
                scaling=_text(node, "scaling_factor"),
                resolution=_text(node, "resolution"),
            )
            for i, node in enumerate(nodes, 1)
        ]
        channels += [Channel(f"channel {i}", "", "", "", "") for i in range(len(channels) + 1, count + 1)]
        where = ("desc/acquisition/manufacturer", "desc/acquisition/model", "desc/acquisition/serial_number")
        device = [_text(root, path) for path in where]
        if not any(device):
            device = [_text(root, "desc/manufacturer")]
        return cls(
            name=_text(root, "name"),
            kind=_text(root, "type"),
            source_id=_text(root, "source_id"),
            uid=_text(root, "uid"),
            host=_text(root, "hostname"),
            rate_hz=rate_hz if 0 < rate_hz < math.inf else 0.0,
            format=_text(root, "channel_format"),
            channels=tuple(channels),
            device=" ".join(part for part in device if part),
            passed_on=_NOT_LIVE.get(_text(root, "desc/acquisition/source_kind")),
        )

    @property
    def shape(self) -> tuple[object, ...]:
        """What must not change while a stream is received."""
        return self.rate_hz, self.channels

    @property
    def has_ecg(self) -> bool:
        """It says that there is one."""
        if self.format == "string":
            return False
        return "ecg" in self.kind.casefold() or any(channel.looks_like_ecg for channel in self.channels)

    def __str__(self) -> str:
        identity = f"source_id {show(self.source_id)}" if self.source_id else "no source_id"
        return f"LSL stream {show(self.name)} (type {show(self.kind)}, {identity}, host {show(self.host)})"


def _text(node: ElementTree.Element, path: str) -> str:
    return (node.findtext(path) or "").strip()


def show(text: str) -> str:
    """Text from the network, quoted and shortened for a message of one line."""
    return f"'{printable(text, 77)}'"


# ---- which channel, and what its numbers mean


@dataclass(frozen=True, slots=True)
class Choice:
    """The channel to measure, and how to make millivolts of it."""

    column: int
    label: str
    is_lead_i: bool
    mv: float
    """Millivolts to a step of the stream's numbers; NaN where they must be looked at first."""
    reference: tuple[tuple[int, int, float], ...]
    """Row in `LEADS`, column, millivolts to a step: the leads that the stream holds besides."""
    notes: tuple[str, ...]


def choose(about: About, lead: str | None, placement: Placement, unit_mv: float | None = None) -> Choice:
    """Find the channel to measure: the one asked for, else Lead I, else the only ECG.

    Parameters
    ----------
    about : About
        Of the stream.
    lead : str, optional
        A spelling of one of the twelve, else the channel's label in any case.
    placement : Placement
        A channel that only says "ECG" is Lead I where the electrodes are on the arms.
    unit_mv : float, optional
        Millivolts to a step, as the user says; whatever the stream states.

    Raises
    ------
    InputError
        No such channel, several that could be meant, one that is no voltage, a stream of strings,
        or a rate that the core does not take.
    """
    if about.format == "string":
        raise InputError(f"{about} carries strings, no signal; name another (mecg devices lists them)")
    if about.rate_hz:
        refuse_rate(about, about.rate_hz)
    column = _column(about, lead)
    channel = about.channels[column]
    mv, unit_note = _mv_per_step(about, channel, unit_mv)
    labels = [canonical_lead(c.label) for c in about.channels]
    meant = labels[column]
    known = meant == "I" or (meant is None and placement is Placement.ARMS)
    reference = []
    for row, name in enumerate(LEADS):
        if name in labels:
            other = column if name == meant else labels.index(name)
            try:
                step_mv, _ = _mv_per_step(about, about.channels[other], unit_mv)
            except InputError:
                continue  # a lead that is no voltage is nothing to compare with
            # Without a unit it is what the measured one is found to be.
            reference.append((row, other, step_mv))

    label = show(channel.label)[1:-1]
    which = f"channel {column + 1} of {len(about.channels)}, " if len(about.channels) > 1 else ""
    notes = [f"Receiving {which}{label}, of the {about}, {unit_note}."]
    if meant is None:
        notes.append(
            f"The label {label} says not which lead it is: "
            + (
                "taken as Lead I, since the electrodes are on the arms."
                if known
                else "it is not taken as Lead I, and every reconstructed lead is marked so; if the "
                "electrodes are on both arms, state that."
            )
        )
    elif meant != "I":
        notes.append(f"The input is {label}, not Lead I: every reconstructed lead is marked so.")
    if len(reference) > 1:
        notes.append(f"The stream holds {len(reference)} of the twelve leads, for comparison.")
    return Choice(
        column=column,
        label=channel.label,
        is_lead_i=known and placement is not Placement.CHEST,
        mv=mv,
        reference=tuple(reference) if len(reference) > 1 else (),
        notes=tuple(notes),
    )


def _column(about: About, lead: str | None) -> int:
    labels = [channel.label for channel in about.channels]
    meant = [canonical_lead(label) for label in labels]
    if lead is not None:
        wanted = canonical_lead(lead)
        for i, label in enumerate(labels):
            if (wanted is not None and meant[i] == wanted) or label.casefold() == lead.strip().casefold():
                return i
        raise InputError(
            f"{about} has no channel {show(lead)}, only {listed(labels)}", Field.LEAD, choices=_shown(labels)
        )
    if "I" in meant:
        return meant.index("I")
    likely = [i for i, channel in enumerate(about.channels) if channel.looks_like_ecg]
    if not likely and "ecg" in about.kind.casefold():
        likely = [i for i, channel in enumerate(about.channels) if not channel.kind]
    if len(likely) == 1 and meant[likely[0]] is None:
        return likely[0]
    if not likely:
        raise InputError(
            f"{about} has no ECG channel, only {listed(labels)}", Field.LEAD, choices=_shown(labels)
        )
    likely_labels = [labels[i] for i in likely]
    why = f"several ECG channels, {listed(likely_labels)}, none labelled I"
    if any(meant[i] is not None for i in likely):
        why = f"no Lead I, only {listed(likely_labels)}"
    raise InputError(f"{about} has {why}", Field.LEAD, choices=_shown(likely_labels))


def _shown(labels: list[str]) -> list[str]:
    """Labels come from the network: no control characters for a terminal."""
    return [show(label)[1:-1] for label in labels]


def refuse_rate(about: About, rate_hz: float) -> None:
    """Raise InputError where the core does not take a rate."""
    low, high = SOURCE_HZ
    if not low <= rate_hz <= high:
        raise InputError(
            f"{about} runs at {rate_hz:g} Hz, out of the {low:g} to {high:g} Hz range; "
            "set its sender to another"
        )


def _mv_per_step(about: About, channel: Channel, unit_mv: float | None = None) -> tuple[float, str]:
    """Millivolts to a step, NaN where no unit is stated; and what was taken, in words."""
    label, unit = show(channel.label), channel.unit.strip().casefold()
    if unit_mv is not None:
        return unit_mv, f"in steps of {unit_mv:g} mV, as you say"
    stated = _number(channel.scaling) if channel.scaling else 1.0
    step_mv = _POWERS.get(unit) or mv_per_unit(channel.unit)
    if step_mv is not None:
        if stated is None:
            raise InputError(
                f"{label} of the {about} states the scaling factor {show(channel.scaling)}, "
                "which is no number",
                Field.UNIT,
            )
        scaled = f", scaled by {stated:g}" if stated != 1 else ""
        power = f"10^{unit} V" if unit in _POWERS else channel.unit
        return stated * step_mv, f"in {power}{scaled}"
    if unit in _COUNTS:
        step_mv = mv_per_unit(channel.resolution)
        if step_mv is None:
            raise InputError(
                f"{label} of the {about} is in {channel.unit} and states no resolution such as '0.38 uV'",
                Field.UNIT,
            )
        return step_mv, f"in {channel.unit} of {show(channel.resolution)[1:-1]}"
    if not is_not_stated(unit):
        raise InputError(
            f"{label} of the {about} is in {show(channel.unit)}, no voltage",
            Field.LEAD,
            choices=_shown([other.label for other in about.channels if other is not channel]),
        )
    if about.format.startswith("int"):
        raise InputError(f"{label} of the {about} holds whole numbers and states no unit", Field.UNIT)
    return math.nan, "which states no unit"


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and value != 0 else None


def listed(labels: list[str]) -> str:
    """Labels from the network, for a message of one line."""
    shown = ", ".join(show(label)[1:-1] for label in labels[:24])
    return shown + (" ..." if len(labels) > 24 else "")


def shows_beats(values: NDArray[np.float64], rate_hz: float) -> bool:
    """Whether steep, short stretches stand out at least twice, as QRS do and noise of any size does not."""
    finite = values[np.isfinite(values)]
    width = max(round(0.1 * rate_hz), 2)
    if len(finite) < 4 * width:
        return False
    energy = np.convolve(np.diff(finite) ** 2, np.ones(width) / width, "valid")
    peaks = np.flatnonzero(energy > _STANDS_OUT * (np.median(energy) + 1e-12 * energy.max()))
    return bool(len(peaks) and np.count_nonzero(np.diff(peaks) > 0.2 * rate_hz) >= 1)


def mv_by_size(values: NDArray[np.float64], what: str) -> tuple[float, str]:
    """The unit that numbers must be in if they are an ECG, by how far they span.

    Returns
    -------
    float, str
        Millivolts to a step; a sentence that says what was decided and why.

    Raises
    ------
    InputError
        They span what an ECG does in none of microvolts, millivolts and volts.
    """
    finite = values[np.isfinite(values)]
    span = float(np.ptp(finite)) if len(finite) else 0.0
    for name, step_mv in _UNITS:
        if _PLAUSIBLE_MV[0] <= span * step_mv <= _PLAUSIBLE_MV[1]:
            return step_mv, (
                f"No unit is stated: taken as {name}, since the numbers span {span:.3g}. "
                "If amplitudes look wrong, have the sender state its unit."
            )
    raise InputError(
        f"{what} states no unit, and its numbers span {span:.3g}, which is an ECG in no unit; attach the "
        "electrodes, or state the unit",
        Field.UNIT,
    )
