# SPDX-License-Identifier: MIT
"""The signal path: chunks of one lead in, frames of twelve leads out."""
