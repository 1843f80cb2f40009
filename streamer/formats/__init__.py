# SPDX-License-Identifier: MIT
"""Other people's file formats: bytes in, bytes out."""
