# SPDX-License-Identifier: GPL-3.0-or-later
"""What every command of the training has in common: bad input ends it in one line."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import torch

from streamer.core.errors import InputError
from training import config as configuration


def ended_in_one_line(main: Callable[[], int | None]) -> int:
    """Run a command; what is wrong with its input is one line and exit status 2, never a traceback.

    Returns
    -------
    int
        The command's own status, 0 where it has none.
    """
    try:
        return main() or 0
    except InputError as error:
        _end(str(error))
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError) as error:
        _end(f"{error.filename} cannot be used ({error.strerror}): name another")


def _end(words: str) -> NoReturn:
    print(f"{Path(sys.argv[0]).stem}: {' '.join(words.split())}", file=sys.stderr)
    raise SystemExit(2)


def checkpoint_of(run: Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """What a run's folder keeps of its training.

    Raises
    ------
    InputError
        Where there is none, or it is broken.
    """
    path = run if run.is_file() else run / "checkpoint.pt"
    try:
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    except FileNotFoundError as error:
        raise InputError(f"{run} holds no checkpoint.pt: name a run's folder, or train it first") from error
    except (RuntimeError, EOFError, OSError, ValueError, pickle.UnpicklingError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path} is no checkpoint ({reason}): train again") from error
    if not isinstance(state, dict) or "average" not in state:
        raise InputError(f"{path} is no checkpoint of a network (it holds no averaged weights): train again")
    return state


def folds_of(run: Path, state: dict[str, Any]) -> set[int]:
    """All folds that the weights of a run's checkpoint have learnt from, those of runs before it too."""
    known = state.get("folds")
    if known is None:  # a checkpoint from before they were kept
        known = configuration.configured(configuration.facts(run / "config.json")).folds
    return set(known)


def filled(network: torch.nn.Module, weights: dict[str, Any], of: Path) -> None:
    """Give a network these weights.

    Raises
    ------
    InputError
        Where they are those of a network of another shape.
    """
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise InputError(
            f"the weights of {of} are those of another network: its config.json was changed, or it differs "
            "in its modules"
        ) from error
