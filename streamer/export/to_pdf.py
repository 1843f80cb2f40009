# SPDX-License-Identifier: MIT
"""A part of a session as PDF pages of 10 s each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np

from streamer.core.errors import Field, InputError
from streamer.core.events import SEAM, Marker
from streamer.core.leads import LEADS
from streamer.export.excerpt import Excerpt, MarkType
from streamer.export.page import Page, heart_rate_words, rate_of, write_pdf
from streamer.export.page_layout import PAGE_S
from streamer.session.event_wire import wire_kind
from streamer.session.source_words import page_words

MARKER = wire_kind(Marker())


def write_pages(excerpt: Excerpt, folder: Path, name: str) -> list[Path]:
    """A PDF of mm-true pages with 10 s each.

    Raises
    ------
    InputError
        Some of the twelve leads are not in the excerpt.
    """
    if sum(trace.processed for trace in excerpt.traces) < len(LEADS):
        raise InputError("a page shows all twelve leads", Field.LEADS, leave_out=True)
    path = folder / f"{name}.pdf"
    with path.open("xb") as file:
        write_pdf(pages_of(excerpt), file)
    return [path]


def pages_of(excerpt: Excerpt) -> Iterator[Page]:
    """Pages of 10 s each."""
    about, stream = excerpt.description, excerpt.description.stream
    n = round(PAGE_S * excerpt.rate_hz)
    count = -(-excerpt.samples // n)
    faint = excerpt.faint
    measured = excerpt.mv[len(LEADS)] if len(excerpt.traces) > len(LEADS) else None
    for number, start in enumerate(range(0, excerpt.samples, n)):
        begin_s = start / excerpt.rate_hz
        began = excerpt.began + timedelta(seconds=begin_s)
        since_s = excerpt.first / excerpt.rate_hz + begin_s
        wrong = [
            mark.text
            for mark in excerpt.marks
            if mark.type is MarkType.JUDGEMENT
            and mark.start < start + n
            and mark.stop > max(start, mark.start)
        ]
        here = [mark for mark in excerpt.marks if start <= mark.start < start + n]
        beats = [mark.start for mark in here if mark.type is MarkType.BEAT]
        yield Page(
            kind=page_words(stream),
            heart_rate=heart_rate_words(rate_of(_intervals_s(excerpt, beats))),
            markers=tuple(
                ((mark.start - start) / excerpt.rate_hz, mark.text.removeprefix("marker: "))
                for mark in here
                if mark.kind == MARKER
            ),
            leads_mv=excerpt.mv[: len(LEADS), start : start + n],
            band_mv=None if excerpt.half_width_mv is None else excerpt.half_width_mv[:, start : start + n],
            faint=faint[start : start + n],
            rate_hz=excerpt.rate_hz,
            measured_mv=None if measured is None else measured[start : start + n],
            source=stream.source,
            lead=stream.shown_lead,
            is_lead_i=stream.is_lead_i,
            quality="; ".join(dict.fromkeys(wrong)),
            started=f"{began:%Y-%m-%d %H:%M:%S} UTC, {since_s:.1f} s · page {number + 1} of {count}",
            filters=about.filters,
            model=about.model_in_words,
            latency=f"{about.latency.total_ms:.0f} ms algorithmic, removed",
            caution=about.caution,
        )


def _intervals_s(excerpt: Excerpt, beats: Sequence[int]) -> list[float]:
    """Those between beats in which no sample is missing and no replay begins again."""
    seams = [mark.start for mark in excerpt.marks if mark.text.endswith(SEAM)]
    return [
        (last - first) / excerpt.rate_hz
        for first, last in pairwise(beats)
        if np.isfinite(excerpt.mv[:, first:last]).any(axis=0).all()
        and not any(first <= seam <= last for seam in seams)
    ]
