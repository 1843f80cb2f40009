# SPDX-License-Identifier: MIT
"""OpenBCI and some sixty other boards, through the BrainFlow library."""
