# SPDX-License-Identifier: MIT
"""Data classes to plain JSON values and back; what comes back is checked field by field."""

from __future__ import annotations

import dataclasses
import math
import types
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from streamer.core.printable import encodable


def plain(value: Any) -> Any:
    """A dataclass, and what it holds, as plain JSON types; NaN is null."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {encodable(str(key)): plain(item) for key, item in value.items()}
    if isinstance(value, frozenset):
        return sorted(plain(item) for item in value)
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return encodable(value) if isinstance(value, str) else value


T = TypeVar("T")


def built(cls: type[T], facts: Any) -> T:
    """A dataclass from what `plain` made of one, of this version or another.

    Raises
    ------
    ValueError
        Where a field is missing that has no default, or one is of the wrong kind.
    """
    if not isinstance(facts, dict):
        raise ValueError(f"no {cls.__name__}")
    hints = get_type_hints(cls)
    given = {
        field.name: _fit(hints[field.name], facts[field.name])
        for field in dataclasses.fields(cls)  # type: ignore[arg-type]
        if field.name in facts
    }
    try:
        return cls(**given)
    except TypeError as error:
        raise ValueError(str(error)) from error


def _fit(hint: Any, value: Any) -> Any:
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return None if value is None else _fit(next(a for a in get_args(hint) if a is not type(None)), value)
    if origin is tuple and isinstance(value, list):
        return tuple(_fit(get_args(hint)[0], item) for item in value)
    if origin is frozenset and isinstance(value, list):
        return frozenset(_fit(get_args(hint)[0], item) for item in value)
    if origin is not None and issubclass(origin, Mapping) and isinstance(value, dict):
        return types.MappingProxyType(
            {encodable(key): _fit(get_args(hint)[1], item) for key, item in value.items()}
        )
    if isinstance(hint, type):
        if dataclasses.is_dataclass(hint):
            return built(hint, value)
        if issubclass(hint, Enum):
            return hint(value)
        if hint is float and value is None:
            return math.nan
        if hint is float and isinstance(value, int | float) and abs(value) < 1e300:
            return float(value)
        if hint is str and isinstance(value, str):
            return encodable(value)
        if hint is int and (isinstance(value, bool) or not isinstance(value, int) or abs(value) >= 1 << 62):
            raise ValueError("no whole number that can be")
        if isinstance(value, hint):
            return value
    raise ValueError(f"{value!r:.40} is not {hint}")


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_UNIX_S = -86400.0
_LAST_UNIX_S = 253e9
"""Years 1970 to 9987: some years of recording lie between it and the last date that there is."""


def finite(value: Any) -> float:
    """A number from a file; raises ValueError where it is none that can be."""
    if not isinstance(value, int | float) or not abs(value) < 1e15:
        raise ValueError(f"{value!r:.40} is no number that can be")
    return float(value)


def wall_clock(unix_s: Any) -> datetime:
    """UTC; raises ValueError if that is no date from `_FIRST_UNIX_S` to `_LAST_UNIX_S`."""
    if not _FIRST_UNIX_S <= finite(unix_s) <= _LAST_UNIX_S:
        raise ValueError("a date that cannot be")
    return _EPOCH + timedelta(seconds=float(unix_s))
