# SPDX-License-Identifier: MIT
"""Records a session as it runs, so that whatever ends it costs less than a second."""

from __future__ import annotations

import errno
import math
import os
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import Any, NoReturn

from streamer.core.errors import Field, InputError, RecordingLostError
from streamer.core.events import Event, Notice, RecordingStarted, Topic
from streamer.core.stream import Chunk, Frame
from streamer.recording.encoding import NEW_FILE, Encoder, claim, file_name
from streamer.recording.redact import description_without_home, without_folders, without_home
from streamer.session.description import SessionDescription
from streamer.session.sink import Sink

WRITE_S = 0.3
"""What has waited for so long is written; a process that is killed loses it and `TICK_S` more."""

TICK_S = 0.1

SYNC_S = 2.0
"""What was written is on the disk after so long: a power cut loses no more."""

BOUNDARY_S = 9.5
"""Of signal, or of time, so that with what waits there is a boundary every 10 s: damage costs at most
the stretch to the next one."""

WAITING_BYTES = 1 << 14
"""Of samples, about half a second: as much is written at once, however soon it has come."""

DISK_S = 5.0
"""The free space is looked at this often, ..."""

DISK_WINDOW_S = 60.0
"""... what became of it is judged over so long, ..."""

WARN_S = (600.0, 60.0)
"""... and this long before it will be used up, it is reported."""

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Recorder(Sink):
    """A sink: one new session file (docs/recording.md) in a folder.

    A disk that fills is reported 10 minutes ahead; a full one ends the recording, which stays valid
    up to there, and nothing else.  A session without a sample leaves no file.

    Parameters
    ----------
    folder : Path
        Made, for the user alone, where it does not exist.
    facts : mapping
        What the file is to say besides the session's description, as text or plain numbers: settings,
        the model file's hash, versions.
    tell : callable
        Takes what the other sinks should know (`Session.tell`).
    """

    name = "recorder"

    def __init__(self, folder: Path, facts: Mapping[str, Any], tell: Callable[[Event], None]) -> None:
        self._folder = folder
        self._facts = {key: without_folders(v) if isinstance(v, str) else v for key, v in facts.items()}
        self._tell = tell
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._failure: InputError | None = None
        self._untold = False  # it happened in the clock's thread, and it has not been raised yet
        self._chunks: list[Chunk] = []
        self._frames: list[Frame] = []
        self._events: list[Event] = []
        self._waiting = 0  # bytes, roughly
        self._waits_since_s = math.inf
        self._size = 0  # bytes of whole chunks in the file
        self._space: deque[tuple[float, int, int]] = deque()  # when, bytes free, bytes of ours
        self._warned = 0  # how many of WARN_S
        self._away = False  # whether it was told that the file is not under its name

    path: Path
    """The file, known from `open` on."""

    def open(self, description: SessionDescription) -> None:
        """Make the file.

        Raises
        ------
        InputError
            Where the folder cannot be written, or holds no more.
        """
        self._rate_hz = description.stream.rate_hz
        unix_s, host_s = time.time(), time.monotonic()
        self._encoder = Encoder(description_without_home(description), self._facts, unix_s, host_s)
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = self._new_file(unix_s)
        except OSError as error:
            raise self._refusal(error) from error
        if not claim(self._file):
            self._file.close()
            self.path.unlink(missing_ok=True)
            raise InputError(f"another process holds the new file in {self._folder}", Field.RECORDINGS)
        self._boundary_s, self._boundary_index = host_s, 0
        try:
            self._append(self._encoder.head())
            self._sync_folder()
        except OSError as error:
            self._file.close()
            self.path.unlink()
            raise self._refusal(error) from error
        self._ticker = threading.Thread(target=self._tick, name="recorder's clock", daemon=True)
        self._ticker.start()
        self._tell(RecordingStarted(without_home(str(self.path)), host_s=host_s))

    @property
    def size(self) -> int:
        """Bytes in the file so far."""
        return self._size

    def chunk(self, chunk: Chunk) -> None:
        """Keep a chunk; raises InputError once the disk is full."""
        with self._lock:
            self._chunks.append(chunk)
            self._wait_for(8 * len(chunk.lead_mv))

    def frame(self, frame: Frame) -> None:
        """Keep a frame; raises InputError once the disk is full."""
        with self._lock:
            self._frames.append(frame)
            self._wait_for(108 * len(frame.valid))

    def event(self, event: Event) -> None:
        """Keep an event; raises InputError once the disk is full."""
        with self._lock:
            self._events.append(event)
            self._wait_for(len(event.text))

    def close(self) -> None:
        """Write what still waits, and the end; removes a file without a sample."""
        self._ended.set()
        self._ticker.join()
        try:
            with self._lock:
                if self._failure is None:
                    self._flush()
                    self._refuse_removed()
                    try:
                        self._append(self._encoder.tail(time.monotonic(), time.time()))
                        os.fsync(self._file.fileno())
                    except OSError as error:
                        self._fail(error)
            if self._failure is not None and self._untold:
                raise self._failure
        finally:
            self._file.close()
            if not self._encoder.so_far.samples:
                self.path.unlink(missing_ok=True)

    # ---- writing, with the lock held

    def _wait_for(self, size: int) -> None:
        if self._failure is not None:
            self._untold = False
            raise self._failure
        now_s = time.monotonic()
        self._waiting += size
        self._waits_since_s = min(self._waits_since_s, now_s)
        if self._waiting >= WAITING_BYTES or now_s >= self._waits_since_s + WRITE_S:
            self._flush()

    def _flush(self) -> None:
        """Write all that waits; chunks before frames before events."""
        now_s = time.monotonic()
        chunks, self._chunks = self._chunks, []
        frames, self._frames = self._frames, []
        events, self._events = self._events, []
        self._waiting, self._waits_since_s = 0, math.inf
        encoder = self._encoder
        self._write(lambda: encoder.raw(chunks))
        self._write(lambda: encoder.frames(frames))
        self._write(lambda: encoder.events(events, now_s))
        newest = chunks[-1].stop if chunks else self._boundary_index
        signal_s = (newest - self._boundary_index) / self._rate_hz
        if now_s >= self._boundary_s + BOUNDARY_S or signal_s >= BOUNDARY_S:
            self._write(lambda: encoder.boundary(now_s, time.time()))
            self._boundary_s, self._boundary_index = now_s, newest

    def _write(self, encode: Callable[[], bytes]) -> None:
        """Encode and append, whole or not at all; raises InputError where the recording ends here."""
        before = self._encoder.mark()
        try:
            self._append(encode())
        except OSError as error:
            self._encoder.undo(before)
            self._fail(error)
        except InputError as error:
            self._encoder.undo(before)
            self._end(error)

    def _append(self, data: bytes) -> None:
        """Write all of it, or raise OSError with `_size` where it was."""
        left = memoryview(data)
        while left:
            left = left[self._file.write(left) :]
        self._size += len(data)

    def _fail(self, error: OSError) -> None:
        """Leave the file as it was before the write that failed, and closed if there is room for that."""
        self._file.truncate(self._size)
        why = "the disk is full" if error.errno in _FULL else f"{error.strerror}"
        path = without_home(str(self.path))  # it goes to every sink
        self._end(
            InputError(
                f"{why}: the recording ends here; {path} stays valid, so free some space and begin a new one"
            )
        )

    def _end(self, why: InputError) -> NoReturn:
        """Close the file and raise."""
        self._failure = why
        try:
            self._append(self._encoder.tail(time.monotonic(), time.time()))
        except OSError:  # of no use either: `mecg repair` can do it later
            self._file.truncate(self._size)
        raise why

    def _refuse_removed(self) -> None:
        """Raise if a user has removed the file, or its folder: what is written goes nowhere."""
        if os.name == "posix" and os.fstat(self._file.fileno()).st_nlink == 0:
            path = without_home(str(self.path))
            self._failure = RecordingLostError(
                f"{path} was removed while it was recorded: nothing of it is kept"
            )
            raise self._failure

    def _new_file(self, unix_s: float) -> FileIO:
        while True:
            self.path = self._folder / file_name(unix_s)
            try:
                return FileIO(os.open(self.path, NEW_FILE, 0o600), "wb")
            except FileExistsError:
                unix_s += 1e-3

    def _refusal(self, error: OSError) -> InputError:
        return InputError(f"nothing can be recorded in {self._folder} ({error.strerror})", Field.RECORDINGS)

    def _sync_folder(self) -> None:
        """The new name on the disk too."""
        if os.name == "posix":
            folder = os.open(self._folder, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    # ---- the clock's thread

    def _tick(self) -> None:
        synced_s = looked_s = time.monotonic()
        while not self._ended.wait(TICK_S):
            now_s = time.monotonic()
            try:
                with self._lock:
                    if self._failure is not None:
                        return
                    self._refuse_removed()
                    if now_s >= self._waits_since_s + WRITE_S:
                        self._flush()
                if now_s >= synced_s + SYNC_S:
                    synced_s = now_s
                    self._sync()  # without the lock: a slow disk holds up no write
            except InputError:
                self._untold = True  # the next call raises it
                return
            if now_s >= looked_s + DISK_S:
                looked_s = now_s
                self._watch_name(now_s)
                with suppress(OSError):  # a folder that is gone: that was said
                    self._watch_disk(now_s, shutil.disk_usage(self._folder).free)

    def _sync(self) -> None:
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            with self._lock:
                if self._failure is None:
                    self._fail(error)

    def _watch_name(self, now_s: float) -> None:
        """Tell once if the file has another name by now, or its disk is no longer where it was."""
        if self._away or os.name != "posix":
            return
        try:
            self._away = not os.path.samestat(self.path.stat(), os.fstat(self._file.fileno()))
        except OSError:
            self._away = True
        if self._away:
            path = without_home(str(self.path))
            said = f"{path} is no longer there: it was moved, or its disk was taken away; see that it is kept"
            self._tell(Notice(Topic.DISK, said, host_s=now_s))

    def _watch_disk(self, now_s: float, free: int) -> None:
        """Tell when the space will be used up soon: by us, or by everybody as of late."""
        self._space.append((now_s, free, self._size))
        while now_s - self._space[0][0] > DISK_WINDOW_S:
            self._space.popleft()
        then_s, free_then, size_then = self._space[0]
        if now_s - then_s < DISK_S / 2:
            return
        rate = max(self._size - size_then, free_then - free) / (now_s - then_s)
        left_s = free / rate if rate > 0 else math.inf
        near = sum(left_s < warn_s for warn_s in WARN_S)
        if near > self._warned:
            about = f"{left_s / 60:.0f} minutes" if left_s >= 90 else f"{left_s:.0f} s"
            self._tell(
                Notice(
                    Topic.DISK,
                    f"at this rate the disk is full in {about}, and the recording ends: free some space",
                    host_s=now_s,
                )
            )
        self._warned = near if left_s < 2 * WARN_S[0] else 0
