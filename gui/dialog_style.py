# SPDX-License-Identifier: GPL-3.0-or-later
"""How dialogs look: they hang on the window and would take half of its colours by themselves."""

from __future__ import annotations

from gui.theme import Theme


def dialog_style(theme: Theme) -> str:
    """In Qt's own style language."""
    field = f"background: {theme.paper}; color: {theme.ink}; border: 1px solid {theme.soft_ink};"
    return f"""
    QDialog {{ background: {theme.bar}; }}
    QLabel, QCheckBox {{ color: {theme.ink}; font-size: 14px; background: transparent; }}
    QLabel[soft="true"] {{ color: {theme.soft_ink}; font-size: 13px; }}
    QLabel[warning="true"] {{ color: {theme.warning}; font-weight: bold; }}
    QLineEdit, QDoubleSpinBox, QComboBox, QTreeWidget, QTextBrowser, QAbstractItemView {{
        {field} font-size: 14px; selection-background-color: {theme.reconstructed};
        selection-color: {theme.bar}; }}
    QCheckBox::indicator {{ width: 13px; height: 13px; {field} border-radius: 2px; }}
    QCheckBox::indicator:checked {{ background: {theme.reconstructed}; border: 3px solid {theme.paper};
                                    outline: 1px solid {theme.soft_ink}; }}
    QLineEdit, QDoubleSpinBox, QComboBox {{ padding: 3px; border-radius: 3px; }}
    QHeaderView::section {{ background: {theme.bar}; color: {theme.soft_ink}; border: none; padding: 3px; }}
    QPushButton {{ color: {theme.ink}; background: {theme.paper}; border: 1px solid {theme.soft_ink};
                   border-radius: 4px; padding: 5px 14px; font-size: 14px; }}
    QPushButton:default {{ border: 2px solid {theme.reconstructed}; }}
    QPushButton:disabled {{ color: {theme.soft_ink}; border-color: {theme.grid_5_mm}; }}
    """
