# SPDX-License-Identifier: GPL-3.0-or-later
"""The status line on a terminal."""

from __future__ import annotations

import io

import pytest

from streamer.core.network.network import Network
from streamer.core.pipeline import Pipeline
from streamer.core.stream import StreamInfo
from streamer.session.description import SessionDescription
from streamer.session.status_line import StatusLine


class Terminal(io.StringIO):
    """A text stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("columns", [20, 33])
def test_the_line_fills_a_terminal_up_to_its_last_column(
    columns: int, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What stands in the last one as well makes some terminals begin another line, and the old one stays."""
    monkeypatch.setenv("COLUMNS", str(columns))
    info = StreamInfo("wfdb:s0010_re", 500.0, lead="i")
    out = Terminal()
    line = StatusLine(out, lambda: 0)
    line.open(SessionDescription.of(info, network.spec, Pipeline(info, network).latency))
    whole = line.text()
    assert len(whole) > 40
    line.close()
    painted = out.getvalue().split("\r\x1b[K")
    assert painted[0] == ""
    assert set(painted[1:-1]) <= {whole[: columns - 1]} and painted[-1] == f"{whole[: columns - 1]}\n"
