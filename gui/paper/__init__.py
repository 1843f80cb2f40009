# SPDX-License-Identifier: GPL-3.0-or-later
"""ECG paper: its geometry in millimetres and how traces are drawn on it."""
