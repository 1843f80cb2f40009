# SPDX-License-Identifier: MIT
"""Our own session file: written, read, listed, repaired and replayed."""
