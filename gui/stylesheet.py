# SPDX-License-Identifier: GPL-3.0-or-later
"""How the words around the paper look, in Qt's own style language."""

from __future__ import annotations

from gui.theme import Theme


def stylesheet(theme: Theme) -> str:
    """For the whole window; labels say what they are by properties and names."""
    return f"""
    QWidget#whole {{ background: {theme.bar}; }}
    QLabel {{ color: {theme.ink}; font-size: 14px; }}
    QLabel[heavy="true"] {{ font-weight: bold; }}
    QLabel[soft="true"] {{ color: {theme.soft_ink}; font-size: 13px; }}
    QLabel[warning="true"] {{ color: {theme.warning}; font-weight: bold; }}
    QLabel#frozen {{ background: {theme.warning}; color: {theme.bar}; font-weight: bold;
                     padding: 0px 10px; border-radius: 4px; }}
    QLabel#help {{ background: {theme.bar}; border: 1px solid {theme.soft_ink};
                   border-radius: 6px; padding: 10px; }}
    QLineEdit#note {{ background: {theme.bar}; color: {theme.ink}; font-size: 15px; padding: 6px;
                      border: 2px solid {theme.warning}; border-radius: 4px; }}
    """
