# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user can do about the source: connect, open, replay, calibrate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from gui.actions import Action
from gui.controller import GENERIC, Person, RunningSession, SessionController, SourceRequest
from gui.dialogs.calibrate import CalibrateDialog, person_in
from gui.dialogs.connect import ConnectDialog
from gui.dialogs.file_drop import FileDrop
from gui.dialogs.present import present
from gui.dialogs.source_opener import SourceOpener
from gui.panels.replay_bar import JUMP_S, ReplayBar
from gui.settings import Settings
from gui.start_page import StartPage
from gui.theme import Theme
from gui.window import MonitorWindow
from streamer.core.errors import Field, InputError


class SourceCommands:
    """Opens sources for one window: from its dialogs, from dropped files, from the replay bar.

    Parameters
    ----------
    window : MonitorWindow
        Follows what is opened.
    controller : SessionController
        What composes sessions; one runs already.
    settings : Settings
        Remembers sources.
    say : callable
        Shows the user one line.
    """

    def __init__(
        self,
        window: MonitorWindow,
        controller: SessionController,
        settings: Settings,
        say: Callable[[str], None],
    ) -> None:
        self._window = window
        self._controller = controller
        self._settings = settings
        self._say = say
        self._whose = controller.running.description.whose
        self.replay = ReplayBar(self.seek, say)
        self.connect_dialog = ConnectDialog(controller.scan, lambda: settings.recent, window)
        self.connect_dialog.chosen.connect(self.open)
        self.calibrate_dialog = CalibrateDialog(
            lambda: controller.previews,
            lambda: controller.running.description.whose,
            lambda: window.paper.look.scale.px_per_mm,
            window,
        )
        self.calibrate_dialog.used.connect(self.put_to_use)
        self.opener = SourceOpener(controller, window)
        self.opener.opened.connect(self._opened)
        self.opener.failed.connect(self._not_opened)
        self.opener.lacks.connect(self._note_lack)
        self.opener.step.connect(self.connect_dialog.say_step)
        self.opener.step.connect(say)
        self._lack: InputError | None = None
        self.start = StartPage(controller.scan, lambda: settings.recent, controller.bundled)
        self.start.chosen.connect(self.open)
        self.start.file_wanted.connect(self.connect_dialog.ask_file)
        window.stage.addWidget(self.start)
        self.opener.busy.connect(lambda source: say(f"opening {source} ...") if source else None)
        self._drops = FileDrop(window)
        self._drops.dropped.connect(lambda source: self.open(SourceRequest(source)))
        self._person_drops = FileDrop(window, person_in)
        self._person_drops.dropped.connect(self._calibrate_from)
        self._take_over(controller.running)

    def table(self) -> tuple[Action, ...]:
        """Everything."""

        def act(keys: tuple[str, ...], name: str, what: str, do: Callable[[], object]) -> Action:
            return Action(keys, "Source", name, what, do)

        replay = self.replay
        return (
            Action(
                ("O",),
                "Source",
                "Connect",
                "connect: sensors, streams, recent ones",
                self.connect_source,
                "Connect",
            ),
            act(("Ctrl+O",), "Open file", "open a recording", lambda: self.connect_dialog.ask_file()),
            act(("K",), "Play or pause", "play, pause a replay", replay.play_or_pause),
            act(("<",), "Slower", "replay slower", lambda: replay.change_speed(-1)),
            act((">",), "Faster", "replay faster", lambda: replay.change_speed(1)),
            act(("Ctrl+Left",), "10 s back", "10 s back", lambda: replay.jump(-JUMP_S)),
            act(("Ctrl+Right",), "10 s on", "10 s on", lambda: replay.jump(JUMP_S)),
            act(("C",), "Calibrate...", "calibrate: learn this person", self.calibrate),
            act(("G",), "Back to generic", "back to the generic model", self.back_to_generic),
        )

    # ---- sources

    def connect_source(self) -> None:
        """Show what can be connected to."""
        present(self.connect_dialog)

    def open(self, request: SourceRequest) -> None:
        """Show another source; what runs goes on until that one is there."""
        self.opener.open(request)

    def seek(self, place_s: float) -> None:
        """The same replay from another place: a new stream."""
        running = self._controller.running
        if running.player is not None:
            self.open(_from_there(running.request, running, place_s))

    def _take_over(self, running: RunningSession) -> None:
        self.replay.control(running.player, lambda: running.inbox.closed)
        self._window.header.idle = not running.request.source
        self._window.stage.setCurrentWidget(self._window.paper if running.request.source else self.start)
        if running.request.source:
            self._window.paper.setFocus()  # else the focus goes to a button, which Space would press
            self._settings.opened(running.request.source)

    def _opened(self, running: RunningSession) -> None:
        window, about = self._window, running.description
        window.tell = running.tell
        self._take_over(running)
        self.connect_dialog.opened()
        window.follow(
            running.inbox,
            about.stream,
            f"{about.model} {about.model_version}",
            about.latency.total_ms,
            lead_in_s=running.lead_in_s,
        )
        changed, self._whose = about.whose != self._whose, about.whose
        self._say(f"from here on {about.whose}; a session, and a recording, of its own" if changed else "")

    def _not_opened(self, request: SourceRequest, why: str) -> None:
        # The source waits there for another try.
        self._say(f"{request.source} was not opened: {why}")
        lack, self._lack = self._lack, None
        about = None if lack is None else lack.field
        leads = lack.choices if lack is not None and about is Field.LEAD else ()
        self.connect_dialog.refused(request, why, leads, about)
        self._reopen_if_ended()

    def _note_lack(self, request: SourceRequest, lack: InputError) -> None:
        self._lack = lack

    def _reopen_if_ended(self) -> None:
        if self._controller.running.inbox.closed:
            self.opener.ended()

    # ---- whose calibration

    def calibrate(self) -> None:
        """Show what learns a person."""
        if self.calibrate_dialog.isHidden():
            size = self._window.size()
            self.calibrate_dialog.resize(size.width() - 40, size.height() - 40)
        present(self.calibrate_dialog)

    def _calibrate_from(self, path: str) -> None:
        self.calibrate()
        self.calibrate_dialog.open_file(path)

    def back_to_generic(self) -> None:
        """Undo what was put to use, or named on the command line."""
        if self._controller.running.description.calibration:
            self.put_to_use(GENERIC)
        else:
            self._say("it is generic already")

    def put_to_use(self, person: Person) -> None:
        """Show what runs with a person's calibration from now on: a new session, as a seek is."""
        running = self._controller.running
        request = replace(running.request, person=person)
        if running.player is not None:
            request = _from_there(request, running, running.player.position_s)
        self.open(request)

    # ---- for the window

    def refresh(self) -> None:
        """Bring the replay bar up to date, and see whether the source is still there."""
        self.replay.refresh()
        self._reopen_if_ended()

    def apply_theme(self, theme: Theme) -> None:
        """Take on these colours."""
        for part in (self.replay, self.start, self.connect_dialog, self.calibrate_dialog):
            part.apply_theme(theme)


def _from_there(request: SourceRequest, running: RunningSession, place_s: float) -> SourceRequest:
    """A request for what is played, from a place on, as it plays now."""
    assert running.player is not None
    return replace(request, start_s=place_s, speed=running.player.speed, paused=running.player.paused)
