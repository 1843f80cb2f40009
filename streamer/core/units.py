# SPDX-License-Identifier: MIT
"""Units of voltage as files, streams and users spell them."""

from __future__ import annotations

import math
import re
import unicodedata
from functools import lru_cache

from streamer.core.errors import Field, InputError

_MV_PER = {"": 1e3, "m": 1.0, "milli": 1.0, "u": 1e-3, "μ": 1e-3, "mc": 1e-3, "micro": 1e-3}
_MV_PER |= {"n": 1e-6, "nano": 1e-6}
_MV_PER |= {"м": 1.0, "милли": 1.0, "мк": 1e-3, "микро": 1e-3, "mikro": 1e-3, "mili": 1.0, "мікро": 1e-3}
_MV_PER |= {"ミリ": 1.0, "マイクロ": 1e-3, "毫": 1.0, "微": 1e-3, "밀리": 1.0, "마이크로": 1e-3}
_VOLT = r"(?:v(?:olts?|oltios?)?|в|вольта?|ボルト|伏特?|볼트)"
_UNIT = re.compile(rf"({'|'.join(sorted(_MV_PER, key=len, reverse=True))})[ \-_]?{_VOLT}")
_NUMBER = re.compile(r"([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)(.*)")
_PER_STEP = re.compile(r"\s*(?:/|per )\s*(?:lsb|bit|count|step|digit|adu|unit)s?$")

_NOT_STATED = re.compile(
    r"n/?a|nan|nil|null|none|un(?:known|defined|specified|itless)|no(?:t|)(?:specified|stated|available|units?)"
    r"|units?|dimensionless|au|arb(?:itrary)?(?:units?)?|1|[-–—*/?]*"
)


@lru_cache(1024)  # an archive's records all have the same
def mv_per_unit(text: str) -> float | None:
    """Millivolts to one of a unit; None if it is no voltage.

    Parameters
    ----------
    text : str
        Such as ``uV``, ``microvolts``, ``mVolt``, ``[mV]``, ``nanovolts``, ``V``; also a number of them,
        ``0.38 uV``, and ``uV/LSB``.  Capitals mean nothing: nobody measures an ECG in megavolts.

    Examples
    --------
    >>> mv_per_unit("microV"), mv_per_unit("mVolts"), mv_per_unit("mmHg")
    (0.001, 1.0, None)
    """
    unit = _plain(text)
    if len(unit) > 2 and unit[0] + unit[-1] in ("()", "[]", "{}"):
        unit = unit[1:-1].strip()
    unit = _PER_STEP.sub("", unit)
    number = _NUMBER.fullmatch(unit)
    steps = float(number[1]) if number else 1.0
    spelled = _UNIT.fullmatch((number[2] if number else unit).strip(" _"))
    if spelled is None or not 0 < abs(steps) < math.inf:
        return None
    return steps * _MV_PER[spelled[1]]


def is_not_stated(text: str) -> bool:
    """Whether what stands for a unit says that there is none: empty, ``n/a``, ``-``, ``a.u.``."""
    word = re.sub(r"[\s_.()\[\]{}<>]", "", _plain(text))
    return _NOT_STATED.fullmatch(word) is not None


def mv_per_step(text: str) -> float:
    """What a user says of numbers whose unit is not known: a unit, or how many mV a step is.

    Raises
    ------
    InputError
        It is neither.
    """
    try:
        step_mv: float | None = float(text)
    except ValueError:
        step_mv = mv_per_unit(text)
    if step_mv is None or not 0 < abs(step_mv) < math.inf:
        raise InputError(
            f"{text!r} is no unit of voltage: give uV, mV, V or nV, or how many mV a step is, such as 0.0005",
            Field.UNIT,
        )
    return step_mv


def _plain(text: str) -> str:
    """Small letters; one mu for two, and for the one that was read in the wrong encoding."""
    return unicodedata.normalize("NFKC", text.replace("Âµ", "µ").replace("Î¼", "µ")).casefold().strip()
