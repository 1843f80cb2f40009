# SPDX-License-Identifier: MIT
"""liblsl through pylsl: loaded when it is needed, kept quiet, its clock compared with ours."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from streamer.core.errors import InputError

OFFSET_S = 0.02
"""The two clocks are compared for so long: Windows' coarse one ticks every 16 ms."""


def load_pylsl() -> Any:
    """The module `pylsl`.

    Raises
    ------
    InputError
        It is missing, or finds no liblsl.
    """
    try:
        import pylsl
    except (ImportError, RuntimeError, OSError) as error:  # pylsl raises RuntimeError without liblsl
        reason = str(error).split(".")[0]
        raise InputError(
            f"LSL cannot be used here ({reason}): pip install pylsl, and where its wheel brings no liblsl, "
            "name one in PYLSL_LIB"
        ) from error
    _quieten(pylsl)
    return pylsl


def _quieten(lsl: Any) -> None:
    """Keep liblsl's log off stderr, where this program says itself what happens.

    A user's own configuration of liblsl has a say in its log too, and nothing is touched.  The
    first use of liblsl reads it; later calls of this change nothing.
    """
    named = os.environ.get("LSLAPICFG", "")
    places = [Path(named) if named else None, Path("lsl_api.cfg"), Path("/etc/lsl_api/lsl_api.cfg")]
    places.append(Path(os.path.expanduser("~/lsl_api/lsl_api.cfg")))  # noqa: PTH111 - never raises
    if not any(place is not None and place.is_file() for place in places):
        with suppress(NotImplementedError):  # liblsl before 1.17.7
            lsl.set_config_content("[log]\nlevel = -3\n")


class LslClock:
    """From the host's monotonic clock to LSL's: on most systems one and the same, but not promised."""

    def __init__(self, local_clock: Callable[[], float]) -> None:
        self.offset_s = float("inf")
        """LSL's time less the host's."""
        end_s = time.perf_counter() + OFFSET_S
        while time.perf_counter() < end_s:
            host_s = time.monotonic()
            # Whatever comes between the two readings makes this larger, never smaller.
            self.offset_s = min(self.offset_s, local_clock() - host_s)

    def of(self, host_s: float) -> float:
        """An instant of the monotonic clock on LSL's."""
        return host_s + self.offset_s
