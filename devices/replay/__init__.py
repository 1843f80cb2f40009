# SPDX-License-Identifier: MIT
"""Recorded and synthetic signals, played as streams."""
