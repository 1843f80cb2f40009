# SPDX-License-Identifier: MIT
"""From a SOURCE, as a person writes it, to the source that plays it."""

from __future__ import annotations

import re
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Protocol, cast

from devices.bluetooth.movesense import movesense
from devices.bluetooth.polar import polar
from devices.lsl.inlet import LslStream
from devices.replay.pacing import AS_RECORDED, Replay
from devices.replay.session import SessionReplay
from devices.replay.synthetic import Synthetic
from devices.replay.wfdb import WfdbReplay
from streamer.core.errors import InputError
from streamer.core.stream import Placement
from streamer.session.source import Source


class Factory(Protocol):
    """Makes a source from what follows its scheme; opens nothing yet."""

    def __call__(
        self, rest: str, /, *, lead: str | None, invert: bool, placement: Placement, replay: Replay
    ) -> Source:
        """`rest` may be empty; `lead` None is the source's own choice, Lead I where it can."""
        ...


FACTORIES: dict[str, Factory] = {
    "wfdb": WfdbReplay,
    "synthetic": Synthetic,
    "lsl": LslStream,
    "session": SessionReplay,
    "polar": polar,
    "movesense": movesense,
}
"""What each scheme opens.  A new source is one file in this folder and one line here."""

GROUP = "mecg.sources"
"""Entry points by which installed packages add theirs: the name is the scheme, the object a `Factory`."""

SCHEMES = ("wfdb", "synthetic", "lsl", "polar", "movesense", "session")
"""Every scheme that a SOURCE may begin with, built or planned."""


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
    if colon and scheme.lower() in (*SCHEMES, *FACTORIES, *_added()):
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

    Raises
    ------
    InputError
        An unknown scheme, one that this version lacks, or parameters that the source refuses.
    """
    scheme, rest = parse_source(text)
    return _factory(scheme)(rest, lead=lead, invert=invert, placement=placement, replay=replay)


def _factory(scheme: str) -> Factory:
    offers = _added().get(scheme, ())
    if len(offers) + (scheme in SCHEMES) > 1:
        packages = " and ".join(_package(offer) for offer in offers)
        raise InputError(f"{scheme}: is claimed more than once, by {packages}; uninstall what is wrong")
    if offers:
        try:
            return cast(Factory, offers[0].load())
        except Exception as error:
            raise InputError(
                f"{scheme}: is of the package {_package(offers[0])}, which cannot be loaded "
                f"({type(error).__name__}: {error}); update or uninstall it"
            ) from error
    factory = FACTORIES.get(scheme)
    if factory is None:
        raise InputError(
            f"{scheme}: is not in this version yet; use {' or '.join(f'{s}:' for s in FACTORIES)}"
        )
    return factory


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
