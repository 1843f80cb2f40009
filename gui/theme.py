# SPDX-License-Identifier: GPL-3.0-or-later
"""The two looks of the monitor, and their style sheets; no Qt.

Measured and reconstructed differ in lightness and weight as well as in hue, for anyone who does not
see the hue: black and blue on paper, yellow and sky blue (Okabe and Ito) on the dark screen.  What was
measured to compare with is vermilion, or salmon on the dark screen.  Every kind of eye tells them apart.
"""

from __future__ import annotations

from dataclasses import dataclass

LEAST_PX = 32
"""No button that is used while a stream runs is smaller, for fingers."""


ALARM_HIGH, ALARM_MEDIUM, ALARM_TECHNICAL = "#c8001e", "#ffd21f", "#35c8e8"
"""Of alarms, in both themes: red and yellow as IEC 60601-1-8 has them, cyan if the heart is not watched."""
ALARM_INKS = {ALARM_HIGH: "#ffffff", ALARM_MEDIUM: "#000000", ALARM_TECHNICAL: "#000000"}
"""What is written on them."""


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours as ``#rrggbb``."""

    name: str
    paper: str
    grid_1_mm: str
    grid_5_mm: str
    measured: str
    reconstructed: str
    truth: str
    """Leads that were measured, laid over the reconstructed ones."""
    settling: str
    """Traces while the filters settle, or while the input is not to be trusted."""
    ink: str
    soft_ink: str
    bar: str
    """Ground of the bars above and below the paper."""
    warning: str
    recording: str
    """The word REC."""
    ribbon: str
    """The 90 % band, ``#aarrggbb``."""
    alternative: str
    """Plausible alternatives to what was reconstructed, ``#aarrggbb``."""


LIGHT = Theme(
    name="light",
    paper="#fffaf8",
    grid_1_mm="#fae5e1",
    grid_5_mm="#f0bdb6",
    measured="#000000",
    reconstructed="#0b5394",
    truth="#c04f00",
    settling="#a9a9b4",
    ink="#1a1a1a",
    soft_ink="#5c5c5c",
    bar="#ffffff",
    warning="#a12b00",
    recording="#c00000",
    ribbon="#420b5394",
    alternative="#b08a4fa8",
)

DARK = Theme(
    name="dark",
    paper="#0a0f14",
    grid_1_mm="#141f28",
    grid_5_mm="#263745",
    measured="#f7e04b",
    reconstructed="#63bff0",
    truth="#f07f7f",
    settling="#53616d",
    ink="#eef2f5",
    soft_ink="#9fb0bd",
    bar="#10171e",
    warning="#ff9a66",
    recording="#ff6b6b",
    ribbon="#4863bff0",
    alternative="#b0c79be8",
)


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
    QCheckBox {{ padding-right: 8px; }}
    QCheckBox::indicator {{ width: 13px; height: 13px; {field} border-radius: 2px; }}
    QCheckBox::indicator:checked {{ background: {theme.reconstructed}; border: 3px solid {theme.paper};
                                    outline: 1px solid {theme.soft_ink}; }}
    QLineEdit, QDoubleSpinBox, QComboBox {{ padding: 3px; border-radius: 3px; }}
    QDoubleSpinBox {{ min-height: 28px; padding-right: 34px; }}
    QDoubleSpinBox::up-button, QDoubleSpinBox::down-button {{ width: 32px; background: {theme.bar};
        border-left: 1px solid {theme.soft_ink}; }}
    QDoubleSpinBox::up-arrow, QDoubleSpinBox::down-arrow {{ width: 0px; height: 0px;
        border-left: 5px solid {theme.bar}; border-right: 5px solid {theme.bar}; }}
    QDoubleSpinBox::up-arrow {{ border-bottom: 6px solid {theme.ink}; }}
    QDoubleSpinBox::down-arrow {{ border-top: 6px solid {theme.ink}; }}
    QHeaderView::section {{ background: {theme.bar}; color: {theme.soft_ink}; border: none; padding: 3px; }}
    QPushButton {{ color: {theme.ink}; background: {theme.paper}; border: 1px solid {theme.soft_ink};
                   border-radius: 4px; padding: 5px 14px; font-size: 14px; }}
    QPushButton:focus, QCheckBox:focus, QTreeWidget:focus, QLineEdit:focus, QDoubleSpinBox:focus,
    QComboBox:focus {{ border: 2px solid {theme.measured}; }}
    QPushButton {{ min-height: 20px; }}
    QCheckBox {{ min-height: 32px; }}
    QPushButton:default {{ border: 2px solid {theme.reconstructed}; }}
    QPushButton:disabled {{ color: {theme.soft_ink}; border-color: {theme.grid_5_mm}; }}
    """


def _menu_style(theme: Theme) -> str:
    return f"""
    QMenuBar, QMenu {{ background: {theme.bar}; color: {theme.ink}; font-size: 14px; }}
    QMenu {{ border: 1px solid {theme.soft_ink}; padding: 4px; }}
    QMenu::item {{ padding: 7px 24px 7px 30px; min-height: 18px; }}
    QMenu::item:selected, QMenuBar::item:selected {{ background: {theme.reconstructed}; color: {theme.bar}; }}
    QMenu::indicator {{ width: 11px; height: 11px; left: 9px; border: 1px solid {theme.soft_ink};
                        border-radius: 2px; background: {theme.paper}; }}
    QMenu::indicator:checked {{ background: {theme.ink}; width: 9px; height: 9px;
                                border: 2px solid {theme.soft_ink}; }}
    """


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
    QScrollArea#help {{ background: {theme.bar}; border: 1px solid {theme.soft_ink}; border-radius: 6px; }}
    QLabel#keys {{ background: {theme.bar}; padding: 8px; }}
    QToolBar#actions {{ background: {theme.bar}; border: none; spacing: 2px; padding: 0px 6px; }}
    QToolButton {{ color: {theme.ink}; background: transparent; font-size: 14px;
                   border: 2px solid transparent; border-radius: 4px; padding: 1px 6px; min-height: 26px; }}
    QToolButton:hover {{ background: {theme.grid_1_mm}; }}
    QToolButton:focus {{ border: 2px solid {theme.reconstructed}; }}
    QToolButton:checked {{ background: {theme.reconstructed}; color: {theme.bar}; }}
    QToolButton[popupMode="2"] {{ padding-right: 17px; }}
    QToolButton::menu-indicator {{ subcontrol-position: right center; right: 3px; }}
    QToolButton[recording="true"], QToolButton[recording="true"]:checked {{ background: transparent;
                   color: {theme.recording}; font-weight: bold; border: 2px solid {theme.recording}; }}
    QToolButton#qt_toolbar_ext_button {{ background: {theme.soft_ink}; min-width: 14px; padding: 0px; }}
    {_menu_style(theme)}
    QLineEdit#note {{ background: {theme.bar}; color: {theme.ink}; font-size: 15px; padding: 6px;
                      border: 2px solid {theme.warning}; border-radius: 4px; }}
    """
