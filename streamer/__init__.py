# SPDX-License-Identifier: MIT
"""The signal path: chunks of one lead in, frames of twelve leads out."""

from streamer.session.numba_setup import find_cache_place

find_cache_place()
