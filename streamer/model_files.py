# SPDX-License-Identifier: MIT
"""The models that come with the library, and any other ONNX file that states what it needs."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from streamer.core.errors import Field, InputError
from streamer.core.network.parts import ALL_BANDS
from streamer.formats.bounded_read import read_bounded

if TYPE_CHECKING:
    from streamer.core.network.network import Network

LATENCIES = ("low", "balanced", "full")
"""The bundled models, by how far they look ahead: a little, some, or as far as it pays."""

LARGEST_BYTES = 64_000_000
"""Of a model file; ours take 2 MB."""

LOAD_S = 10.0
"""A model that is not ready after so much of the processor's time is refused: some run for ever."""

FOLDER = Path(__file__).parent / "models"


def bundled_model(latency: str = "low") -> Path:
    """Where the bundled model of one of `LATENCIES` is, or would be."""
    return FOLDER / f"mecgnet-{latency}.onnx"


def latency_of(model: Path) -> str | None:
    """Which of `LATENCIES` a model file is for; None if it is no bundled one."""
    return next((name for name in LATENCIES if model == bundled_model(name)), None)


def model_name(model: Path) -> str:
    """What a model file is called: a bundled one by its name, another by its path."""
    return model.name if latency_of(model) else str(model)


def model_bytes(model: Path) -> bytes:
    """The content of a model file.

    Raises
    ------
    InputError
        If it cannot be read.
    """
    try:
        return read_bounded(model, LARGEST_BYTES)
    except OSError as error:
        if isinstance(error, FileNotFoundError) and (latency := latency_of(model)):
            raise InputError(
                f"this installation has no model for the latency {latency!r}", Field.MODEL
            ) from error
        raise InputError(f"the model {model} cannot be read: {error.strerror}") from error


def load_model(model: str | Path = "low", bands: str = ALL_BANDS) -> Network:
    """Load a model, check it against its own metadata, and run it once.

    Parameters
    ----------
    model : str or Path
        ``"low"``, ``"balanced"`` or ``"full"``: a bundled model, by how far it looks ahead.  The further,
        the closer the estimate, and the later it comes.  Anything else is the path of an ONNX file.
    bands : str
        ``"low"``, ``"mid"`` or ``"all"``: how much of the model runs.  Its modules hear Lead I below 5 Hz,
        below 15 Hz, and all of it; fewer cost less, and give less (`Network.part`).

    Returns
    -------
    Network
        Any number of pipelines may share it.

    Raises
    ------
    InputError
        If the file cannot be read, is larger than `LARGEST_BYTES`, is not ready after `LOAD_S`, is no
        model that fits, or has no part of these bands.

    Examples
    --------
    >>> from streamer import load_model
    >>> load_model("low").spec.rate_hz
    250.0
    """
    path = bundled_model(model) if isinstance(model, str) and model in LATENCIES else Path(model)
    content = model_bytes(path)
    try:
        return _loaded(content).part(bands)
    except InputError as error:
        raise InputError(f"{model_name(path)}: {error}") from error


def _loaded(content: bytes) -> Network:
    """Load beside the caller's thread, which Ctrl-C reaches meanwhile: ONNX Runtime hears none."""
    from streamer.core.network.network import Cancellation, Network  # a file's name needs no ONNX Runtime

    cancellation, done = Cancellation(), threading.Event()
    ended: list[Network | Exception] = []

    def load() -> None:
        try:
            ended.append(Network(content, cancellation))
        except Exception as error:  # noqa: BLE001 - raised below, in the thread that asked
            ended.append(error)
        done.set()

    threading.Thread(target=load, name="model loader", daemon=True).start()
    ready = False
    begun_s = time.process_time()
    try:
        # Of the processor's time: where others have it, ten seconds of the clock may be none of ours.
        while not (ready := done.wait(LOAD_S / 10)) and time.process_time() - begun_s < LOAD_S:
            pass
    finally:
        if not ready:
            cancellation.cancel()
            done.wait(1.0)  # or the interpreter would end under its feet
    if not ready:
        raise InputError(f"the model is not ready after {LOAD_S:g} s: export one that ends", Field.MODEL)
    if isinstance(ended[0], Exception):
        raise ended[0]
    return ended[0]
