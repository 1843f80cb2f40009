"""What is read out of an LSL stream's description, its numbers and its stamps; no network."""

from __future__ import annotations

import math
from xml.sax.saxutils import escape

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.lsl.description import About, choose, mv_by_size, shows_beats
from devices.lsl.search import predicate_of
from streamer.core.errors import Field, InputError
from streamer.core.leads import LEADS
from streamer.core.stream import Placement

UNSTATED, ARMS, CHEST = Placement.UNSTATED, Placement.ARMS, Placement.CHEST


def about(
    *channels: dict[str, str] | str,
    count: int | None = None,
    kind: str = "ECG",
    rate: object = 250.0,
    form: str = "float32",
    desc: str = "",
) -> About:
    """A stream; a channel given as text is its label, in millivolts."""
    nodes = ""
    for channel in channels:
        named = {"label": channel, "unit": "mV"} if isinstance(channel, str) else channel
        nodes += f"<channel>{''.join(f'<{k}>{escape(v)}</{k}>' for k, v in named.items())}</channel>"
    return About.of(
        f"<?xml version='1.0'?><info><name>N</name><type>{kind}</type><channel_format>{form}</channel_format>"
        f"<channel_count>{len(channels) if count is None else count}</channel_count><uid>u</uid>"
        f"<nominal_srate>{rate}</nominal_srate><source_id>s</source_id><hostname>h</hostname>"
        f"<desc>{desc}<channels>{nodes}</channels></desc></info>"
    )


@pytest.mark.parametrize("label", ["I", "i", "Lead I", "MDC_ECG_LEAD_I", "ECG I"])
@pytest.mark.parametrize("key", ["label", "name"])
def test_lead_i_is_found_by_its_label_or_name_among_eight(label: str, key: str) -> None:
    others = [{key: name, "unit": "uV"} for name in ("nSeq", "II", "V1", "V2", "RESP", "V6", "EDA")]
    stream = about(*others[:5], {key: label, "unit": "mV"}, *others[5:])
    choice = choose(stream, None, UNSTATED)
    assert (choice.column, choice.label, choice.is_lead_i, choice.mv) == (5, label, True, 1.0)
    rows = {LEADS[row]: (column, mv) for row, column, mv in choice.reference}
    assert rows == {"I": (5, 1.0), "II": (1, 1e-3), "V1": (2, 1e-3), "V2": (3, 1e-3), "V6": (6, 1e-3)}
    assert f"channel 6 of 8, {label}" in choice.notes[0]
    assert "5 of the twelve" in choice.notes[-1]


@pytest.mark.parametrize(
    ("unit", "mv"),
    [
        *(("uV", 1e-3), ("µV", 1e-3), ("μV", 1e-3), ("microvolts", 1e-3), ("Microvolt", 1e-3)),
        *(("mV", 1.0), ("millivolts", 1.0), ("V", 1e3), ("volts", 1e3)),
        *(("uVolts", 1e-3), ("microV", 1e-3), ("mVolt", 1.0), ("nV", 1e-6), ("nanovolts", 1e-6)),
        *(("0", 1e3), ("-3", 1.0), ("-6", 1e-3), ("-9", 1e-6)),  # mne-lsl's players
    ],
)
def test_units_in_all_spellings(unit: str, mv: float) -> None:
    assert choose(about({"label": "I", "unit": unit}), None, UNSTATED).mv == mv


@pytest.mark.parametrize("unit", ["none", "n/a", "-", "Unknown", "a.u.", " "])
def test_a_unit_that_says_nothing_is_none(unit: str) -> None:
    assert math.isnan(choose(about({"label": "I", "unit": unit}), None, UNSTATED).mv)
    with pytest.raises(InputError, match="states no unit") as caught:
        choose(about({"label": "I", "unit": unit}, form="int16"), None, UNSTATED)
    assert caught.value.field is Field.UNIT


@pytest.mark.parametrize("unit", ["", "counts", "uV", "mmHg", "0"])
@pytest.mark.parametrize("form", ["float32", "int16"])
def test_what_the_user_says_of_the_unit_holds_whatever_the_stream_states(unit: str, form: str) -> None:
    choice = choose(about({"label": "I", "unit": unit}, "II", form=form), None, UNSTATED, unit_mv=4e-4)
    assert choice.mv == 4e-4 and {mv for _, _, mv in choice.reference} == {4e-4}


def test_scaling_factors_and_counts_with_a_resolution_are_used_and_told() -> None:
    scaled = choose(about({"label": "I", "unit": "microvolts", "scaling_factor": "0.1"}), None, UNSTATED)
    assert scaled.mv == pytest.approx(1e-4) and "scaled by 0.1" in scaled.notes[0]
    counts = choose(about({"label": "I", "unit": "counts", "resolution": "0.38 uV"}), None, UNSTATED)
    assert counts.mv == pytest.approx(0.38e-3) and "counts of 0.38 uV" in counts.notes[0]


@pytest.mark.parametrize(
    ("channel", "said"),
    [
        ({"unit": "counts"}, "states no resolution"),
        ({"unit": "counts", "resolution": "0.38"}, "states no resolution"),
        ({"unit": "counts", "resolution": "nan uV"}, "states no resolution"),
        ({"unit": "counts", "resolution": "0 uV"}, "states no resolution"),
        ({"unit": "counts", "resolution": "3 bpm"}, "states no resolution"),
        ({"unit": "uV", "scaling_factor": "x"}, "no number"),
        ({"unit": "uV", "scaling_factor": "0"}, "no number"),
        ({"unit": "mmHg"}, "no voltage"),
    ],
)
def test_numbers_that_mean_no_voltage_are_refused(channel: dict[str, str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        choose(about({"label": "I", **channel}), None, UNSTATED)


def test_whole_numbers_without_a_unit_are_refused_and_floats_must_be_looked_at() -> None:
    with pytest.raises(InputError, match="whole numbers and states no unit"):
        choose(about({"label": "I"}, form="int16"), None, UNSTATED)
    choice = choose(about({"label": "I"}, {"label": "V1"}), None, UNSTATED)
    assert math.isnan(choice.mv) and math.isnan(choice.reference[1][2])


@pytest.mark.parametrize(("unit", "mv"), [("microvolts", 1e-3), ("millivolts", 1.0), ("volts", 1e3)])
@pytest.mark.parametrize("span_mv", [0.15, 1.0, 10.0])
def test_a_missing_unit_is_found_by_size(unit: str, mv: float, span_mv: float) -> None:
    numbers = np.array([0.0, np.nan, span_mv]) / mv + 1234
    found, note = mv_by_size(numbers, "it")
    assert found == mv and f"taken as {unit}" in note


@pytest.mark.parametrize("span", [0.0, 1e-7, 0.04, 40.0, 1e6, math.nan])
def test_a_size_that_fits_no_unit_is_refused(span: float) -> None:
    with pytest.raises(InputError, match="an ECG in no unit"):
        mv_by_size(np.array([0.0, span]), "it")


def test_one_channel_that_says_only_ecg_is_taken_and_is_lead_i_only_on_the_arms() -> None:
    for stream in (
        about("ECG"),
        about("EDA", "Chest ECG", kind="00:07:80"),
        about({"label": "left", "type": "EKG", "unit": "uV"}, kind="ExG"),
        about(count=1),
    ):
        if not stream.channels[-1].unit:
            assert stream.channels[-1].label == "channel 1"
        unstated, arms, chest = (choose(stream, None, p) for p in (UNSTATED, ARMS, CHEST))
        assert unstated.column == len(stream.channels) - 1
        assert (unstated.is_lead_i, arms.is_lead_i, chest.is_lead_i) == (False, True, False)
        assert any("on both arms, state that" in note for note in unstated.notes)
        assert any("electrodes are on the arms" in note for note in arms.notes)
    assert not choose(about("I"), None, CHEST).is_lead_i


@pytest.mark.parametrize(
    ("stream", "said"),
    [
        (about("Fp1", "Fp2", kind="EEG"), "has no ECG channel, only Fp1, Fp2"),
        (about("II", "V1"), "has no Lead I, only II, V1"),
        (about("II"), "has no Lead I, only II"),
        (about("ECG left", "ECG right"), "several ECG channels, ECG left, ECG right, none labelled I"),
        (about(count=3), "several ECG channels, channel 1, channel 2, channel 3"),
        (about("I", form="string"), "carries strings, no signal"),
        (about("I", rate=50), "runs at 50 Hz, out of the 95 to 5000 Hz range"),
        (about("I", rate=1e5), "out of the 95 to 5000 Hz range"),
        (about(count=0), "has no ECG channel"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_line(stream: About, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        choose(stream, None, UNSTATED)
    assert "\n" not in str(caught.value)


def test_any_channel_can_be_asked_for() -> None:
    stream = about("Fp1", "v5", {"unit": "uV"}, kind="EEG")
    assert choose(stream, "fp1", UNSTATED).column == 0
    assert choose(stream, "Lead V5", UNSTATED).column == 1
    assert choose(stream, "channel 3", UNSTATED).column == 2
    assert not choose(stream, "V5", ARMS).is_lead_i
    with pytest.raises(InputError, match="has no channel 'V6', only Fp1, v5, channel 3") as caught:
        choose(stream, "V6", UNSTATED)
    assert (caught.value.field, caught.value.choices) == (Field.LEAD, ("Fp1", "v5", "channel 3"))


def test_a_device_says_its_name() -> None:
    desc = "<acquisition><manufacturer>M</manufacturer><model>X</model></acquisition>"
    assert about("I", desc=desc).device == "M X"
    assert about("I", desc="<manufacturer>M</manufacturer>").device == "M"
    assert about("I").device == ""


@given(text=st.text(max_size=80), xml=st.booleans())
def test_no_description_gets_through_with_anything_but_an_input_error(text: str, xml: bool) -> None:
    wrapped = f"<info><channel_count>{text}</channel_count></info>" if xml else text
    with pytest.raises(InputError):
        About.of(wrapped)


TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)


@given(
    channels=st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                key: TEXT | st.sampled_from(["I", "ECG", "uV", "mV", "counts", "1", "0.4 uV", "nan"])
                for key in ("label", "name", "type", "unit", "scaling_factor", "resolution")
            },
        ),
        max_size=4,
    ),
    count=st.integers(0, 6),
    rate=st.sampled_from([0, 130, -1, "nan", "inf"]),
    form=st.sampled_from(["float32", "int16", "string", "?"]),
    lead=st.none() | TEXT,
)
def test_a_choice_is_sound_or_refused(
    channels: list[dict[str, str]], count: int, rate: object, form: str, lead: str | None
) -> None:
    stream = about(*channels, count=count, rate=rate, form=form)
    try:
        choice = choose(stream, lead, UNSTATED)
    except InputError as error:
        assert str(error).isprintable()
        return
    assert 0 <= choice.column < len(stream.channels) == count
    assert math.isnan(choice.mv) or (math.isfinite(choice.mv) and choice.mv != 0)
    assert all(note.isprintable() for note in choice.notes)
    assert stream.rate_hz >= 0 and math.isfinite(stream.rate_hz)


@pytest.mark.parametrize(
    ("query", "predicate"),
    [
        ("", ""),
        ("  ", ""),
        ("Polar H10 1234", "name='Polar H10 1234'"),
        ("name=X", "name='X'"),
        ("type=ECG", "type='ECG'"),
        ("source_id=a b=c", "source_id='a b=c'"),
        ("name=Bob's", 'name="Bob\'s"'),
        ("name=B\"o'b", "name=concat('B\"o', \"'\", 'b')"),
        ("name='X' and type='ECG'", "name='X' and type='ECG'"),
        ("name=concat('B\"o', \"'\", 'b')", "name=concat('B\"o', \"'\", 'b')"),
        ("starts-with(name,'X')", "starts-with(name,'X')"),
        ("channel_count>2", "channel_count>2"),
        ("ECG (left)", "name='ECG (left)'"),
    ],
)
def test_what_a_query_means(query: str, predicate: str) -> None:
    assert predicate_of(query) == predicate


@pytest.mark.parametrize("size", [1e-6, 1.0, 1e4])
@pytest.mark.parametrize("rate", [125, 250, 500, 1000])
def test_beats_are_told_from_noise_and_hum_of_any_size(size: float, rate: int) -> None:
    t = np.arange(3 * rate) / rate
    beats = np.exp(-(((t % 0.8) - 0.4) ** 2) / 0.0008) + 0.2 * np.exp(-(((t % 0.8) - 0.65) ** 2) / 0.005)
    noise = np.random.default_rng(rate).normal(0, 1, len(t))
    assert shows_beats(size * (beats + 0.002 * noise), rate)
    for other in (noise, np.sin(2 * np.pi * 50.5 * t), np.zeros(len(t)), (t > 1) * 50 + 0.01 * noise):
        assert not shows_beats(size * other, rate)
