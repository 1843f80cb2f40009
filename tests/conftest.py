# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests of several folders share."""

import os
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from streamer.core.network.network import Network
from tests.streamer.known_network import scaled_identity

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # pandas' deprecations are not ours
    import wfdb  # noqa: F401


# How long an example takes is no promise: on a busy machine a good one may take more than the usual 200 ms.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")

LOOPBACK = """\
[ports]
IPv6 = disable
[multicast]
ResolveScope = machine
AddressesOverride = {127.0.0.1}
Interfaces = {127.0.0.1}
ListenAddress = 127.0.0.1
[lab]
KnownPeers = {127.0.0.1}
SessionID = test-%d
"""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Long tests that are given the most time begin first: else all would wait for one at the end."""
    if config.option.markexpr == "long":
        items.sort(key=lambda item: -max((mark.args[0] for mark in item.iter_markers("timeout")), default=0))


@pytest.fixture(scope="session", autouse=True)
def lsl_loopback(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep LSL on this machine, in this process and its children: no packet leaves, no peer is heard,
    not even another test run beside this one.

    liblsl reads its configuration once, at first use, so this must come before any test.
    """
    path = tmp_path_factory.mktemp("lsl") / "lsl_api.cfg"
    path.write_text(LOOPBACK % os.getpid(), encoding="ascii")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(os.environ, "LSLAPICFG", str(path))
        yield path


@pytest.fixture(scope="session")
def network() -> Network:
    return Network(scaled_identity())


@pytest.fixture(scope="session")
def banded_network() -> Network:
    """The same leads, and a scale."""
    return Network(scaled_identity(scale=True))
