# SPDX-License-Identifier: GPL-3.0-or-later
"""Records that are made by chance."""

import numpy as np
import pytest

from training.data import Records


@pytest.fixture(scope="session")
def records() -> Records:
    rng = np.random.default_rng(3)
    walk = np.cumsum(rng.normal(0, 20, (6, 8, 1000)), axis=2)
    ids = np.arange(6)
    return Records(ids, ids, (walk - walk.mean(axis=2, keepdims=True)).astype(np.int16))
