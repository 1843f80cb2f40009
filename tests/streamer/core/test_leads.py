"""Names and laws of the leads."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.leads import (
    DERIVED,
    LEADS,
    ORIGIN,
    PREDICTED,
    canonical_lead,
    scale_of_twelve,
    twelve_from_eight,
)


@pytest.mark.parametrize("name", ["I", "i", "Lead I", "lead_i", "MDC_ECG_LEAD_I", " I ", "ECG I"])
def test_every_spelling_of_lead_one_is_lead_one(name):
    assert canonical_lead(name) == "I"


NUMERALS = {"I": ("I", "1"), "II": ("II", "2"), "III": ("III", "3")}
WORDS = (
    "Lead ",
    "Lead",
    "LEAD_",
    "D",
    "L",
    "Ableitung ",
    "Dérivation ",
    "ECG Lead ",
    "MDC_ECG_LEAD_",
    "EKG-Ableitung ",
)
FRAMES = ("{}", " {} ", "{} (mV)", "{} [µV]", "{}(uV)", "ECG {}", "EKG {}", "ECG({})", "ekg[{}]", "ECG-{}")


@given(
    lead=st.sampled_from(LEADS),
    word=st.sampled_from(("", *WORDS)),
    frame=st.sampled_from(FRAMES),
    case=st.sampled_from([str, str.upper, str.casefold]),
    digit=st.booleans(),
)
def test_a_lead_is_known_by_every_word_digit_and_bracket_about_it(lead, word, frame, case, digit):
    name = NUMERALS[lead][int(digit and bool(word))] if lead in NUMERALS else lead
    if word in ("D", "L") and lead not in NUMERALS:
        word = ""
    assert canonical_lead(case(frame.format(word + name))) == lead


@pytest.mark.parametrize(
    "name",
    ["DI", "D1", "Lead1", "L1", "LI", "MLI", "ECG(I)", "EKG I", "I (mV)", "Ableitung I", "Lead 1", "\u2160"],
)
def test_what_senders_call_lead_one_is_lead_one(name):
    assert canonical_lead(name) == "I"


@pytest.mark.parametrize(("name", "lead"), [("AVR", "aVR"), ("v3", "V3"), ("Lead II", "II"), ("avf", "aVF")])
def test_spellings_of_other_leads(name, lead):
    assert canonical_lead(name) == lead


@pytest.mark.parametrize(
    "name",
    [
        "",
        "II'",
        "V7",
        "MLII",
        "ECG",
        "EEG I1",
        "1",
        "ECG 1",
        "ECG1",
        "-I",
        "-aVR",
        "I (mA)",
        "D",
        "L",
        "L4",
        "DaVR",
        "I-II",
        "V0",
    ],
)
def test_what_is_no_standard_lead_is_none(name):
    assert canonical_lead(name) is None


def test_laws_hold_whatever_the_eight_are():
    eight = np.random.default_rng(0).normal(0, 1, (8, 1000)).astype(np.float32)
    one, two, three, avr, avl, avf = twelve_from_eight(eight)[:6].astype(np.float64)
    for law in (one + three - two, avr + avl + avf, avr + (one + two) / 2, avl - (one - three) / 2):
        assert np.abs(law).max() <= 1e-6
    for row, lead in enumerate(PREDICTED):
        assert (twelve_from_eight(eight)[LEADS.index(lead)] == eight[row]).all()


def test_every_lead_says_where_it_comes_from():
    assert [ORIGIN[lead] for lead in ("I", "II", "aVL", "V6")] == [
        "measured",
        "predicted",
        "derived",
        "predicted",
    ]
    assert set(DERIVED) | set(PREDICTED) == set(LEADS)


def test_scale_of_a_derived_lead_is_that_of_a_sum_of_independent_errors():
    rng = np.random.default_rng(0)
    sigma = np.linspace(0.05, 0.4, 8)[:, None]
    errors = twelve_from_eight((rng.normal(0, 1, (8, 200_000)) * sigma).astype(np.float32))
    stated = scale_of_twelve(np.broadcast_to(sigma, (8, 1)).astype(np.float32))[:, 0]
    assert np.allclose(errors.std(axis=1), stated, rtol=0.01)
