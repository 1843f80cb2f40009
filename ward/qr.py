# SPDX-License-Identifier: GPL-3.0-or-later
"""A link as a QR code in the terminal."""

from __future__ import annotations

import io

import segno


def qr_lines(text: str) -> list[str]:
    """Lines of half blocks, dark on light whatever the terminal's colours."""
    drawn = io.StringIO()
    segno.make(text, micro=False).terminal(drawn, compact=True, border=2)
    return drawn.getvalue().splitlines()
