# SPDX-License-Identifier: GPL-3.0-or-later
"""The network of `known_network`, loaded once."""

import pytest

from streamer.core.network.network import Network
from tests.streamer.known_network import scaled_identity


@pytest.fixture(scope="session")
def network() -> Network:
    return Network(scaled_identity())


@pytest.fixture(scope="session")
def banded_network() -> Network:
    """The same leads, and a scale."""
    return Network(scaled_identity(scale=True))
