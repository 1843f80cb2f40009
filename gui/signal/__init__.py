# SPDX-License-Identifier: GPL-3.0-or-later
"""What the window holds of a stream: inbox, history, playout and the frozen view; no Qt."""
