# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: the only place that composes core, run-time, devices and window."""

__version__ = "0.1.0"
