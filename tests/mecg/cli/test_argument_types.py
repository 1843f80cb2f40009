# SPDX-License-Identifier: GPL-3.0-or-later
"""What is taken for a value of an option, and what is refused."""

from __future__ import annotations

import argparse

import pytest

from mecg.cli.argument_types import address


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:8912", "127.0.0.1", 8912),
        ("localhost:0", "localhost", 0),
        ("[::1]:8912", "::1", 8912),
        ("0.0.0.0:65535", "0.0.0.0", 65535),
    ],
)
def test_an_address_is_a_host_and_a_port(text: str, host: str, port: int) -> None:
    assert address(text) == (host, port)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("8912", "no ADDRESS:PORT"),
        (":8912", "no ADDRESS:PORT"),
        ("[]:8912", "no ADDRESS:PORT"),
        ("::1:8912", "no ADDRESS:PORT"),
        ("localhost:٨٩", "no ADDRESS:PORT"),
        ("localhost:", "no port from 0 to 65535"),
        ("localhost:http", "no port from 0 to 65535"),
        ("localhost:65536", "no port from 0 to 65535"),
        ("localhost:-1", "no port from 0 to 65535"),
    ],
)
def test_an_address_that_lacks_a_part_is_refused(text: str, why: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=why):
        address(text)
