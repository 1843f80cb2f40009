# SPDX-License-Identifier: GPL-3.0-or-later
"""Colours that everybody can tell apart, and read."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray

from gui.theme import DARK, LIGHT, Theme

Colour = NDArray[np.float64]

# Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB.
SEEN_BY = {
    "everybody": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}


def linear(colour: str) -> Colour:
    srgb = np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)]) / 255
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def luminance(colour: str) -> float:
    return float(linear(colour) @ [0.2126, 0.7152, 0.0722])


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def lab(colour: str, eye: Colour) -> Colour:
    rgb = np.clip(eye @ linear(colour), 0, 1)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    f = np.cbrt(to_xyz @ rgb / [0.9505, 1.0, 1.089])
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=lambda theme: theme.name)
@pytest.mark.parametrize("eye", SEEN_BY)
def test_measured_reconstructed_and_truth_are_told_apart_by_every_eye(theme: Theme, eye: str) -> None:
    traces = (theme.measured, theme.reconstructed, theme.truth)
    for one, other in combinations(traces, 2):
        apart = float(np.linalg.norm(lab(one, SEEN_BY[eye]) - lab(other, SEEN_BY[eye])))
        assert apart > 20, (one, other, apart)


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=lambda theme: theme.name)
def test_traces_and_words_stand_out_from_paper_grid_and_bars(theme: Theme) -> None:
    for colour in (theme.measured, theme.reconstructed, theme.truth, theme.ink, theme.warning):
        assert contrast(colour, theme.paper) >= 4.5
        assert contrast(colour, theme.grid_5_mm) >= 2.7
    assert contrast(theme.ink, theme.bar) >= 7
    assert contrast(theme.soft_ink, theme.bar) >= 4.5
    assert contrast(theme.settling, theme.paper) < contrast(theme.reconstructed, theme.paper)
