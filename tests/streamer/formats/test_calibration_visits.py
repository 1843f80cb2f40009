"""A calibration's file keeps what each visit said, so that a later one can be added."""

import io
import json
import zipfile
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.core.calibration.fit import reference_towards
from streamer.core.calibration.visits import MOST_VISITS, Visit, combined, visit_of
from streamer.core.errors import InputError
from streamer.core.network.network import Network
from streamer.formats.calibration_file import (
    from_bytes,
    read_calibration,
    read_with_visits,
    to_bytes,
    with_visits_from_bytes,
    write,
)
from tests.streamer.core.calibration.test_correction import ORIGIN, RATE_HZ, known_head, lead, truth_of
from tests.streamer.core.person_model import person_model, prior


@pytest.fixture(scope="module")
def visits() -> list[Visit]:
    network = Network(person_model(prior()))
    made = []
    for seed in range(3):
        x = lead(seed=seed)
        truth = truth_of(network, known_head() + known_head(seed + 5) / 3, x)
        if seed == 1:
            truth[4, : len(x) // 2] = np.nan  # its sums are others than those of the rest
        origin = replace(ORIGIN, source=f"visit {seed}", date=f"2026-11-0{seed + 1}")
        made.append(visit_of(network, prior(), reference_towards(network, x, RATE_HZ, truth), origin))
    return made


def test_visits_read_back_as_they_were_written_and_give_the_same_again(visits: list[Visit]) -> None:
    whole = combined(prior(), visits)
    content = to_bytes(whole, visits)
    back, read_back = with_visits_from_bytes(content)
    assert [visit.origin for visit in read_back] == [visit.origin for visit in visits]
    assert back.head.tobytes() == whole.head.tobytes()
    assert back.origin.earlier == 2
    again = combined(prior(), read_back)
    np.testing.assert_allclose(again.head, whole.head, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(again.scale, whole.scale, rtol=1e-3)
    assert to_bytes(back, read_back) == content


def test_a_later_visit_can_be_added_without_the_earlier_signals(visits: list[Visit]) -> None:
    _, kept = with_visits_from_bytes(to_bytes(combined(prior(), visits[:2]), visits[:2]))
    added, at_once = combined(prior(), [*kept, visits[2]]), combined(prior(), visits)
    np.testing.assert_allclose(added.head, at_once.head, rtol=1e-3, atol=1e-5)


def test_a_file_without_visits_is_what_it_was_and_has_none(visits: list[Visit], tmp_path: Any) -> None:
    whole = combined(prior(), visits)
    content = to_bytes(whole)
    assert with_visits_from_bytes(content)[1] == ()
    with zipfile.ZipFile(io.BytesIO(content)) as inside:
        assert json.loads(inside.read("facts.npy")[128:])["format"] == 1
        assert not [name for name in inside.namelist() if name.startswith("visit")]
    write(tmp_path / "person.npz", whole, visits)
    assert read_calibration(tmp_path / "person.npz").head.tobytes() == whole.head.tobytes()
    assert len(read_with_visits(tmp_path / "person.npz")[1]) == 3


def test_sums_that_simultaneous_leads_share_are_kept_once(visits: list[Visit]) -> None:
    with np.load(io.BytesIO(to_bytes(combined(prior(), visits), visits))) as arrays:
        assert [arrays[f"visit{i}_features"].shape[0] for i in range(3)] == [1, 7, 1]


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_a_damaged_file_with_visits_is_refused_in_one_line_or_reads_as_a_sound_one(
    visits: list[Visit], data: st.DataObject
) -> None:
    good = bytearray(to_bytes(combined(prior(), visits), visits))
    for _ in range(data.draw(st.integers(1, 4))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    try:
        calibration, read_back = with_visits_from_bytes(bytes(good))
    except InputError as error:
        assert "\n" not in str(error)
    else:
        assert np.isfinite(calibration.head).all()
        assert all(np.isfinite(visit.head).all() for visit in read_back)


def changed(content: bytes, facts: dict[str, Any], arrays: dict[str, np.ndarray | None]) -> bytes:
    with np.load(io.BytesIO(content)) as inside:
        kept = dict(inside)
    told = json.loads(kept["facts"].tobytes()) | facts
    kept |= {name: x for name, x in arrays.items() if x is not None}
    for name in [name for name, x in arrays.items() if x is None]:
        del kept[name]
    kept["facts"] = np.frombuffer(json.dumps(told).encode(), np.uint8)
    buffer = io.BytesIO()
    np.savez(buffer, **kept)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("facts", "arrays"),
    [
        ({"visits": 3}, {}),
        ({"visits": [{}]}, {}),
        ({"format": 3}, {}),
        ({}, {"visit1_head": None}),
        ({}, {"visit1_head": np.zeros((7, 6, 4))}),
        ({}, {"visit1_head": np.zeros((7, 5, 4), np.float32)}),
        ({}, {"visit0_steps": np.full(7, np.nan, np.float32)}),
        ({}, {"visit0_features": np.zeros((2, 6, 6), np.float32)}),
        ({}, {"visit0_products": np.array([object()])}),
    ],
)
def test_what_is_no_visit_is_refused_in_one_line(
    facts: dict[str, Any], arrays: dict[str, np.ndarray | None], visits: list[Visit]
) -> None:
    content = to_bytes(combined(prior(), visits), visits)
    with pytest.raises(InputError, match=r"^[^\n]*calibrate again$"):
        from_bytes(changed(content, facts, arrays))


def test_words_of_a_visit_that_a_terminal_would_obey_and_too_many_visits_are_refused(
    visits: list[Visit],
) -> None:
    whole = combined(prior(), visits)
    for bad in (
        replace(visits[0], origin=replace(visits[0].origin, source="\x1b[2J")),
        replace(visits[0], notes=("\x1b[2J",)),
        replace(visits[0], origin=replace(visits[0].origin, earlier=-1)),
        replace(visits[0], origin=replace(visits[0].origin, inverted=1)),
    ):
        with pytest.raises(InputError, match="calibrate again"):
            from_bytes(to_bytes(whole, [bad]))
    with pytest.raises(InputError, match="too many visits"):
        from_bytes(to_bytes(whole, visits[:1] * (MOST_VISITS + 1)))
