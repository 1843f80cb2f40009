# SPDX-License-Identifier: GPL-3.0-or-later
"""The last 10 s as a 12-lead page, PDF and PNG, written beside the window; no Qt."""

from __future__ import annotations

import math
import os
import signal
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime
from itertools import count
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import platformdirs

from gui.signal.history import History
from streamer.core.events import RECALIBRATE
from streamer.core.leads import canonical_lead
from streamer.core.stream import Samples
from streamer.export.page import Page, heart_rate_words, render_pdf, render_png
from streamer.export.page_layout import PAGE_S
from streamer.recording.redact import without_folders
from streamer.session.description import SessionDescription
from streamer.session.source_words import kind_words

Write = Callable[[Path, Page, str], tuple[Path, ...]]


def pages_folder() -> Path:
    """Where pages go: a folder of the user's documents."""
    return platformdirs.user_documents_path() / "mecg"


def page_of(
    history: History,
    edge_s: float,
    about: SessionDescription,
    at: datetime,
    *,
    alternatives: bool = False,
    consecutive: bool = True,
    speed: float | None = None,
) -> Page | None:
    """What lies before an instant of the stream; None if there is nothing yet.

    Parameters
    ----------
    history : History
        What the screen remembers.
    edge_s : float
        The page's end, seconds after sample 0 of the source.
    about : SessionDescription
        Of the session.
    at : datetime
        When it is asked for.
    alternatives : bool
        With plausible alternatives, where the model knows of any.
    consecutive : bool
        Time runs on from column to column; else all columns show the newest seconds.
    speed : float, optional
        At which it is played.
    """
    traces, stream = history.traces, about.stream
    if traces is None:
        return None
    stop = min(round(edge_s * traces.rate_hz), traces.stop)
    seen = traces.view(max(stop - round(PAGE_S * traces.rate_hz), traces.start), stop)
    if not np.isfinite(seen.leads_mv).any():
        return None
    start_s, stop_s = seen.start / traces.rate_hz, stop / traces.rate_hz
    rates = [beat.bpm for beat in history.beats if start_s <= beat.at_s < stop_s]
    made = "" if stream.live else f" · page made {at:%Y-%m-%d %H:%M:%S %Z}"
    drifted = any(begin_s < stop_s and end_s > start_s for begin_s, end_s in history.drifted)
    return Page(
        consecutive=consecutive,
        leads_mv=seen.leads_mv,
        rate_hz=traces.rate_hz,
        measured_mv=seen.measured_mv,
        band_mv=_band(seen.half_width_mv),
        faint=history.faint(seen),
        alternatives_mv=history.alternatives(seen) if alternatives else None,
        source=" ".join(part for part in (without_folders(stream.source), stream.device) if part),
        lead=canonical_lead(stream.shown_lead) or stream.shown_lead,
        is_lead_i=stream.is_lead_i,
        quality=RECALIBRATE if drifted else "",
        kind=kind_words(stream, speed),
        heart_rate=heart_rate_words(rates[-1] if rates else math.nan),
        markers=tuple((m.at_s - start_s, m.text) for m in history.markers if start_s <= m.at_s < stop_s),
        started=f"{history.time.span(start_s, stop_s)}{made}",
        filters=about.filters,
        model=about.model_in_words,
        latency=f"{about.latency.total_ms:.0f} ms algorithmic",
        caution=about.caution,
    )


def _band(half_width_mv: Samples) -> Samples | None:
    return half_width_mv if np.isfinite(half_width_mv).any() else None


def write_page(folder: Path, page: Page, stem: str) -> tuple[Path, ...]:
    """Write both files, for the user alone, beside whatever is there; returns where.

    Raises
    ------
    OSError
        The folder cannot be written; nothing is left behind.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = {".pdf": render_pdf(page), ".png": render_png(page)}
    for number in count(1):
        name = stem if number == 1 else f"{stem}-{number}"
        try:
            return _write_both({folder / f"{name}{end}": data for end, data in made.items()})
        except FileExistsError:
            continue
    raise AssertionError("numbers do not end")


def _write_both(files: Mapping[Path, bytes]) -> tuple[Path, ...]:
    begun: list[Path] = []
    try:
        for path, data in files.items():
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                begun.append(path)
                file.write(data)
    except OSError:
        for path in begun:
            path.unlink(missing_ok=True)
        raise
    return tuple(begun)


def in_another_process(folder: Path, page: Page, stem: str) -> tuple[Path, ...]:
    """`write_page` where its two seconds of drawing take no time from the window."""
    with ProcessPoolExecutor(
        1, get_context("spawn"), initializer=signal.signal, initargs=(signal.SIGINT, signal.SIG_IGN)
    ) as beside:
        return beside.submit(write_page, folder, page, stem).result()


def write_beside(
    page: Page,
    at: datetime,
    folder: Path,
    written: Callable[[tuple[Path, ...]], None],
    failed: Callable[[str], None],
    write: Write = in_another_process,
) -> threading.Thread:
    """Write a page and return at once; ``written`` or ``failed`` is called by another thread."""

    def work() -> None:
        try:
            paths = write(folder, page, f"ecg-{at:%Y%m%d-%H%M%S}")
        except Exception as error:  # noqa: BLE001 - whatever breaks in there, the user hears of it
            failed(f"the page was not written: {error or type(error).__name__}")
        else:
            written(paths)

    thread = threading.Thread(target=work, name="page", daemon=True)
    thread.start()
    return thread
