# SPDX-License-Identifier: GPL-3.0-or-later
"""`mecg calibrate --picture`: before and after as the monitor shows them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")  # before anything imports Qt

import pytest
from PyQt6.QtGui import QColor, QImage
from PyQt6.QtWidgets import QApplication

from gui.theme import LIGHT
from mecg.__main__ import main
from tests.mecg.app.test_calibration_previews import OTHER, SHORT, model

__all__ = ["model"]


def calibrate(model: Path, out: Path, picture: Path, *more: str) -> int:
    args = ["calibrate", str(SHORT), "--out", str(out), "--picture", str(picture), "--model", str(model)]
    return main([*args, *more])


@pytest.mark.parametrize("more", [(), ("--check", str(OTHER))], ids=["itself", "another record"])
def test_it_is_drawn_true_to_the_millimetre_for_its_owner_only(
    qapp: QApplication, model: Path, tmp_path: Path, more: tuple[str, ...]
) -> None:
    picture = tmp_path / "a.png"
    assert calibrate(model, tmp_path / "a.npz", picture, *more) == 0
    assert stat.S_IMODE(picture.stat().st_mode) == 0o600
    image = QImage(str(picture))
    assert (image.width(), image.height()) == (297 * 6, 210 * 6) and image.dotsPerMeterX() == 6000
    seen = {QColor(image.pixel(x, y)).name() for x in range(40, 1740, 2) for y in range(80, 1200, 2)}
    assert {LIGHT.truth, LIGHT.grid_5_mm, LIGHT.paper} <= seen
    # A picture of what was learned from warns, one of another record does not need to.
    warned = any(QColor(image.pixel(x, y)).name() == LIGHT.warning for x in range(600) for y in range(4, 30))
    assert warned == (not more)


def test_nothing_is_overwritten_and_nothing_is_done_in_vain(
    qapp: QApplication, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.png").write_text("mine")
    for picture, why in ((tmp_path / "a.png", "--force"), (tmp_path / "none" / "a.png", "no folder")):
        assert calibrate(model, tmp_path / "a.npz", picture) == 2
        assert why in capsys.readouterr().err
    assert (tmp_path / "a.png").read_text() == "mine" and not (tmp_path / "a.npz").exists()
