# SPDX-License-Identifier: GPL-3.0-or-later
"""Where each millisecond of a session goes: measured, summed up, compared, reported."""
