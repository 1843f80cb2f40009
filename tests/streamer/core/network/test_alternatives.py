# SPDX-License-Identifier: GPL-3.0-or-later
"""Plausible twelve-leads: drawn as they say, person by person, and from nothing that comes later."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.core.errors import InputError
from streamer.core.leads import LEADS, PREDICTED, SEVEN, scale_of_twelve, twelve_from_eight
from streamer.core.network.alternatives import QUIET_MV, Plausible

K, N = 5, 40
ROWS = [LEADS.index(lead) for lead in SEVEN]


def known(seed: int = 0) -> Plausible:
    rng = np.random.default_rng(seed)
    factors = rng.normal(0, 0.3, (K, len(SEVEN), len(PREDICTED))).astype(np.float16).astype(np.float32)
    return Plausible(factors, 1.25)


def stretch(n: int = N, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    eight = rng.normal(0, 0.5, (len(PREDICTED), n)).astype(np.float32)
    scale = rng.uniform(0.01, 0.2, (len(PREDICTED), n)).astype(np.float32)
    return twelve_from_eight(eight), scale_of_twelve(scale)


def test_a_seed_draws_the_same_persons_whatever_stretch_and_number_is_asked_for():
    leads, scale = stretch()
    every = known().draws(leads, scale, 6, seed=3)
    assert (known().draws(leads, scale, 6, seed=3) == every).all()
    np.testing.assert_allclose(known().draws(leads, scale, 2, seed=3), every[:2], atol=1e-6)
    assert np.abs(known().draws(leads, scale, 6, seed=4) - every).max() > 0.1


@settings(max_examples=40, deadline=None)
@given(cut=st.integers(1, N - 1), later=st.integers(0, 2**32 - 1))
def test_a_sample_of_a_draw_depends_on_no_other_sample(cut, later):
    """So draws come with the frame: they wait for nothing, and no cut shows in them."""
    leads, scale = stretch()
    whole = known().draws(leads, scale, 3)
    parts = [known().draws(leads[:, at], scale[:, at], 3) for at in (slice(cut), slice(cut, None))]
    np.testing.assert_allclose(np.concatenate(parts, axis=2), whole, atol=1e-6)
    other_leads, other_scale = (x.copy() for x in (leads, scale))
    new_leads, new_scale = stretch(N - cut, later)
    other_leads[:, cut:], other_scale[:, cut:] = new_leads, new_scale
    changed = known().draws(other_leads, other_scale, 3)
    np.testing.assert_allclose(changed[:, :, :cut], whole[:, :, :cut], atol=1e-6)


def test_the_mean_of_many_draws_is_the_estimate_and_their_covariance_is_what_is_stated():
    leads, scale = stretch(6)
    plausible = known()
    drawn = plausible.draws(leads, scale, 40_000, seed=5)
    error = (drawn - leads)[:, ROWS].astype(np.float64)
    sd = plausible.sd_mv(leads, scale)
    assert (np.abs(error.mean(axis=0)) < 5 * sd / np.sqrt(len(error))).all()
    eight = leads[[LEADS.index(lead) for lead in PREDICTED]].astype(np.float64)
    each = np.einsum("klp,pn->kln", plausible.factors.astype(np.float64), eight)
    shape = each * scale[ROWS] * plausible.temper / np.sqrt((each**2).sum(axis=0) + QUIET_MV**2)
    flat = shape.reshape(K, -1)
    stated = flat.T @ flat
    found = np.cov(error.reshape(len(error), -1).T)
    size = np.sqrt(np.outer(np.diag(stated), np.diag(stated)))
    assert np.abs(found - stated).max() < 0.04 * size.max()
    np.testing.assert_allclose(np.sqrt(np.diag(stated)), sd.ravel(), rtol=1e-4)
    assert np.linalg.matrix_rank(found, tol=1e-6) == K


def test_draws_go_as_far_as_the_scale_says_where_persons_differ_and_nowhere_in_silence():
    leads, scale = stretch()
    plausible = known()
    far = plausible.sd_mv(100 * leads, scale)
    np.testing.assert_allclose(far, plausible.temper * scale[ROWS], rtol=0.01)
    assert (plausible.draws(0 * leads, scale, 4) == 0).all()
    assert (plausible.draws(leads, 0 * scale, 4)[:, ROWS] == leads[ROWS]).all()


def test_the_laws_of_the_leads_hold_in_each_draw_and_lead_i_is_the_measured_one():
    leads, scale = stretch()
    for drawn in known().draws(leads, scale, 8):
        one, two, three, avr, avl, avf = drawn[:6]
        assert (one == leads[0]).all()
        np.testing.assert_allclose(three, two - one, atol=1e-6)
        np.testing.assert_allclose(avr, -(one + two) / 2, atol=1e-6)
        np.testing.assert_allclose(avl, one - two / 2, atol=1e-6)
        np.testing.assert_allclose(avf, two - one / 2, atol=1e-6)
    assert known().draws(leads, scale, 0).shape == (0, 12, N)


def test_a_person_is_the_same_in_every_beat():
    leads, scale = stretch()
    twice = known().draws(np.tile(leads, 2), np.tile(scale, 2), 3)
    np.testing.assert_allclose(twice[:, :, :N], twice[:, :, N:], atol=1e-6)


def test_what_is_missing_stays_missing_and_spoils_nothing_else():
    leads, scale = stretch()
    whole = known().draws(leads, scale, 3)
    leads[:, 7], scale[:, 7] = np.nan, np.nan
    drawn = known().draws(leads, scale, 3)
    assert np.isnan(drawn[:, :, 7]).all()
    there = np.arange(N) != 7
    np.testing.assert_allclose(drawn[:, :, there], whole[:, :, there], atol=1e-6)


def test_it_survives_the_file():
    again = Plausible.from_json(known().to_json())
    assert (again.factors == known().factors).all() and again.temper == known().temper


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"temper": 0},
        {"temper": "x"},
        {"factors": "!"},
        {"factors": "AAAA"},
        {"factors": ""},
        {"factors": None},
    ],
)
def test_what_cannot_be_used_is_refused_in_one_line(change):
    facts = json.loads(known().to_json()) | change
    with pytest.raises(InputError, match=r"^[^\n]*fit them again$"):
        Plausible.from_json(json.dumps(facts))


@settings(max_examples=100, deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists, max_leaves=5))
def test_nothing_raises_anything_but_an_input_error(value):
    for text in (json.dumps(value), json.dumps({"format": 1, "temper": value, "factors": value})):
        with pytest.raises(InputError):
            Plausible.from_json(text)
