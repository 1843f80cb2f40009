# SPDX-License-Identifier: MIT
"""From a SOURCE, as the user writes it, to the source that plays it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from inspect import signature
from pathlib import Path
from typing import Any, Protocol, cast

from devices.bluetooth.movesense import movesense
from devices.bluetooth.polar import polar
from devices.bluetooth.scan import scan_ble
from devices.brainflow.board import BrainflowBoard
from devices.lsl.inlet import LslStream
from devices.lsl.search import scan_lsl
from devices.replay.file import FileReplay
from devices.replay.pacing import AS_RECORDED, Replay
from devices.replay.session import SessionReplay
from devices.replay.synthetic import Synthetic
from devices.serial.port import SerialPort
from devices.serial.scan import scan_ports
from streamer.core.errors import Field, InputError
from streamer.core.stream import Placement
from streamer.session.source import ScanResult, Source


class Factory(Protocol):
    """Makes a source from what follows its scheme; opens nothing yet.

    One whose numbers may have any unit also takes ``unit_mv``, how many mV a step is, or None; one that may
    not know its sampling rate takes ``rate_hz``.
    """

    def __call__(
        self, rest: str, /, *, lead: str | None, invert: bool, placement: Placement, replay: Replay
    ) -> Source:
        """`rest` may be empty; `lead` None is the source's own choice, Lead I where it can."""
        ...


@dataclass(frozen=True, slots=True)
class Scheme:
    """A kind of source: what opens it, and what must be known before it is open."""

    factory: Factory
    live: bool = False
    """No sample can be asked for again: it takes no start and no speed."""
    radio: bool = False
    """Its clock cannot be compared with ours: the least delay on the way stays unseen."""


SCHEMES: dict[str, Scheme] = {
    "wfdb": Scheme(FileReplay),
    "synthetic": Scheme(Synthetic),
    "lsl": Scheme(LslStream, live=True),
    "polar": Scheme(polar, live=True, radio=True),
    "movesense": Scheme(movesense, live=True, radio=True),
    "session": Scheme(SessionReplay),
    "file": Scheme(FileReplay),
    "brainflow": Scheme(BrainflowBoard, live=True),
    "serial": Scheme(SerialPort, live=True),
}
"""What a SOURCE may begin with.  A new source is one file in this package and one line here; code that must
know a scheme asks this module."""

SCANS: dict[str, Callable[[float], list[ScanResult]]] = {
    "ble": scan_ble,
    "lsl": scan_lsl,
    "port": scan_ports,
}
"""What can be looked for, by `ScanResult.kind`: takes seconds, raises `InputError` if it cannot be done."""

GROUP = "mecg.sources"
"""Entry points by which installed packages add theirs: the name is the scheme, the object a `Factory`, which
may have attributes ``live`` and ``radio`` as `Scheme` has them."""


def is_a_source(text: str) -> bool:
    """Whether a text begins with a known scheme."""
    return text.partition(":")[0].lower() in _schemes()


def is_live(text: str) -> bool:
    """Whether a sample of a SOURCE cannot be asked for again; raises `InputError`."""
    return _scheme(parse_source(text)[0]).live


def is_radio(text: str) -> bool:
    """Whether a source, by its own name, comes by a radio whose clock cannot be compared with ours."""
    return is_a_source(text) and _scheme(text.partition(":")[0].lower()).radio


def is_session(text: str) -> bool:
    """Whether a SOURCE is a recorded session; raises `InputError`."""
    return parse_source(text)[0] == "session"


def session_source(path: str) -> str:
    """The SOURCE that plays a session's file; one that is a SOURCE already stays as it is."""
    return path if path.startswith("session:") else f"session:{path}"


def wfdb_source(path: Path) -> str:
    """The SOURCE that plays a WFDB record."""
    return f"wfdb:{path}"


def record_of(text: str) -> Path | None:
    """The record or other file that a SOURCE names; None if it is of another kind.  Raises `InputError`."""
    scheme, rest = parse_source(text)
    return Path(rest) if scheme in ("wfdb", "file") else None


def recording_of(text: str) -> Path | None:
    """As `record_of`, recorded sessions among them."""
    scheme, rest = parse_source(text)
    return Path(rest) if scheme in ("wfdb", "file", "session") else None


def parse_source(text: str) -> tuple[str, str]:
    """Split a SOURCE into its scheme and the rest.

    Parameters
    ----------
    text : str
        ``scheme:rest``, split once, at the colon of a known scheme; anything else is the path of
        a WFDB record, so that ``C:\\x``, colons and spaces in names survive.

    Returns
    -------
    tuple of two str
        Such as ``("wfdb", "recordings/ptb/s0010_re")``.

    Raises
    ------
    InputError
        Empty, or of an unknown scheme (where no record has that name).
    """
    if not text.strip():
        raise InputError("the source is empty; name a WFDB record, or one of " + _listed())
    scheme, colon, rest = text.partition(":")
    if colon and scheme.lower() in _schemes():
        return scheme.lower(), rest
    # One letter before the colon is a drive.
    looks_like_one = re.match(r"[A-Za-z][A-Za-z0-9+.-]+:", text)
    if looks_like_one and not any(_is_file(text + end) for end in ("", ".hea")):
        raise InputError(
            f"{scheme!r} is no kind of source (nor is there such a record); use one of {_listed()}"
        )
    return "wfdb", text


def open_source(
    text: str,
    *,
    lead: str | None = None,
    invert: bool = False,
    placement: Placement = Placement.UNSTATED,
    replay: Replay = AS_RECORDED,
    unit_mv: float | None = None,
    rate_hz: float | None = None,
    keep_identity: bool = False,
) -> Source:
    """Make the source that a SOURCE names; nothing is opened until its `open` is called.

    Parameters
    ----------
    text : str
        As `parse_source` takes it.
    lead : str, optional
        Which lead to measure; Lead I if not given.
    invert : bool
        Turn its polarity.
    placement : Placement
        Where the electrodes sit, as far as the user has said.
    replay : Replay
        How to play what is already there; a live source refuses any but `AS_RECORDED`.
    unit_mv : float, optional
        How many mV a step of the numbers is, for a source that need not know.
    rate_hz : float, optional
        The sampling rate, likewise.
    keep_identity : bool
        Let what a file says of whose it is travel along; other sources know nothing of that.

    Raises
    ------
    InputError
        An unknown scheme, or parameters that the source refuses.
    """
    scheme, rest = parse_source(text)
    factory = _scheme(scheme).factory
    stated: dict[str, Any] = {}
    for name, value, field in (("unit_mv", unit_mv, Field.UNIT), ("rate_hz", rate_hz, Field.RATE)):
        if value is None:
            continue
        if name not in signature(factory).parameters:
            raise InputError(f"{scheme}: states its {field.value} itself", field, leave_out=True)
        stated[name] = value
    if keep_identity and "keep_identity" in signature(factory).parameters:
        stated["keep_identity"] = True
    return factory(rest, lead=lead, invert=invert, placement=placement, replay=replay, **stated)


def _schemes() -> set[str]:
    return {*SCHEMES, *_added()}


def _scheme(name: str) -> Scheme:
    offers = _added().get(name, ())
    if len(offers) + (name in SCHEMES) > 1:
        packages = " and ".join(_package(offer) for offer in offers)
        raise InputError(f"{name}: is claimed more than once, by {packages}; uninstall what is wrong")
    if not offers:
        return SCHEMES[name]
    try:
        factory = cast(Factory, offers[0].load())
    except Exception as error:
        raise InputError(
            f"{name}: is of the package {_package(offers[0])}, which cannot be loaded "
            f"({type(error).__name__}: {error}); update or uninstall it"
        ) from error
    return Scheme(factory, *(bool(getattr(factory, fact, False)) for fact in ("live", "radio")))


@cache
def _added() -> dict[str, tuple[EntryPoint, ...]]:
    """What installed packages offer, by scheme."""
    added: dict[str, tuple[EntryPoint, ...]] = {}
    for offer in entry_points(group=GROUP):
        added[offer.name.lower()] = (*added.get(offer.name.lower(), ()), offer)
    return added


def _package(offer: EntryPoint) -> str:
    return offer.dist.name if offer.dist is not None else offer.value


def _listed() -> str:
    return ", ".join(f"{scheme}:" for scheme in dict.fromkeys((*SCHEMES, *_added())))


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except OSError:  # a name too long
        return False
