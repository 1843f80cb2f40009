# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands around the paper: header, numbers, alarms, latency, replay bar."""
