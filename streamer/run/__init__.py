# SPDX-License-Identifier: MIT
"""The run-time around the core: one source, many sinks."""
