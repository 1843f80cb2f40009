# SPDX-License-Identifier: GPL-3.0-or-later
"""The slim bar below the paper: play, pause, speed and place of what is replayed."""

from __future__ import annotations

import math
from collections.abc import Callable

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QMouseEvent
from PyQt6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSlider, QStyle, QWidget

from gui.theme import LEAST_PX, Theme
from streamer.core.errors import InputError
from streamer.session.alarm_words import duration
from streamer.session.source import Player

SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
JUMP_S = 10.0
_STEPS = 1000


def next_speed(speed: float, by: int) -> float:
    """The next slower or faster of `SPEEDS`."""
    if by > 0:
        return next((one for one in SPEEDS if one > speed), SPEEDS[-1])
    return next((one for one in reversed(SPEEDS) if one < speed), SPEEDS[0])


class _PlaceSlider(QSlider):
    """Goes to where it is pressed, instead of a page in that direction."""

    def mousePressEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802 - Qt's name
        if event is not None and event.button() == Qt.MouseButton.LeftButton:
            self.setSliderDown(True)
            self._follow(event)

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802 - Qt's name
        if event is not None and self.isSliderDown():
            self._follow(event)

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802 - Qt's name
        if event is not None and event.button() == Qt.MouseButton.LeftButton:
            self.setSliderDown(False)

    def _follow(self, event: QMouseEvent) -> None:
        x, room = round(event.position().x()), max(self.width(), 1)
        self.setSliderPosition(QStyle.sliderValueFromPosition(self.minimum(), self.maximum(), x, room))


class ReplayBar:
    """Controls a `Player`; hidden where there is none.

    Parameters
    ----------
    seek : callable
        Begins again at a place, seconds from the beginning of what was recorded.
    say : callable
        Takes one line for the user, where something cannot be done.
    """

    def __init__(self, seek: Callable[[float], None], say: Callable[[str], None]) -> None:
        self.widget = QWidget()
        self._seek = seek
        self._say = say
        self._player: Player | None = None
        self._ended: Callable[[], bool] = lambda: False
        self.play_button = QPushButton()
        self.slower_button, self.faster_button = QPushButton("−"), QPushButton("+")
        self.speed_label, self.place_label = QLabel(), QLabel()
        self.slider = _PlaceSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, _STEPS)
        policy = self.slider.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self.slider.setSizePolicy(policy)
        for button, do, what in (
            (self.play_button, self.play_or_pause, "play, pause (K)"),
            (self.slower_button, lambda: self.change_speed(-1), "slower (<)"),
            (self.faster_button, lambda: self.change_speed(1), "faster (>)"),
        ):
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)  # a click leaves the keys with the window
            button.setMinimumSize(LEAST_PX, LEAST_PX)
            button.setAccessibleName(what)
            button.setToolTip(what)
            button.clicked.connect(lambda _, do=do: do())
        self.play_button.setFixedWidth(76)
        self.slower_button.setFixedWidth(LEAST_PX)
        self.faster_button.setFixedWidth(LEAST_PX)
        self.speed_label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.speed_label.setFixedWidth(52)
        self.slider.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.slider.setAccessibleName("place in the recording")
        self.slider.setToolTip("place in the recording (Ctrl+Left, Ctrl+Right: 10 s)")
        self.slider.sliderReleased.connect(lambda: self._go_to(self.slider.value()))
        row = QHBoxLayout(self.widget)
        row.setContentsMargins(12, 2, 12, 2)
        row.setSpacing(6)
        for part in (self.play_button, self.slower_button, self.speed_label, self.faster_button):
            row.addWidget(part)
        row.addWidget(self.slider, 1)
        row.addWidget(self.place_label)
        self.control(None)

    def control(self, player: Player | None, ended: Callable[[], bool] = lambda: False) -> None:
        """Control this one from now on, which has ended once ``ended`` says so; None hides the bar."""
        self._player = player
        self._ended = ended
        self.widget.setVisible(player is not None)
        self.refresh()

    @property
    def paused(self) -> bool:
        """Whether something is replayed and held."""
        return self._player is not None and self._player.paused

    # ---- what the user does

    def play_or_pause(self) -> None:
        """Hold it, or let it go on; begin again where it has ended."""
        if self._player is not None and self._ended():
            self._player.paused = False
            self._seek(0.0)
        elif self._player is not None:
            self._player.paused = not self._player.paused
            self.refresh()

    def change_speed(self, by: int) -> None:
        """One step slower (-1) or faster (1)."""
        if self._player is None:
            return
        try:
            self._player.speed = next_speed(self._player.speed, by)
        except InputError as error:
            self._say(str(error))
        self.refresh()

    def jump(self, by_s: float) -> None:
        """So many seconds back or forth."""
        if self._player is not None:
            self.seek_to(self._player.position_s + by_s)

    def seek_to(self, place_s: float) -> None:
        """Go to a place; not behind the end, where there is nothing to play."""
        if self._player is None:
            return
        duration_s = self._player.duration_s
        if duration_s is not None:
            place_s = min(place_s, max(duration_s - 1.0, 0.0))
        self._seek(max(0.0, place_s))

    def _go_to(self, step: int) -> None:
        duration_s = None if self._player is None else self._player.duration_s
        if duration_s is not None:
            self.seek_to(step / _STEPS * duration_s)

    # ---- what it says

    def refresh(self) -> None:
        """Bring it up to date."""
        player = self._player
        if player is None:
            return
        resting = "▶ Again" if self._ended() else "▶ Play" if player.paused else ""
        self.play_button.setText(resting or "❚❚ Pause")
        self.speed_label.setText("max" if math.isinf(player.speed) else f"{player.speed:g}×")
        duration_s = player.duration_s
        self.slider.setVisible(duration_s is not None)
        if duration_s is None:
            self.place_label.setText(duration(player.position_s))
            return
        self.place_label.setText(f"{duration(player.position_s)} / {duration(duration_s)}")
        if not self.slider.isSliderDown():
            self.slider.setValue(round(_STEPS * player.position_s / max(duration_s, 1e-9)))

    def apply_theme(self, theme: Theme) -> None:
        """Take on these colours."""
        self.widget.setStyleSheet(
            f"""
            QLabel {{ color: {theme.ink}; font-size: 13px; }}
            QPushButton {{ color: {theme.ink}; background: {theme.paper}; border: 1px solid {theme.soft_ink};
                           border-radius: 4px; padding: 2px 4px; font-size: 13px; }}
            QPushButton:focus {{ border: 2px solid {theme.reconstructed}; }}
            QSlider::groove:horizontal {{ height: 4px; background: {theme.grid_5_mm}; }}
            QSlider::handle:horizontal {{ width: 12px; margin: -6px 0; border-radius: 4px;
                                          background: {theme.reconstructed}; }}
            """
        )
