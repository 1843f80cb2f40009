# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gui.paper.viewport import Covered, Viewport, column_of

viewports = st.builds(
    Viewport,
    edge=st.integers(-50, 10_000),
    width=st.integers(1, 300),
    sweep=st.booleans(),
    bar=st.integers(0, 40),
)


@given(viewports)
def test_each_seen_column_stands_in_one_place_and_is_found_there(viewport: Viewport) -> None:
    for column in range(viewport.oldest, viewport.edge + 1):
        x = viewport.place(column)
        assert x is not None and 0 <= x < viewport.width
        assert viewport.column(x) == column
        assert viewport.column(x + 0.5) == column + 0.5
    assert viewport.place(viewport.edge + 1) is None
    assert viewport.place(viewport.oldest - 1) is None
    assert viewport.column(-0.1) is None and viewport.column(viewport.width) is None


@given(viewports)
def test_the_pieces_put_each_column_from_the_ring_into_its_place(viewport: Viewport) -> None:
    shown: dict[int, int] = {}
    for to, at, columns in viewport.pieces():
        assert columns > 0 and at >= 0 and at + columns <= viewport.width and to + columns <= viewport.width
        shown |= {to + k: at + k for k in range(columns)}
    expected = {}
    for column in range(viewport.oldest, viewport.edge + 1):
        x = viewport.place(column)
        assert x is not None
        expected[int(x)] = column % viewport.width
    assert shown == expected


def test_columns_grow_with_time() -> None:
    assert column_of(0.0, 94.5) == 0
    assert column_of(-0.001, 94.5) == -1
    assert column_of(1.0, 94.5) == 94


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(1, 120), st.integers(0, 20)), max_size=30))
def test_everything_wanted_is_drawn_and_nothing_twice_that_was_finished(
    wants: list[tuple[int, int, int]],
) -> None:
    covered = Covered()
    there: set[int] = set()
    for first, width, unfinished in wants:
        stop = first + width
        drawn = [set(range(a, b)) for a, b in covered.missing(first, stop)]
        there &= set(range(first, stop))
        for some in drawn:
            assert not some & there
            there |= some
        assert there == set(range(first, stop))
        covered.unfinished(stop - unfinished)
        there -= set(range(stop - unfinished, stop))


@pytest.mark.parametrize("sweep", [False, True])
def test_a_screen_that_moves_on_draws_few_columns(sweep: bool) -> None:
    covered, drawn = Covered(), 0
    covered.missing(0, 900)
    for edge in range(900, 2000, 3):
        viewport = Viewport(edge, 900, sweep, 19)
        drawn += sum(b - a for a, b in covered.missing(viewport.oldest, viewport.edge + 1))
        covered.unfinished(edge - 3)
    assert drawn < 2.5 * (2000 - 900) + 10
    assert np.isfinite(drawn)
