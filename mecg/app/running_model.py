# SPDX-License-Identifier: GPL-3.0-or-later
"""The model of a session that runs: how much of it is used can change on the way."""

from __future__ import annotations

from streamer.core.network.network import Network
from streamer.core.network.parts import ALL_BANDS
from streamer.core.pipeline import Pipeline


class RunningModel:
    """As the window asks it; see `gui.controller.RunningModel`.

    Parameters
    ----------
    pipeline : Pipeline
        With a network for nobody in particular: a person's correction is learned from the whole.
    """

    def __init__(self, pipeline: Pipeline, network: Network) -> None:
        self._pipeline, self._network = pipeline, network
        self._shows_parts = False

    @property
    def shows_parts(self) -> bool:
        """Whether frames have `Frame.parts`."""
        return self._shows_parts

    @shows_parts.setter
    def shows_parts(self, wanted: bool) -> None:
        self._shows_parts = wanted
        self._pipeline.show_parts(wanted)

    @property
    def bands(self) -> tuple[str, ...]:
        """What `use` takes, the least first."""
        return self._network.whole.bands

    @property
    def used(self) -> str:
        """Which of them runs."""
        return str(self._network.spec.about.get("bands", ALL_BANDS))

    @property
    def words(self) -> str:
        """Its name and version, and that of the part."""
        return f"{self._network.spec.name} {self._network.spec.version}"

    def use(self, bands: str) -> None:
        """Go on with as much of the model as hears no faster bands than these."""
        self._network = self._network.whole.part(bands)
        self._pipeline.use(self._network)
