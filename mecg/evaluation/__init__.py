# SPDX-License-Identifier: GPL-3.0-or-later
"""How close the twelve leads come to measured ones: scores, intervals, tables."""
