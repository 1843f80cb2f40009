# SPDX-License-Identifier: MIT
"""Text that came from outside (a file, the network, a sensor), made fit to be shown."""

from __future__ import annotations


def printable(text: object, most: int | None = None) -> str:
    """Text in one line, without anything that a terminal would obey.

    Control characters, line and paragraph separators, marks that turn the direction of writing, lone
    surrogates and unassigned code points become their escapes, such as ``\\x1b``; white space becomes a
    blank.

    Parameters
    ----------
    text : object
        Its `str` is shown.
    most : int, optional
        A longer text is shortened in its middle to about so many characters.

    Returns
    -------
    str
        ``isprintable()``, and encodable in UTF-8.

    Examples
    --------
    >>> from streamer.core.printable import printable
    >>> printable("red \\x1b[31m\\nline")
    'red \\\\x1b[31m line'
    """
    shown = str(text)
    if most is not None and len(shown) > most:
        shown = f"{shown[: most // 2]}...{shown[-(most // 2) :]}"
    if shown.isprintable():
        return shown
    return "".join(
        c if c.isprintable() else " " if c.isspace() and c not in _NO_BLANKS else _escape(c) for c in shown
    )


_NO_BLANKS = "\x1c\x1d\x1e\x1f\x85"
"""White space to Python, controls to a terminal."""


def _escape(character: str) -> str:
    return (
        character.encode("ascii", "backslashreplace").decode()
        if ord(character) > 127
        else f"\\x{ord(character):02x}"
    )


def encodable(text: str) -> str:
    """The text with the escapes of its lone surrogates, such as those of a file name that is not UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode()
