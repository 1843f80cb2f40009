"""Every spelling of a voltage that senders and files use, and of having stated none."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.errors import Field, InputError
from streamer.core.units import is_not_stated, mv_per_step, mv_per_unit

PREFIXES = {
    1e-6: ("n", "nano"),
    1e-3: ("u", "µ", "μ", "micro", "mc", "Âµ"),
    1.0: ("m", "milli"),
    1e3: ("",),
}


@given(
    prefix=st.sampled_from([(mv, p) for mv, prefixes in PREFIXES.items() for p in prefixes]),
    joint=st.sampled_from(["", " ", "-", "_"]),
    volt=st.sampled_from(["v", "volt", "volts"]),
    case=st.sampled_from([str, str.upper, str.title, str.casefold]),
    frame=st.sampled_from(["{}", " {} ", "[{}]", "({})", "{}/LSB", "{} per count", "{}/bit"]),
    steps=st.none() | st.floats(1e-6, 1e6),
)
def test_a_voltage_is_read_however_it_is_spelled(prefix, joint, volt, case, frame, steps):
    mv, spelled = prefix
    unit = case(spelled + (joint if spelled else "") + volt) if spelled != "Âµ" else spelled + volt
    number = "" if steps is None else f"{steps!r} "
    text = frame.format(number + unit)
    assert mv_per_unit(text) == pytest.approx(mv * (1 if steps is None else steps), rel=1e-12)
    assert mv_per_step(text) == mv_per_unit(text)
    assert not is_not_stated(text)


@pytest.mark.parametrize(
    "text",
    ["", " ", "none", "N/A", "n.a.", "NA", "-", "--", "—", "unknown", "a.u.", "au", "A. U.", "arb. units"],
)
@pytest.mark.parametrize("case", [str, str.upper, "[{}]".format])
def test_what_says_that_there_is_no_unit_is_no_unit(text, case):
    assert is_not_stated(case(text))
    assert mv_per_unit(case(text)) is None


@pytest.mark.parametrize(
    "text",
    ["mmHg", "bpm", "counts", "mVs", "mA", "ohm", "uS", "g", "0 uV", "inf mV", "vv", "m/s", "percent", "mV2"],
)
def test_what_is_no_voltage_is_neither(text):
    assert mv_per_unit(text) is None
    assert not is_not_stated(text)


@given(step_mv=st.floats(1e-9, 1e6))
def test_a_user_may_say_how_many_mv_a_step_is(step_mv):
    assert mv_per_step(repr(step_mv)) == step_mv


@given(st.text(max_size=12))
def test_anything_else_a_user_says_is_refused_by_name_of_the_field(text):
    try:
        step_mv = mv_per_step(text)
    except InputError as error:
        assert error.field is Field.UNIT
    else:
        assert step_mv != 0 and math.isfinite(step_mv)
