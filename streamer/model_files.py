# SPDX-License-Identifier: MIT
"""The models that come with the library, and any other ONNX file that states what it needs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from streamer.core.errors import Field, InputError

if TYPE_CHECKING:
    from streamer.core.network.network import Network

LATENCIES = ("low", "balanced", "full")
"""The bundled models, by how far they look ahead: a little, some, or as far as it pays."""

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
        return model.read_bytes()
    except OSError as error:
        if isinstance(error, FileNotFoundError) and (latency := latency_of(model)):
            raise InputError(
                f"this installation has no model for the latency {latency!r}", Field.MODEL
            ) from error
        raise InputError(f"the model {model} cannot be read: {error.strerror}") from error


def load_model(model: str | Path = "low") -> Network:
    """Load a model, check it against its own metadata, and run it once.

    Parameters
    ----------
    model : str or Path
        ``"low"``, ``"balanced"`` or ``"full"``: a bundled model, by how far it looks ahead.  The further,
        the closer the estimate, and the later it comes.  Anything else is the path of an ONNX file.

    Returns
    -------
    Network
        Any number of pipelines may share it.

    Raises
    ------
    InputError
        If the file cannot be read, or is not a model that fits.

    Examples
    --------
    >>> from streamer import load_model
    >>> load_model("low").spec.rate_hz
    250.0
    """
    from streamer.core.network.network import Network  # loads ONNX Runtime; a file's name needs none

    path = bundled_model(model) if isinstance(model, str) and model in LATENCIES else Path(model)
    content = model_bytes(path)
    try:
        return Network(content)
    except InputError as error:
        raise InputError(f"{model_name(path)}: {error}") from error
