# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import stat
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from gui.dialogs.page_writer import in_another_process, page_of, write_beside, write_page
from gui.signal.history import History
from streamer.core.events import RECALIBRATE, Beat, Drift, Marker, Quality, QualityChanged
from streamer.core.leads import LEADS
from streamer.core.network.alternatives import SHOWN, Plausible
from streamer.core.stream import Frame, StreamInfo
from streamer.export.page import Page
from streamer.session.description import ST_NOT_TO_BE_READ, SessionDescription
from tests.gui.panels.test_latency import BUDGET

MakeFrame = Callable[..., Frame]
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def about(**stream: object) -> SessionDescription:
    info = StreamInfo(f"wfdb:{Path.home()}/patient", 500.0, **stream)  # type: ignore[arg-type]
    return SessionDescription(info, "net", "7", 250.0, BUDGET, "0.5-40 Hz")


@pytest.fixture
def history(frame: MakeFrame) -> History:
    history = History(about())
    for start in range(0, 5000, 50):
        history.frame(frame(start, 50))
    return history


def test_a_page_holds_the_last_ten_seconds_up_to_the_edge(history: History) -> None:
    page = page_of(history, 15.0, about(), AT)
    assert page is not None and page.leads_mv.shape == (12, 2500) and page.rate_hz == 250
    wave = np.sin(np.arange(1250, 3750) / 20)
    for k in range(len(LEADS)):
        assert np.allclose(page.leads_mv[k], (k + 1) * wave / 10, atol=1e-6)
    assert page.measured_mv is not None and np.allclose(page.measured_mv, wave / 10, atol=1e-6)


def test_a_page_says_what_it_shows(history: History) -> None:
    page = page_of(history, 20.0, about(device="Make Type 3"), AT)
    assert page is not None
    assert page.source == "wfdb:~/patient Make Type 3"
    assert page.started == "10.0 to 20.0 s of the recording · page made 2026-01-02 03:04:05 UTC"
    assert page.kind == "REPLAY"
    assert (page.filters, page.model, page.latency) == ("0.5-40 Hz", "net 7, generic", "72 ms algorithmic")
    assert page.is_lead_i and page.lead == "I" and page.band_mv is None


@pytest.mark.parametrize("edge_s", [12.0, 20.0])
def test_a_page_carries_the_time_of_what_it_shows(frame: MakeFrame, edge_s: float) -> None:
    live, began_s = about(live=True), time.monotonic() - 20.0
    history = History(live)
    for start in range(0, 5000, 50):
        history.frame(replace(frame(start, 50), device_s=began_s + start / 250))
    page = page_of(history, edge_s, live, AT)
    then = datetime.now().astimezone() - timedelta(seconds=20.0 - edge_s)
    assert page is not None and page.kind == "live"
    ends = [f"to {then + timedelta(seconds=s):%H:%M:%S}" for s in (-1, 0, 1)]
    assert any(end in page.started for end in ends), page.started
    assert f"{edge_s:.1f} s of the stream" in page.started


def test_a_page_of_a_replay_says_when_that_was_and_how_fast_it_is_played(frame: MakeFrame) -> None:
    played = about(start_s=100.0, began="2026-03-14T09:15:12+01:00")
    history = History(played)
    for start in range(0, 5000, 50):
        history.frame(frame(start, 50))
    page = page_of(history, 20.0, played, AT, speed=2.0)
    assert page is not None and page.kind == "REPLAY 2x"
    assert page.started.startswith("2026-03-14 09:17:02 to 09:17:12 UTC+01:00 · 110.0 to 120.0 s of the rec")


def test_a_page_has_the_heart_rate_and_the_markers_of_what_it_shows(history: History) -> None:
    for at_s, bpm in ((5.0, 50.0), (12.0, 70.0), (13.0, 72.4), (19.0, 90.0)):
        history.event(Beat(bpm, at_s=at_s))
        history.event(Marker(f"at {at_s:g}", at_s=at_s))
    page = page_of(history, 18.0, about(), AT)
    assert page is not None and page.heart_rate == "72 bpm"
    assert page.markers == ((4.0, "at 12"), (5.0, "at 13"))
    quiet = page_of(history, 4.0, about(), AT)
    assert quiet is not None and quiet.heart_rate == "heart rate unknown" and not quiet.markers


def test_a_page_of_a_calibrated_session_says_what_is_not_to_be_read(history: History) -> None:
    calibrated = replace(about(), calibration="anna, 2026-11-23")
    page = page_of(history, 20.0, calibrated, AT)
    assert page is not None and page.caution == ST_NOT_TO_BE_READ


def test_a_page_of_another_lead_says_so(history: History) -> None:
    page = page_of(history, 20.0, about(lead="MLII", is_lead_i=False), AT)
    assert page is not None and page.lead == "MLII" and not page.is_lead_i


def test_a_page_is_grey_where_the_screen_is(frame: MakeFrame) -> None:
    history = History(about())
    for start in range(0, 5000, 50):
        history.frame(replace(frame(start, 50), settling=np.arange(start, start + 50) < 2000))
    history.event(QualityChanged(frozenset({Quality.OUT_OF_RANGE}), "out of range", at_s=9.0))
    history.event(QualityChanged(frozenset({Quality.NOISY}), "noisy", at_s=11.0))
    history.event(QualityChanged(frozenset({Quality.NO_CONTACT}), "no contact", at_s=14.0))
    page = page_of(history, 16.0, about(), AT)
    assert page is not None and page.faint is not None
    second = 6.0 + np.arange(2500) / 250
    assert np.array_equal(page.faint, (second < 8) | ((second >= 9) & (second < 11)) | (second >= 14))


@pytest.mark.parametrize(("edge_s", "told"), [(8.9, ""), (9.1, RECALIBRATE), (20.0, RECALIBRATE), (24.0, "")])
def test_a_page_says_recalibrate_where_the_calibration_did_not_fit(
    history: History, frame: MakeFrame, edge_s: float, told: str
) -> None:
    history.event(Drift(3.5, at_s=9.0))
    history.event(Drift(0.0, at_s=13.5))
    for start in range(5000, 6000, 50):
        history.frame(frame(start, 50))
    page = page_of(history, edge_s, about(), AT)
    assert page is not None and page.quality == told


def test_early_on_a_page_holds_what_there_is(frame: MakeFrame) -> None:
    history = History(about())
    assert page_of(history, 0.0, about(), AT) is None
    history.frame(frame(0, 500))
    page = page_of(history, 2.0, about(), AT)
    assert page is not None and page.leads_mv.shape == (12, 500)


def test_a_page_has_alternatives_where_they_are_asked_for_and_known(
    history: History, frame: MakeFrame
) -> None:
    assert page_of(history, 20.0, about(), AT, alternatives=True).alternatives_mv is None  # type: ignore[union-attr]
    stated = Plausible(np.ones((1, 7, 8), np.float32), 1.2).to_json()
    told = replace(about(), bands={"0.9": (2.0,) * 12}, plausible=stated)
    knowing = History(told)
    knowing.frame(replace(frame(0, 500), scale_mv=np.full((12, 500), 0.1, np.float32)))
    plain = page_of(knowing, 2.0, told, AT)
    page = page_of(knowing, 2.0, told, AT, alternatives=True)
    assert plain is not None and plain.alternatives_mv is None
    assert page is not None and page.alternatives_mv is not None
    assert page.alternatives_mv.shape == (SHOWN, 12, 500)
    assert np.ptp(page.alternatives_mv[:, 6], axis=0).max() > 0.05


@pytest.fixture
def page(history: History) -> Page:
    page = page_of(history, 20.0, about(), AT)
    assert page is not None
    return page


def test_both_files_are_written_for_the_user_alone_and_nothing_is_overwritten(
    page: Page, tmp_path: Path
) -> None:
    folder = tmp_path / "Documents" / "mecg"
    first = write_page(folder, page, "ecg")
    again = write_page(folder, page, "ecg")
    assert [path.name for path in (*first, *again)] == ["ecg.pdf", "ecg.png", "ecg-2.pdf", "ecg-2.png"]
    assert first[0].read_bytes().startswith(b"%PDF") and first[1].read_bytes().startswith(b"\x89PNG")
    if os.name != "nt":
        assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_where_one_name_is_taken_neither_is_used(page: Page, tmp_path: Path) -> None:
    (tmp_path / "ecg.png").write_text("mine")
    paths = write_page(tmp_path, page, "ecg")
    assert {path.name for path in paths} == {"ecg-2.pdf", "ecg-2.png"}
    assert (tmp_path / "ecg.png").read_text() == "mine" and not (tmp_path / "ecg.pdf").exists()


def test_it_is_drawn_in_another_process(page: Page, tmp_path: Path) -> None:
    paths = in_another_process(tmp_path, page, "ecg")
    assert sorted(tmp_path.iterdir()) == sorted(paths)


def test_writing_waits_for_nobody_and_tells_how_it_went(page: Page, tmp_path: Path) -> None:
    go, told = threading.Event(), []

    def slowly(folder: Path, page: Page, stem: str) -> tuple[Path, ...]:
        go.wait(10)
        return (folder / f"{stem}.pdf",)

    thread = write_beside(page, AT, tmp_path, told.append, told.append, slowly)
    assert not told
    go.set()
    thread.join(10)
    assert told == [(tmp_path / "ecg-20260102-030405.pdf",)]


def test_a_folder_that_cannot_be_written_is_told(page: Page, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    told: list[object] = []
    write_beside(page, AT, tmp_path / "file", told.append, told.append, write_page).join(20)
    assert len(told) == 1 and "was not written" in str(told[0]) and "\n" not in str(told[0])
