# SPDX-License-Identifier: GPL-3.0-or-later
"""Windows that ask: connect, calibrate, alarm limits, model limits, pages."""
