# SPDX-License-Identifier: MIT
"""What all live sources share: the feed, the timeline of packets, the clock fit."""
