# SPDX-License-Identifier: MIT
"""A recorder that is switched on and off while a session runs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from streamer.core.errors import InputError
from streamer.core.events import Event, Failed
from streamer.core.stream import Chunk, Frame
from streamer.recording.recorder import Recorder
from streamer.session.description import SessionDescription
from streamer.session.sink import Sink


class RecorderSwitch(Sink):
    """A sink that records while it is on: from `begin` to `end`, any number of files.

    `begin` and `end` may be called from any thread.  A recording that fails is reported as a `Failed` event
    of the recorder, and switched off; the sink goes on, so that another can be begun.

    Parameters
    ----------
    make : callable
        Makes the recorder of a new file.
    tell : callable
        Takes what the other sinks should know (`Session.tell`).
    at_once : bool
        Begin with the session, as a recorder does: what fails then ends the sink.
    """

    name = Recorder.name

    def __init__(
        self, make: Callable[[], Recorder], tell: Callable[[Event], None], *, at_once: bool = False
    ) -> None:
        self._at_once = at_once
        self._make = make
        self._tell = tell
        self._lock = threading.Lock()
        self._recorder: Recorder | None = None
        self._description: SessionDescription | None = None
        self._samples = 0
        self._open = False

    def begin(self) -> Path:
        """Record from now on; returns the file.

        Raises
        ------
        InputError
            Where the folder cannot be written, or nothing runs that could be recorded.
        """
        with self._lock:
            if self._description is None or not self._open:
                raise InputError("nothing runs that could be recorded: connect a source first")
            if self._recorder is None:
                recorder = self._make()
                recorder.open(self._description)
                self._recorder, self._samples = recorder, 0
            return self._recorder.path

    def end(self) -> None:
        """Close the file, if one is open; raises `InputError` if that fails."""
        with self._lock:
            recorder, self._recorder = self._recorder, None
        if recorder is not None:
            recorder.close()

    @property
    def now(self) -> tuple[Path, float, int] | None:
        """The file, the seconds of signal and the bytes in it; None while it is off."""
        with self._lock:
            if self._recorder is None or self._description is None:
                return None
            seconds = self._samples / self._description.stream.rate_hz
            return self._recorder.path, seconds, self._recorder.size

    # ---- `streamer.session.sink.Sink`

    def open(self, description: SessionDescription) -> None:
        """Keep the description for the files to come."""
        self._description, self._open = description, True
        if self._at_once:
            self.begin()

    def chunk(self, chunk: Chunk) -> None:
        """Record it, if on."""
        self._hand(lambda recorder: recorder.chunk(chunk), len(chunk.lead_mv))

    def frame(self, frame: Frame) -> None:
        """Record it, if on."""
        self._hand(lambda recorder: recorder.frame(frame), 0)

    def event(self, event: Event) -> None:
        """Record it, if on."""
        self._hand(lambda recorder: recorder.event(event), 0)

    def close(self) -> None:
        """The session ends, and the recording with it."""
        self._open = False
        self.end()

    def _hand(self, record: Callable[[Recorder], None], samples: int) -> None:
        with self._lock:
            recorder = self._recorder
            if recorder is None:
                return
            try:
                record(recorder)
                self._samples += samples
                return
            except InputError as error:
                if self._at_once:
                    raise
                self._recorder, failure = None, error
        recorder.close()
        self._tell(Failed(Recorder.name, failure.line))
