# SPDX-License-Identifier: MIT
"""Finds LSL streams: what a query means, who answers, and how to name one so that it is found again."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from devices.lsl.description import About, choose, refuse_rate, show
from devices.lsl.library import load_pylsl
from streamer.core.errors import InputError
from streamer.core.stream import Placement
from streamer.session.source import ScanResult

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
