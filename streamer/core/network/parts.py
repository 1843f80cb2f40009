# SPDX-License-Identifier: MIT
"""How much of a model runs: it has a module for each band, which hears itself and the slower ones."""

ALL_BANDS = "all"
BANDS_IN_WORDS = {"low": "low", "mid": "low and mid", ALL_BANDS: "all"}
"""As the user reads them, by the fastest band that is heard: below 5 Hz, below 15 Hz, the whole of the input
band."""
BANDS = tuple(BANDS_IN_WORDS)
