# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user can do about the model's bands: run fewer of them, or all."""

from __future__ import annotations

from collections.abc import Callable

from gui.actions import Action
from gui.controller import SessionController
from gui.window import MonitorWindow
from streamer.core.events import BandsChanged
from streamer.core.network.parts import BANDS_IN_WORDS


class BandCommands:
    """How much of the model runs in the session that the window shows.

    Parameters
    ----------
    say : callable
        Shows the user a line.
    """

    def __init__(
        self, window: MonitorWindow, controller: SessionController, say: Callable[[str], None]
    ) -> None:
        self._window, self._controller, self._say = window, controller, say

    def table(self) -> tuple[Action, ...]:
        """Everything."""
        fewer = "how much of the model runs: all bands, low alone, low and mid"
        each = "the parts of each lead: what the low, the mid and the high band give"
        return (
            Action(("F",), "Leads", "Bands of the model", fewer, self.next_bands),
            Action(("U",), "Leads", "What each band gives", each, self.toggle_parts, checked=self._shown),
        )

    def toggle_parts(self) -> None:
        """Draw each lead's parts too, or no longer."""
        model = self._controller.running.model
        if model is None or len(model.bands) == 1:
            self._say(self._no_parts())
            return
        model.shows_parts = not model.shows_parts
        self._window.do.show_parts(model.shows_parts)

    def _no_parts(self) -> str:
        if self._controller.running.description.calibration:
            return "a person's calibration corrects the whole model: its bands are not run alone or shown"
        return "this session's leads are made by no parts that run alone"

    def _shown(self) -> bool:
        return self._window.paper.look.parts

    def next_bands(self) -> None:
        """Go on with the next of the model's parts."""
        model = self._controller.running.model
        if model is None or len(model.bands) == 1:
            self._say(self._no_parts())
            return
        bands = model.bands[(model.bands.index(model.used) + 1) % len(model.bands)]
        model.use(bands)
        self._window.header.name_model(model.words)
        self._window.tell(BandsChanged(bands))
        self._say(f"the leads are made from the bands: {BANDS_IN_WORDS[bands]}")
