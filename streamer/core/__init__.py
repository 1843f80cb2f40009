# SPDX-License-Identifier: MIT
"""The pure core: chunks in, frames out; no thread, clock, file, window or radio."""
