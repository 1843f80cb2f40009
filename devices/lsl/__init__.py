# SPDX-License-Identifier: MIT
"""Lab Streaming Layer: streams in, and twelve leads out."""
