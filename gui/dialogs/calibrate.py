# SPDX-License-Identifier: GPL-3.0-or-later
"""Learns a person: takes a reference, shows what it does to each lead, and puts it to use."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from PyQt6 import sip
from PyQt6.QtCore import QObject, Qt, QTimer, pyqtSignal
from PyQt6.QtGui import QHideEvent, QResizeEvent, QShowEvent
from PyQt6.QtWidgets import (
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollBar,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from gui.controller import GENERIC, CalibrationPreview, CalibrationPreviews
from gui.dialogs.before_after import BeforeAfter
from gui.dialogs.file_drop import FileDrop
from gui.error_text import sentence
from gui.other_threads import emit
from gui.theme import Theme, dialog_style
from streamer.core.errors import Field, InputError

FILTER = "12-lead records and calibrations (*.hea *.dat *.npz);;All files (*)"
ASK = (
    "Ten seconds of this person's real twelve leads teach the model how their chest leads differ. "
    "Choose them: the source that runs, where it holds twelve leads; a WFDB record; or a .npz that was saved "
    "before. A record or .npz can also be dropped here. Nothing changes before Use."
)
NEW_SESSION = (
    "Use begins a new session with it, as opening a source does: a recording is closed and another begins."
)
_LOOKS_S = 0.5
_STEPS_PER_S = 10


class _News(QObject):
    tried = pyqtSignal(object, str)
    """A `CalibrationPreview`, or None and why there is none."""


class CalibrateDialog(QDialog):
    """Emits `used` with a `gui.controller.Person`; keeps its preview while it is closed.

    Parameters
    ----------
    previews : CalibrationPreviews
    whose : callable
        Whose calibration the running session has, as `SessionDescription.whose` says it.
    px_per_mm : callable
        The screen's, logical.
    """

    used = pyqtSignal(object)

    def __init__(
        self,
        previews: Callable[[], CalibrationPreviews],
        whose: Callable[[], str],
        px_per_mm: Callable[[], float],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._previews, self._whose, self._px_per_mm = previews, whose, px_per_mm
        self.busy = False
        """Something is being learned."""
        self._news = _News()  # outlives the window, as the thread may that emits it
        self._news.tried.connect(self._tried)
        self.setWindowTitle("Calibrate")
        self.here_button = QPushButton("&Last 10 s of this source")
        self.file_button = QPushButton("&Open record or .npz...")
        self.now_label, self.status, self.said = QLabel(), QLabel(), QLabel()
        self.picture = BeforeAfter(px_per_mm())
        self.along = QScrollBar(Qt.Orientation.Horizontal)
        self.add_button = QPushButton("&Add to a person...")
        self.add_button.setToolTip("A further visit of the person of a .npz: two harm half as often as one")
        self.save_button, self.generic_button = QPushButton("&Save..."), QPushButton("Back to &generic")
        self.close_button, self.use_button = QPushButton("Close"), QPushButton("&Use")
        self._assemble()
        FileDrop(self, _file_in).dropped.connect(self.open_file)
        self.here_button.clicked.connect(
            lambda: self._begin("this source", lambda: self._previews().of_here())
        )
        self.file_button.clicked.connect(self.ask_file)
        self.add_button.clicked.connect(self.ask_person)
        self.save_button.clicked.connect(self.ask_where)
        self.generic_button.clicked.connect(lambda: self._use(GENERIC))
        self.use_button.clicked.connect(self._use_trial)
        self.close_button.clicked.connect(self.reject)
        self.along.valueChanged.connect(self._scrolled)
        self.picture.moved.connect(lambda from_s: self.along.setValue(round(_STEPS_PER_S * from_s)))
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._enable)
        self._say(ASK)

    def _assemble(self) -> None:
        for label in (self.status, self.said, self.now_label):
            label.setTextFormat(Qt.TextFormat.PlainText)
            label.setWordWrap(True)
        self.now_label.setProperty("soft", True)
        self.now_label.setWordWrap(False)
        self.now_label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        for button in (
            self.here_button,
            self.file_button,
            self.add_button,
            self.save_button,
            self.generic_button,
        ):
            button.setAutoDefault(False)
        self.close_button.setAutoDefault(False)
        self.use_button.setDefault(True)
        self.use_button.setToolTip(NEW_SESSION)
        above, below = QHBoxLayout(), QHBoxLayout()
        above.addWidget(self.here_button)
        above.addWidget(self.file_button)
        above.addWidget(self.now_label, 1)
        below.addWidget(self.add_button)
        below.addWidget(self.save_button)
        below.addWidget(self.generic_button)
        below.addStretch(1)
        below.addWidget(self.close_button)
        below.addWidget(self.use_button)
        whole = QVBoxLayout(self)
        whole.addLayout(above)
        whole.addWidget(self.status)
        whole.addWidget(self.picture, 1)
        whole.addWidget(self.along)
        whole.addWidget(self.said)
        whole.addLayout(below)

    def apply_theme(self, theme: Theme) -> None:
        """Take on these colours."""
        bar = f"QScrollBar {{ background: {theme.paper}; height: 12px; border: none; }}"
        handle = f"QScrollBar::handle {{ background: {theme.soft_ink}; min-width: 40px; }}"
        ends = "QScrollBar::add-line, QScrollBar::sub-line { width: 0px; }"
        self.setStyleSheet(dialog_style(theme) + bar + handle + ends)
        self.picture.theme = theme
        self.picture.update()

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802 - Qt's name
        """See, again and again, whether the source that runs can be learned from."""
        super().showEvent(event)
        self._timer.start(round(1e3 * _LOOKS_S))
        self._enable()

    def hideEvent(self, event: QHideEvent | None) -> None:  # noqa: N802 - Qt's name
        """Look no longer."""
        super().hideEvent(event)
        self._timer.stop()

    def resizeEvent(self, event: QResizeEvent | None) -> None:  # noqa: N802 - Qt's name
        """What fits, fits."""
        super().resizeEvent(event)
        self._fit_scroll()

    # ---- learning

    def ask_file(self) -> None:
        """Learn from a record, or take what was saved, from a file."""
        path, _ = QFileDialog.getOpenFileName(self, "Learn a person from", "", FILTER)
        if path:
            self.open_file(path)

    def open_file(self, path: str) -> None:
        """Learn from this record, or take what this file says."""
        self._begin(Path(path).name, lambda: self._previews().of_file(Path(path)))

    def ask_person(self) -> None:
        """Add what was learned, as a further visit, to the person of a file."""
        path, _ = QFileDialog.getOpenFileName(self, "Add this visit to", "", "Calibrations (*.npz)")
        if path:
            self.add_to(path)

    def add_to(self, path: str) -> None:
        """Show the person of this file with what was learned as a further visit."""
        preview = self.picture.preview
        if preview is not None:
            self._begin(Path(path).name, lambda: self._previews().added(preview.person, Path(path)))

    def _begin(self, name: str, work: Callable[[], CalibrationPreview]) -> None:
        """In a thread of its own; while that runs nothing else is asked for."""
        if self.busy:
            return
        self.busy = True
        self._say(f"learning from {name} ...")
        self._enable()
        news = self._news

        def learn() -> None:
            try:
                emit(news.tried, work(), "")
            except (InputError, OSError) as error:
                # A record's lead cannot be chosen here.
                about_lead = isinstance(error, InputError) and error.field is Field.LEAD
                emit(news.tried, None, " ".join(str(error).split()) if about_lead else sentence(error))

        threading.Thread(target=learn, name="learning a person", daemon=True).start()

    def _tried(self, preview: CalibrationPreview | None, why: str) -> None:
        if sip.isdeleted(self):  # the window may have been closed meanwhile
            return
        self.busy = False
        """Something is being learned."""
        if preview is None:
            self._say(why, warning=True)
        else:
            self._show_trial(preview)
        self._enable()

    def _show_trial(self, preview: CalibrationPreview) -> None:
        self.picture.show_trial(preview, self._px_per_mm())
        self._say(preview.verdict())
        self.said.setText("\n".join((*(f"⚠ {one}" for one in preview.warnings), *preview.said, NEW_SESSION)))
        self._warn(self.said, bool(preview.warnings))
        self._fit_scroll()

    # ---- using

    def _use_trial(self) -> None:
        preview = self.picture.preview
        if preview is not None:
            self._use(preview.person)

    def _use(self, person: object) -> None:
        self.accept()
        self.used.emit(person)

    def ask_where(self) -> None:
        """Save the calibration, for `mecg monitor` and for another day."""
        preview = self.picture.preview
        if preview is None:
            return
        text, _ = QFileDialog.getSaveFileName(self, "Save this person", "person.npz", "Calibrations (*.npz)")
        if not text:
            return
        path = Path(text)
        if path.suffix.lower() != ".npz":
            path = path.with_name(f"{path.name}.npz")
            if path.exists():  # the user was not asked about this one
                self._say(f"{path} exists: name another file, or this one in full", warning=True)
                return
        try:
            self._previews().save(preview.person, path)
        except OSError as error:
            self._say(f"{path} was not written: {error.strerror or error}", warning=True)
        else:
            self._say(f"written to {path}; it says who this person is, so keep it private")

    # ---- what can be done

    def _enable(self) -> None:
        why_not = self._previews().why_not_here()
        self.here_button.setEnabled(not why_not and not self.busy)
        self.here_button.setToolTip(why_not)
        self.file_button.setEnabled(not self.busy)
        has = self.picture.preview is not None and not self.busy
        self.use_button.setEnabled(has)
        self.save_button.setEnabled(has)
        self.add_button.setEnabled(has)
        self.generic_button.setEnabled(self._whose() != GENERIC.words)
        now = f"now: {self._whose()}"
        self.now_label.setText(f"{now}   ·   {why_not}" if why_not else now)

    def _say(self, text: str, *, warning: bool = False) -> None:
        self.status.setText(text)
        self._warn(self.status, warning)

    @staticmethod
    def _warn(label: QLabel, warning: bool) -> None:
        label.setProperty("warning", warning)
        style = label.style()
        if style is not None:
            style.polish(label)

    # ---- looking along

    def _fit_scroll(self) -> None:
        hidden = round(_STEPS_PER_S * self.picture.hidden_s)
        self.along.setRange(0, hidden)
        self.along.setPageStep(2 * _STEPS_PER_S)
        self.along.setVisible(hidden > 0)

    def _scrolled(self, value: int) -> None:
        if round(_STEPS_PER_S * self.picture.from_s) != value:
            self.picture.from_s = value / _STEPS_PER_S


def _file_in(path: str) -> str | None:
    """Whatever is dropped: one that cannot be used is reported, not ignored."""
    return path or None


def person_in(path: str) -> str | None:
    """A file that holds a person's calibration, by its name."""
    return path if Path(path).suffix.lower() == ".npz" else None
