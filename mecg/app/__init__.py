# SPDX-License-Identifier: GPL-3.0-or-later
"""Composition: sources, models, sessions and the window are put together here."""
