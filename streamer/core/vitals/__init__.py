# SPDX-License-Identifier: MIT
"""Beats, heart rate, signal quality and alarms."""
