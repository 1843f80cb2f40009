# SPDX-License-Identifier: MIT
"""The run-time around the pure core: one source, many sinks, threads and clocks."""
