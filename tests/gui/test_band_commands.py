# SPDX-License-Identifier: GPL-3.0-or-later
"""How much of a model runs, and what each band gives, by a key."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from gui.signal.history import History
from streamer.core.events import BandsChanged
from streamer.core.network.parts import BANDS
from streamer.core.stream import Frame, LeadPart
from tests.gui.a_controller import description
from tests.gui.test_main_panels import MakeFrame, Rig


class AModel:
    """Notes what it is told."""

    def __init__(self, bands: tuple[str, ...] = BANDS) -> None:
        self.bands, self.used, self.shows_parts = bands, bands[-1], False

    @property
    def words(self) -> str:
        return f"net.{self.used} 1"

    def use(self, bands: str) -> None:
        self.used = bands


@pytest.fixture
def model() -> AModel:
    return AModel()


@pytest.fixture
def rig(qtbot: QtBot, tmp_path: Path, model: AModel) -> Rig:
    rig = Rig(qtbot, tmp_path)
    running = replace(rig.controller.running, model=model)
    rig.controller._running_session = running
    return rig


def in_parts(frame: Frame) -> Frame:
    """Low gives a half of each lead, mid a quarter, high the rest; uncertain by 0.4, 0.2 and 0.1 mV."""
    parts = tuple(
        LeadPart(bands, frame.leads_mv * share, np.full_like(frame.leads_mv, scale_mv))
        for bands, share, scale_mv in (("low", 0.5, 0.4), ("mid", 0.75, 0.2))
    )
    return replace(frame, scale_mv=np.full_like(frame.leads_mv, 0.1), parts=parts)


def test_a_key_runs_every_part_in_turn_and_every_sink_hears_of_it(rig: Rig, model: AModel) -> None:
    for bands in (*BANDS, BANDS[0]):
        rig.key("f")
        assert model.used == bands
        assert rig.controller.told[-1] == BandsChanged(bands)
        assert rig.window.header.model.text() == f"net.{bands} 1"


@pytest.mark.parametrize("key", ["f", "u"])
def test_a_model_of_one_part_says_that_it_has_no_others(key: str, rig: Rig) -> None:
    rig.controller._running_session = replace(rig.controller.running, model=AModel(("all",)))
    rig.key(key)
    assert not rig.controller.told and "no parts" in rig.words()


@pytest.mark.parametrize("key", ["f", "u"])
def test_a_calibrated_session_says_why_its_bands_are_not_run_alone(key: str, rig: Rig) -> None:
    running = rig.controller.running
    about = replace(running.description, calibration="anna, 2026-11-23")
    rig.controller._running_session = replace(running, model=None, description=about)
    rig.key(key)
    assert not rig.controller.told and "calibration corrects the whole model" in rig.words()


def test_a_key_shows_what_each_band_gives_with_its_uncertainty(
    rig: Rig, model: AModel, frame: MakeFrame
) -> None:
    rig.window.stream.inbox.open(replace(description(), bands={"0.9": (2.0,) * 12}))
    rig.key("u")
    assert model.shows_parts and rig.window.paper.look.parts
    rig.key("u")
    assert not model.shows_parts and not rig.window.paper.look.parts


def test_what_the_bands_give_adds_up_to_the_leads(frame: MakeFrame) -> None:
    history = History(replace(description(), bands={"0.9": (2.0,) * 12}))
    for start in range(0, 1000, 50):
        history.frame(in_parts(frame(start, 50)))
    assert history.traces is not None
    seen = history.traces.view(200, 900)
    given = history.given(seen)
    assert given is not None and given.shape == (3, 12, 700)
    np.testing.assert_allclose(given.sum(axis=0), seen.leads_mv, atol=1e-6)
    np.testing.assert_allclose(given[0], seen.leads_mv * 0.5, atol=1e-6)
    history.frame(frame(1000, 50))
    assert history.given(seen) is None  # nobody asks any longer


def test_a_part_is_as_uncertain_as_its_own_band_says(frame: MakeFrame) -> None:
    from gui.paper.part_text import uncertainties

    history = History(replace(description(), bands={"0.9": (2.0,) * 12}))
    assert uncertainties(history, 0.0) == {}
    history.frame(in_parts(frame(0, 1000)))
    said = uncertainties(history, 4.0)
    assert set(said) == {"II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"}
    assert set(said.values()) == {"low ±0.80  mid ±0.40  all ±0.20 mV"}
