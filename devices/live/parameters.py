# SPDX-License-Identifier: MIT
"""What stands behind the question mark of a SOURCE: ``NAME?key=value&key=value``."""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import unquote

from streamer.core.errors import InputError


def parameters_of(rest: str, known: Collection[str], scheme: str) -> tuple[str, dict[str, list[str]]]:
    """Split what follows a scheme into its head and its parameters; a plus sign stays one.

    Raises
    ------
    InputError
        A parameter that is not known, or that has no value.
    """
    head, _, query = rest.partition("?")
    given: dict[str, list[str]] = {}
    for part in query.split("&") if query else ():
        name, _, value = part.partition("=")
        if name not in known:
            raise InputError(f"{scheme}: knows no {name!r}; it takes {', '.join(known)}")
        if not value:
            raise InputError(f"{scheme}: {name} has no value; write {name}=VALUE, or leave it out")
        given.setdefault(name, []).append(unquote(value))
    return head, given


def the_one(given: dict[str, list[str]], name: str) -> str | None:
    """The value of a parameter that is given once, or not at all: None.

    Raises
    ------
    InputError
        It is given twice.
    """
    values = given.get(name, [])
    if len(values) > 1:
        raise InputError(f"{name} is given {len(values)} times; give it once")
    return values[0] if values else None


def number_of(given: dict[str, list[str]], name: str, least: float, most: float) -> float | None:
    """The value of a parameter that is a number; None if it is not given.

    Raises
    ------
    InputError
        It is no number, or out of its range.
    """
    text = the_one(given, name)
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not least <= value <= most:
        raise InputError(f"{name}={text} is no number from {least:g} to {most:g}; change it")
    return value
