# SPDX-License-Identifier: MIT
"""Where the time of a frame went."""
