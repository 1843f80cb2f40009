# SPDX-License-Identifier: MIT
"""From samples at any rate to bands and windows, and from windows back to leads."""
