# SPDX-License-Identifier: MIT
"""Finds LSL streams: what a query means, who answers, and how to name one so that it is found again."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Sequence
from typing import Any

from devices.lsl.description import About, choose, refuse_rate, show
from devices.lsl.library import load_pylsl
from streamer.core.errors import InputError
from streamer.core.stream import Placement
from streamer.session.source import ScanResult

RESOLVE_S = 5.0
"""How long `find` looks for a stream, ..."""

SECOND_S = 1.0
"""... and how much longer for a second one that could be meant: not all answer the first question."""

_POLL_S = 0.05
"""How often the answers are looked at."""

_FORGET_S = 2.0
"""Who has not answered for so long is gone; liblsl asks twice a second."""


def predicate_of(query: str) -> str:
    """The XPath predicate that a query means; empty for an empty one.

    ``NAME``, ``name=NAME``, ``type=TYPE``, ``source_id=ID``, or a predicate such as
    ``name='NAME' and starts-with(hostname,'lab')``.
    """
    query = query.strip()
    match = re.fullmatch(r"(name|type|source_id)\s*=\s*(?!concat\()([^'\"\s].*)", query)
    if match:
        return f"{match[1]}={_literal(match[2])}"
    if re.search(r"[='\"<>]", query):
        return query
    return f"name={_literal(query)}" if query else ""


def _literal(text: str) -> str:
    """A string in XPath 1.0, which knows no escapes."""
    if "'" not in text:
        return f"'{text}'"
    if '"' not in text:
        return f'"{text}"'
    parts = ', "\'", '.join(f"'{part}'" for part in text.split("'"))
    return f"concat({parts})"


def source_of(about: About, others: list[About]) -> str:
    """The SOURCE that opens this stream and none of the others, and still does after a restart."""

    def alone(key: Callable[[About], str]) -> bool:
        return bool(key(about)) and sum(key(other) == key(about) for other in others) == 1

    if alone(lambda a: a.name):
        bare = about.name == about.name.strip() and not re.search(r"[='\"<>]", about.name)
        return f"lsl:{about.name if bare else f'name={_literal(about.name)}'}"
    if alone(lambda a: a.source_id):
        return f"lsl:source_id={_literal(about.source_id)}"
    return f"lsl:uid={_literal(about.uid)}"


def search_for(lsl: Any, predicate: str) -> Any:
    """Asks on and on, beside us; ``results()`` are the streams that answer.

    Raises
    ------
    InputError
        It is no predicate.
    """
    try:
        return lsl.ContinuousResolver(pred=predicate or None, forget_after=_FORGET_S)
    except RuntimeError:
        raise InputError(
            f"{show(predicate)} is no XPath predicate; write lsl:name=NAME, or a predicate such as "
            "lsl:name='NAME' and type='ECG'"
        ) from None


def find(lsl: Any, query: str) -> tuple[Any, About]:
    """The one stream that a query means, as liblsl found it, and its description.

    Raises
    ------
    InputError
        There is none, or there are several.
    """
    predicate = predicate_of(query)
    search = search_for(lsl, predicate)
    until_s = time.monotonic() + RESOLVE_S
    while not search.results() and time.monotonic() < until_s:
        time.sleep(_POLL_S)
    if search.results():
        time.sleep(SECOND_S)
    described = ((one, description_of(lsl, one, 2.0)) for one in search.results())
    known = [(one, about) for one, about in described if about is not None]
    if not predicate:
        known = [(one, about) for one, about in known if about.has_ecg]
    if not known:
        raise InputError(
            f"there is no {wanted(query)}; start its sender, or see what there is with: mecg devices"
        )
    if len(known) > 1:
        abouts = [about for _, about in known]
        ways = " or ".join(show(source_of(about, abouts))[1:-1] for about in abouts[:8])
        raise InputError(f"{len(known)} LSL streams could be meant; name one: {ways}")
    return known[0]


def wanted(query: str) -> str:
    """What a query looks for, in words."""
    return f"LSL stream {show(query)}" if query else "LSL stream with an ECG"


class Lost:
    """A sender that was lost, to be known among those who answer."""

    def __init__(self, was: About) -> None:
        self._was = was
        self._alone_since_s = math.inf

    def among(self, found: Sequence[Any]) -> list[Any]:
        """Who can be it: one once that is sure, several if it is not known which.

        The same source_id is enough; the name alone may be another's, who is first to answer.
        """
        named = [one for one in found if one.name() == self._was.name]
        same = [one for one in named if self._was.source_id and one.source_id() == self._was.source_id]
        could_be = same or named
        if len(could_be) != 1:
            self._alone_since_s = math.inf
            return could_be
        self._alone_since_s = min(self._alone_since_s, time.monotonic())
        sure = bool(same) or time.monotonic() >= self._alone_since_s + SECOND_S
        return could_be if sure else []


def description_of(lsl: Any, found: Any, wait_s: float) -> About | None:
    """The full description; None if the sender does not answer (any more)."""
    try:
        inlet = lsl.StreamInlet(found, recover=False)
        return About.of(inlet.info(wait_s).as_xml())
    except RuntimeError:  # TimeoutError and LostError of pylsl, and what its constructor raises
        return None


def scan_lsl(seconds: float) -> list[ScanResult]:
    """All streams that answer within some seconds.

    Raises
    ------
    InputError
        There is no liblsl on this platform.
    """
    lsl = load_pylsl()
    found = lsl.resolve_streams(seconds)
    abouts = [about for about in (description_of(lsl, one, 1.0) for one in found) if about is not None]
    return [_described(about, abouts) for about in abouts]


def _described(about: About, others: list[About]) -> ScanResult:
    """A stream for a list, and why it cannot be read as it is."""
    usable, why_not = about.format != "string", ""
    try:
        choose(about, None, Placement.UNSTATED)
    except InputError as error:
        why_not = _about_it(error, about)  # another channel may do, or a stated unit
    try:
        if about.rate_hz:
            refuse_rate(about, about.rate_hz)
    except InputError as error:
        usable, why_not = False, _about_it(error, about)
    return ScanResult(
        source=source_of(about, others) if usable else "",
        kind="lsl",
        name=about.name,
        address=about.source_id,
        rate_hz=about.rate_hz or None,
        ecg=about.has_ecg,
        why_not=why_not,
    )


def _about_it(error: InputError, about: About) -> str:
    """The line without the stream's name, which stands beside it."""
    return error.line.replace(f"{about} ", "it ", 1).removeprefix("it ")
