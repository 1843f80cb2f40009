# SPDX-License-Identifier: GPL-3.0-or-later
"""A person learned in the window: real records, real sessions, a small model that can learn."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from math import inf
from pathlib import Path

os.environ["QT_QPA_PLATFORM"] = "offscreen"  # before anything imports Qt

import numpy as np
import pytest
from PyQt6.QtCore import QTimer
from pytestqt.qtbot import QtBot

from gui.controller import GENERIC, CalibrationPreview, SourceRequest
from gui.main_panels import MainPanels
from gui.settings import Settings
from gui.window import MonitorWindow
from mecg.app.calibration_previews import LastSeconds, Learned
from mecg.app.controller import Controller
from mecg.app.learning import in_order, learn, origin_of, recorded
from mecg.app.models import network_of
from streamer.core.calibration.fit import prior_of
from streamer.core.calibration.visits import Visit, combined
from streamer.core.errors import Field, InputError
from streamer.core.leads import LEADS, SEVEN
from streamer.core.stream import Chunk, Frame
from streamer.formats.calibration_file import read_calibration, read_with_visits, write
from streamer.recording.reader import Recording
from tests.devices.lsl.lsl_rig import Sender
from tests.gui.a_controller import description
from tests.mecg.app.test_controller import session_options, wait
from tests.mecg.cli.test_calibrate_live import twelve_leads
from tests.streamer.core.person_model import person_model, prior

__all__ = ["twelve_leads"]

RECORDINGS = Path(__file__).parents[3] / "recordings"
LONG = RECORDINGS / "ptb" / "s0010_re"
SHORT = RECORDINGS / "ptb-xl" / "00010_hr"
OTHER = RECORDINGS / "ptb-xl" / "00155_hr"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "tiny.onnx"
    path.write_bytes(person_model(prior(precision=np.full(7, 1e-2))))
    return path


Start = Callable[..., Controller]


@pytest.fixture
def start(model: Path) -> Iterator[Start]:
    begun: list[Controller] = []

    def begin(source: str = f"wfdb:{SHORT}", **options: object) -> Controller:
        controller = Controller(session_options(source, model, **options))
        controller.prepare()
        controller.begin()
        begun.append(controller)
        return controller

    yield begin
    for controller in begun:
        controller.close()


def head_of(preview: CalibrationPreview) -> np.ndarray:
    assert isinstance(preview.person, Learned)
    return preview.person.calibration.head


# ---- what is learned, and what it is shown on


def test_a_long_record_teaches_with_its_first_ten_seconds_and_is_shown_on_the_rest(
    start: Start, model: Path
) -> None:
    preview = start().previews.of_file(LONG.with_suffix(".hea"))
    assert not preview.same and preview.start_s == 10
    assert preview.seconds == pytest.approx(38.4 - 10 - 0.8, abs=0.01)
    network = network_of(model)
    info, leads_mv = recorded(f"wfdb:{LONG}", False, None)
    alone = learn(network, leads_mv[:, :10_000], 1000.0, origin_of(network, info, f"wfdb:{LONG}"))
    assert head_of(preview).tobytes() == alone.head.tobytes()
    assert preview.about == "learned from the first 10 s of s0010_re, shown on the 28.4 s after them"


def test_a_record_of_ten_seconds_says_that_it_is_shown_on_itself(start: Start) -> None:
    preview = start().previews.of_file(SHORT.with_suffix(".dat"))
    assert preview.same and preview.start_s == 3 and "the same 10.0 s of 00010_hr" in preview.about
    seven = [LEADS.index(lead) for lead in SEVEN]
    assert np.isfinite(preview.halves_mv[:, seven]).all() and np.isnan(preview.halves_mv[:, 0]).all()
    # What it was learned from it fits better than what it was not.
    assert np.median(preview.rmse_mv[1, seven]) < np.median(preview.halves_mv[1, seven])


@pytest.mark.parametrize("record", [SHORT, LONG], ids=["short", "long"])
def test_errors_are_those_of_what_is_drawn(start: Start, record: Path) -> None:
    preview = start().previews.of_file(record.with_suffix(".hea"))
    for leads_mv, told in zip((preview.generic_mv, preview.personal_mv), preview.rmse_mv, strict=True):
        error = leads_mv.astype(np.float64) - preview.truth_mv
        assert np.sqrt(np.mean(error**2, axis=1)) == pytest.approx(told, rel=1e-6)
    assert (preview.generic_mv[0] == preview.personal_mv[0]).all()  # Lead I was measured
    assert (preview.generic_mv[1] != preview.personal_mv[1]).any()


def test_what_cannot_teach_is_refused_in_one_line(start: Start, tmp_path: Path) -> None:
    previews = start().previews
    (tmp_path / "no.npz").write_bytes(b"no calibration")
    (tmp_path / "no.hea").write_text("nothing\n")
    for path in (
        RECORDINGS / "mitdb" / "100.hea",
        tmp_path / "no.npz",
        tmp_path / "no.hea",
        tmp_path / "none.dat",
        tmp_path / "notes.txt",
    ):
        with pytest.raises(InputError) as caught:
            previews.of_file(path)
        assert "\n" not in str(caught.value)


def test_what_does_not_fit_what_runs_is_refused_before_it_is_shown(start: Start, tmp_path: Path) -> None:
    preview = start().previews.of_file(SHORT.with_suffix(".hea"))
    assert isinstance(preview.person, Learned)
    write(tmp_path / "p.npz", preview.person.calibration)
    previews = start(invert=True).previews
    for path in (SHORT.with_suffix(".hea"), tmp_path / "p.npz"):
        with pytest.raises(InputError) as caught:
            previews.of_file(path)
        assert caught.value.field is Field.POLARITY


def test_it_reads_back_as_it_was_saved_for_its_owner_only(start: Start, tmp_path: Path) -> None:
    previews, path = start(f"wfdb:{OTHER}", speed=inf).previews, tmp_path / "p.npz"
    preview = previews.of_file(LONG.with_suffix(".hea"))
    previews.save(preview.person, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    wait(lambda: not previews.why_not_here())
    again = previews.of_file(path)
    assert (
        head_of(again).tobytes() == head_of(preview).tobytes() and again.person.words == preview.person.words
    )
    # Shown on what runs, which is another record.
    assert not again.same and again.has_truth and "the last seconds of 00155_hr" in again.about


def test_a_calibration_shown_on_the_record_that_it_may_come_from_says_so(
    start: Start, tmp_path: Path
) -> None:
    previews = start(f"wfdb:{SHORT}", speed=inf).previews
    previews.save(previews.of_file(SHORT.with_suffix(".hea")).person, tmp_path / "p.npz")
    wait(lambda: not previews.why_not_here())
    again = previews.of_file(tmp_path / "p.npz")
    assert again.same and "may have been learned from" in again.about


# ---- from the source that runs


def test_the_last_ten_seconds_of_what_runs_teach_as_the_same_ten_of_a_record_do(
    start: Start, model: Path
) -> None:
    previews = start(f"wfdb:{SHORT}", speed=inf).previews
    wait(lambda: not previews.why_not_here())
    preview, of_file = previews.of_here(), previews.of_file(SHORT.with_suffix(".hea"))
    assert head_of(preview).tobytes() == head_of(of_file).tobytes()
    assert preview.same and np.array_equal(preview.rmse_mv, of_file.rmse_mv)


def test_what_runs_cannot_teach_before_ten_seconds_nor_with_one_lead(start: Start) -> None:
    previews = start(f"wfdb:{LONG}").previews
    assert "wait for 10 s" in previews.why_not_here()
    with pytest.raises(InputError, match="wait for 10 s"):
        previews.of_here()
    alone = start("synthetic:?rate=250&seconds=12", speed=inf).previews
    wait(lambda: "wait" not in alone.why_not_here())
    assert "Lead I alone" in alone.why_not_here()
    preview = alone.of_file(SHORT.with_suffix(".hea"))
    assert preview.has_truth  # the record has its own


def test_only_the_newest_seconds_are_kept_with_holes_where_samples_were_lost() -> None:
    last = LastSeconds()
    last.open(description())
    for start in range(0, 5000, 40):
        if start != 4000:
            lead = np.arange(start, start + 40, dtype=np.float32)
            last.chunk(Chunk(start, lead, reference_mv=np.tile(lead, (12, 1))))
    kept = last.leads_mv()
    assert kept.shape == (12, 2500)
    missing = np.isnan(kept)
    assert missing[:, 1500:1540].all() and missing.sum() == 12 * 40
    assert (kept[:, 0] == 2500).all() and (kept[:, -1] == 4999).all()


# ---- put to use


def test_a_session_with_it_is_one_of_its_own_with_its_own_recording(start: Start, tmp_path: Path) -> None:
    controller = start(f"wfdb:{LONG}", record=tmp_path)
    person = controller.previews.of_file(LONG.with_suffix(".hea")).person
    wait(lambda: any(isinstance(item, Frame) for _, item in controller.running.inbox.take()))
    first = controller.running
    second = controller.open(SourceRequest(f"wfdb:{LONG}", start_s=20.0, person=person))
    assert first.inbox.closed and second.description.whose == f"personal: {person.words}"
    wait(lambda: any(isinstance(item, Frame) for _, item in second.inbox.take()))
    third = controller.open(SourceRequest(f"wfdb:{LONG}", person=GENERIC))
    assert third.description.whose == "generic"
    wait(lambda: any(isinstance(item, Frame) for _, item in third.inbox.take()))
    controller.close()
    recordings = [Recording.open(file) for file in tmp_path.glob("*.xdf")]
    assert all(recording.complete for recording in recordings)
    assert sorted(recording.description.calibration for recording in recordings) == sorted(
        ["", "", person.words]
    )


def test_it_does_what_its_file_does(start: Start, tmp_path: Path) -> None:
    def frames(controller: Controller) -> np.ndarray:
        found: list[Frame] = []
        wait(lambda: controller.running.inbox.closed)
        found += [item for _, item in controller.running.inbox.take() if isinstance(item, Frame)]
        return np.concatenate([frame.leads_mv for frame in found], axis=1)

    controller = start(f"wfdb:{SHORT}")
    person = controller.previews.of_file(OTHER.with_suffix(".hea")).person
    controller.previews.save(person, tmp_path / "p.npz")
    controller.open(SourceRequest(f"wfdb:{SHORT}", speed=inf, person=person))
    by_file = start(f"wfdb:{SHORT}", speed=inf, calibration=tmp_path / "p.npz")
    generic = start(f"wfdb:{SHORT}", speed=inf)
    ours = frames(controller)
    assert ours.tobytes() == frames(by_file).tobytes() != frames(generic).tobytes()


def test_generic_undoes_what_the_command_line_says_and_another_source_has_nobody_s(
    start: Start, tmp_path: Path
) -> None:
    first = start(f"wfdb:{SHORT}")
    person = first.previews.of_file(SHORT.with_suffix(".hea")).person
    first.previews.save(person, tmp_path / "p.npz")
    controller = start(f"wfdb:{SHORT}", calibration=tmp_path / "p.npz")
    assert controller.running.description.calibration == read_calibration(tmp_path / "p.npz").origin.words()
    assert controller.open(SourceRequest(f"wfdb:{SHORT}", person=GENERIC)).description.whose == "generic"
    assert controller.open(SourceRequest(f"wfdb:{SHORT}")).description.calibration
    assert controller.open(SourceRequest(f"wfdb:{OTHER}")).description.whose == "generic"


def test_in_the_window_it_is_learned_shown_and_used_with_nothing_frozen(
    start: Start, qtbot: QtBot, tmp_path: Path
) -> None:
    controller = start(f"wfdb:{LONG}")
    running = controller.running
    about = running.description
    window = MonitorWindow(running.inbox, about.stream, "tiny", 72.0, controller.end, 4.0, running.tell)
    panels = MainPanels(window, controller, Settings(None), lambda: None, tmp_path)
    qtbot.addWidget(window)
    window.show()
    dialog = panels.sources.calibrate_dialog
    qtbot.keyClicks(window, "c")
    timer, begun_s = QTimer(), time.monotonic()
    ticks = [begun_s]
    timer.timeout.connect(lambda: ticks.append(time.monotonic()))
    timer.start(5)
    dialog.open_file(str(LONG.with_suffix(".hea")))
    qtbot.waitUntil(lambda: not dialog.busy, timeout=60_000)
    timer.stop()
    ticks.append(time.monotonic())
    # Of a busy machine nobody gets anything for a while; then learning takes long as well.
    assert np.diff(ticks).max() < max(0.5, (ticks[-1] - begun_s) / 2)
    preview = dialog.picture.preview
    assert preview is not None and not preview.same
    dialog.use_button.click()
    qtbot.waitUntil(lambda: "s0010_re" in controller.running.description.whose, timeout=60_000)
    qtbot.waitUntil(lambda: "personal: s0010_re" in panels.numbers.values["Model"].text(), timeout=60_000)
    assert controller.running.player is not None and controller.running.player.position_s < 30
    qtbot.keyClicks(window, "g")
    qtbot.waitUntil(lambda: controller.running.description.whose == "generic", timeout=60_000)
    qtbot.waitUntil(lambda: not panels.sources.opener._running)


@pytest.mark.long
def test_a_live_stream_of_twelve_leads_teaches_and_goes_on_with_what_it_taught(
    start: Start, twelve_leads: str
) -> None:
    sender = Sender()
    try:
        channels = [{"label": lead, "unit": "microvolts"} for lead in np.roll(LEADS, 6)]
        sender.begin(
            name="taught", channels=channels, rate=250, table=twelve_leads, packet=10, source_id="taught"
        )
        sender.ready()
        controller = start("lsl:taught")
        wait(lambda: not controller.previews.why_not_here(), 30)
        preview = controller.previews.of_here()
        assert preview.same and preview.has_truth
        second = controller.open(replace(controller.running.request, person=preview.person))
        wait(lambda: any(isinstance(item, Frame) for _, item in second.inbox.take()))
        assert second.description.whose == f"personal: {preview.person.words}"
        assert "wait for 10 s" in controller.previews.why_not_here()
    finally:
        sender.kill()


# ---- further visits


def test_a_further_visit_joins_a_person_and_each_says_what_it_brings(
    start: Start, model: Path, tmp_path: Path
) -> None:
    previews, path = start().previews, tmp_path / "person.npz"
    first, second = (previews.of_file(record.with_suffix(".hea")) for record in (SHORT, LONG))
    previews.save(first.person, path)
    before = path.read_bytes()
    both = previews.added(second.person, path)
    assert path.read_bytes() == before
    assert isinstance(both.person, Learned) and isinstance(second.person, Learned)
    _, kept = read_with_visits(path)
    expected = combined(prior_of(network_of(model)), in_order(kept, second.person.visits))
    assert both.person.calibration.head.tobytes() == expected.head.tobytes()
    # It is shown on what the new visit was shown on.
    assert both.truth_mv.tobytes() == second.truth_mv.tobytes()
    assert [line.split(":")[0] for line in both.said[1:]] == [
        f"Visit {name}" for name in _names(in_order(kept, second.person.visits))
    ]
    assert "each of 2 visits" in both.verdict()
    previews.save(both.person, tmp_path / "both.npz")
    again, visits = read_with_visits(tmp_path / "both.npz")
    assert len(visits) == 2 and again.head.tobytes() == expected.head.tobytes()


def _names(visits: Sequence[Visit]) -> list[str]:
    return [f"{visit.origin.source} {visit.origin.date}".strip() for visit in visits]


def test_a_visit_counts_once(start: Start, tmp_path: Path) -> None:
    previews, path = start().previews, tmp_path / "person.npz"
    preview = previews.of_file(SHORT.with_suffix(".hea"))
    previews.save(preview.person, path)
    with pytest.raises(InputError, match="twice"):
        previews.added(preview.person, path)


def test_a_person_without_visits_takes_none(start: Start, tmp_path: Path) -> None:
    previews, path = start().previews, tmp_path / "person.npz"
    preview = previews.of_file(SHORT.with_suffix(".hea"))
    assert isinstance(preview.person, Learned)
    write(path, preview.person.calibration)
    with pytest.raises(InputError, match="keeps no visits"):
        previews.added(previews.of_file(LONG.with_suffix(".hea")).person, path)
