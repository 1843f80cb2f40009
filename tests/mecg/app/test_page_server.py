# SPDX-License-Identifier: GPL-3.0-or-later
"""What a page needs to be served, said before it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from mecg.app.page_server import ServeOptions, page_of_one_bed, page_server
from streamer.core.errors import InputError
from ward.bed import Beds

HERE = ("127.0.0.1", 0)


@pytest.mark.parametrize(
    "half",
    [
        ServeOptions(HERE, tls_certificate=Path("certificate.pem")),
        ServeOptions(HERE, tls_key=Path("key.pem")),
    ],
)
def test_a_certificate_without_its_key_is_refused_and_a_key_alone_too(half: ServeOptions) -> None:
    with pytest.raises(InputError, match="both files"):
        page_server(Beds(), half)


def test_a_page_without_tls_needs_neither_of_its_files() -> None:
    pytest.importorskip("uvicorn")
    server = page_server(Beds(), ServeOptions(HERE))
    server.start()
    server.stop()
    assert server.link.startswith("http://127.0.0.1:")


def test_without_an_address_there_is_no_page() -> None:
    with page_of_one_bed(ServeOptions()) as bed:
        assert bed is None
