# SPDX-License-Identifier: GPL-3.0-or-later
"""A model whose output is known, so that the commands can be held to it."""

from pathlib import Path

import pytest

from tests.streamer.known_network import scaled_identity


@pytest.fixture(scope="session")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "identity.onnx"
    path.write_bytes(scaled_identity())
    return path


@pytest.fixture(scope="session")
def banded_model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same leads, and a scale."""
    path = tmp_path_factory.mktemp("model") / "banded.onnx"
    path.write_bytes(scaled_identity(scale=True))
    return path
