"""One person from several visits: what holds on another day is kept, what was that day's is not."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.core.calibration.correction import PersonalNetwork
from streamer.core.calibration.fit import fit, reference_towards
from streamer.core.calibration.visits import (
    MOST_VISITS,
    Visit,
    brings,
    combined,
    unlike,
    unlike_words,
    visit_of,
)
from streamer.core.errors import InputError
from streamer.core.leads import SEVEN
from streamer.core.network.network import Network
from streamer.formats.calibration_file import from_bytes, to_bytes
from tests.streamer.core.calibration.test_correction import (
    ORIGIN,
    RATE_HZ,
    known_head,
    lead,
    streamed,
    truth_of,
)
from tests.streamer.core.person_model import FEATURES, STRIDE, person_model, prior

PERSON = known_head()


@pytest.fixture(scope="module")
def network() -> Network:
    return Network(person_model(prior()))


def a_visit(network: Network, seed: int, apart: float = 0.0, person: np.ndarray = PERSON, **changes) -> Visit:
    """Of a person whose electrodes sit so far from where they usually do."""
    day = person + np.float32(apart) * known_head(100 + seed)
    x = lead(seed=seed, bpm=60 + seed % 40)
    reference = reference_towards(network, x, RATE_HZ, truth_of(network, day, x))
    origin = replace(ORIGIN, source=f"visit {seed}", date=f"2026-11-{seed % 30 + 1:02}")
    return replace(visit_of(network, prior(), reference, origin), **changes)


def away(head: np.ndarray, from_head: np.ndarray = PERSON) -> float:
    return float(np.sqrt(((head - from_head) ** 2).mean()))


def test_a_single_visit_gives_what_its_fit_gives(network: Network) -> None:
    x = lead(seed=3)
    reference = reference_towards(network, x, RATE_HZ, truth_of(network, PERSON, x))
    alone = fit(network, prior(), reference, ORIGIN, ["a note"])
    one = combined(prior(), [visit_of(network, prior(), reference, ORIGIN, ["a note"])])
    for name in ("head", "metric", "scale", "left", "rmse_mv"):
        np.testing.assert_allclose(getattr(one, name), getattr(alone, name), rtol=1e-4, atol=1e-6)
    assert one.reach == pytest.approx(alone.reach, rel=1e-4)
    assert one.usual == pytest.approx(alone.usual, rel=1e-4)
    assert (one.origin, one.bands, one.notes) == (alone.origin, alone.bands, alone.notes)


def test_the_same_visit_twice_is_that_visit(network: Network) -> None:
    visit = a_visit(network, 1)
    once, twice = combined(prior(), [visit]), combined(prior(), [visit, visit])
    np.testing.assert_allclose(twice.head, once.head, rtol=1e-3, atol=1e-3)
    assert twice.origin.words() == "visit 1, 2026-11-02 and 1 earlier visit"


def test_visits_together_come_nearer_to_the_person_than_the_latest_alone(network: Network) -> None:
    for start in range(0, 30, 10):
        visits = [a_visit(network, start + i, apart=0.8) for i in range(5)]
        together, latest = (combined(prior(), some).head for some in (visits, visits[-1:]))
        assert away(together) < 0.75 * away(latest)


def test_what_was_one_days_alone_is_held_back_by_leaving_visits_out(network: Network) -> None:
    """With nothing in common, generic is best; the more is in common, the more of it is made."""
    nobody = np.zeros_like(PERSON)
    rest = []
    for common in (0.0, 0.5, 1.0, 4.0):
        visits = [a_visit(network, 40 + i, 1.0, common * PERSON) for i in range(4)]
        mean = np.average([v.head for v in visits], axis=0, weights=0.7 ** np.arange(4)[::-1])
        made = combined(prior(), visits).head.transpose(0, 2, 1)
        rest.append(float((made * mean).sum() / (mean * mean).sum()))
    assert rest[0] < 0.4
    assert sorted(rest) == rest
    assert 0.95 < rest[-1] <= 1
    assert away(combined(prior(), [a_visit(network, 7, 0.0, nobody)]).head, nobody) < 1e-3


def test_visits_that_contradict_each_other_leave_the_generic_model_bit_for_bit(network: Network) -> None:
    visits = [a_visit(network, 1), a_visit(network, 1, person=-PERSON)]
    made = combined(prior(), visits)
    assert not made.head.any()
    assert made.bands == {}
    assert "contradict each other" in made.notes[-1]
    x = lead(seed=9)
    for a, b in zip(streamed(network, x), streamed(PersonalNetwork(network, made), x), strict=True):
        assert a.tobytes() == b.tobytes()


def test_the_latest_visit_counts_most(network: Network) -> None:
    visits = [a_visit(network, i, apart=0.5) for i in range(4)]
    made = combined(prior(), visits).head
    shares = []
    for i, visit in enumerate(visits):
        moved = replace(visit, head=visit.head + 1e-3)
        others = combined(prior(), [*visits[:i], moved, *visits[i + 1 :]]).head
        shares.append(float((others - made).mean()))
    assert shares == sorted(shares)
    assert shares[0] > 0


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_of_whatever_visits_no_more_is_made_than_their_mean_and_every_number_can_be_used(
    network: Network, data: st.DataObject
) -> None:
    """`Calibration` refuses numbers that it cannot use."""
    seeds = data.draw(st.lists(st.integers(0, 1000), min_size=2, max_size=6))
    visits = []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        visit = a_visit(network, 3)
        size = float(10 ** rng.uniform(-3, 2))
        moments = replace(
            visit.moments,
            products=visit.moments.products * rng.normal(0, size, visit.head.shape),
            squares=visit.moments.squares * size,
            steps=np.where(rng.random(len(SEVEN)) < 0.2, 0, visit.moments.steps),
        )
        if not moments.steps.any():
            continue
        visits.append(replace(visit, head=rng.normal(0, size, visit.head.shape), moments=moments))
    if not visits:
        return
    weights = 0.7 ** np.arange(len(visits))[::-1]
    mean = np.average([v.head for v in visits], axis=0, weights=weights).transpose(0, 2, 1)
    made = combined(prior(), visits)
    share = float((made.head * mean).sum() / (mean * mean).sum())
    assert -1e-6 <= share <= 1 + 1e-6
    np.testing.assert_allclose(made.head, share * mean, rtol=1e-4, atol=1e-5 * float(np.abs(mean).max()))


def test_a_visit_that_teaches_nothing_counts_for_nothing(network: Network) -> None:
    good = [a_visit(network, i, apart=0.3) for i in range(2)]
    empty = a_visit(network, 9, head=np.zeros((len(SEVEN), FEATURES, STRIDE)), notes=("upside down",))
    assert not empty.teaches
    with_it, without = combined(prior(), [*good, empty]), combined(prior(), good)
    np.testing.assert_array_equal(with_it.head, without.head)
    assert with_it.notes == ("visit 9: upside down",)
    assert with_it.origin.earlier == 2


@given(notes=st.lists(st.text("ab ", min_size=1, max_size=200), min_size=2, max_size=4), name=st.text("xyz"))
def test_what_is_said_of_any_visit_is_said_of_all_by_its_name_and_a_file_keeps_it(
    network: Network, notes: list[str], name: str
) -> None:
    some = [a_visit(network, i, notes=(note,)) for i, note in enumerate(notes)]
    some = [replace(v, origin=replace(v.origin, source=f"{name[:99]}{i}")) for i, v in enumerate(some)]
    told = combined(prior(), some).notes
    assert len(told) == len(notes)
    assert all(line.startswith(v.origin.source[:40]) for line, v in zip(told, some, strict=True))
    assert from_bytes(to_bytes(combined(prior(), some), some)).notes == told


def test_a_lead_that_was_never_known_stays_generic_and_one_that_was_is_learned(network: Network) -> None:
    visits = []
    for seed in (1, 2):
        x = lead(seed=seed)
        truth = truth_of(network, PERSON, x)
        truth[3] = np.nan
        if seed == 1:
            truth[5] = np.nan
        reference = reference_towards(network, x, RATE_HZ, truth)
        visits.append(visit_of(network, prior(), reference, ORIGIN))
    made = combined(prior(), visits)
    assert np.isnan(made.rmse_mv[:, 3]).all()
    assert not made.head[3].any()
    assert np.isfinite(made.rmse_mv[:, 5]).all()
    assert made.head[5].any()


def test_what_each_visit_brings_is_its_correction_on_the_others(network: Network) -> None:
    alike = [a_visit(network, i, apart=0.1) for i in range(3)]
    stranger = a_visit(network, 8, person=-PERSON)
    found = brings([*alike, stranger])
    assert found.shape == (4, 2)
    assert (found[:3, 1] < found[3, 1]).all()
    assert found[3, 1] > found[3, 0]
    assert np.isnan(brings(alike[:1])).all()


@settings(max_examples=15, deadline=None)
@given(st.permutations(range(4)), st.integers(2, 4), st.booleans())
def test_another_person_is_named_whatever_the_order_and_no_visit_of_one_person_is(
    order: list[int], visits: int, with_stranger: bool
) -> None:
    network = Network(person_model(prior()))
    some = [a_visit(network, i, apart=0.1) for i in order[:visits]]
    assert unlike(some) == () and unlike_words(some) == ""
    if with_stranger:
        at = order[-1] % (visits + 1)
        stranger = a_visit(network, 8, person=-PERSON)
        some.insert(at, stranger)
        assert unlike(some) == (stranger,)
        assert unlike_words(some).startswith("visit 8 2026-11-09 does not look like the person of the other")
        assert unlike_words(some) in combined(prior(), some).notes


def test_of_two_visits_neither_is_the_stranger_and_one_alone_is_never_unlike(
    network: Network,
) -> None:
    two = [a_visit(network, 1), a_visit(network, 8, person=-PERSON)]
    for some in (two, two[::-1]):
        assert unlike(some) == tuple(some)
        assert "do not look like one person" in unlike_words(some)
    assert unlike(two[:1]) == unlike([]) == ()


def test_who_teaches_nothing_or_was_measured_lead_by_lead_is_not_judged(network: Network) -> None:
    stranger = a_visit(network, 8, person=-PERSON)
    nothing = replace(stranger, head=np.zeros_like(stranger.head))
    by_lead = replace(stranger, origin=replace(stranger.origin, kind="sequence"))
    for each in (nothing, by_lead):
        assert unlike([a_visit(network, 1), each]) == ()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model": "other"}, "was learned with the model other 1"),
        ({"version": "0"}, "was learned with the model tiny 0"),
        ({"inverted": True}, "one polarity"),
        ({"lead": "II"}, "one lead"),
        ({"placement": "chest"}, "sat on the chest, those of visit 2 on the arms"),
    ],
)
def test_visits_that_were_not_measured_alike_are_refused_in_one_line(
    change: dict[str, object], words: str, network: Network
) -> None:
    later = a_visit(network, 2)
    later = replace(later, origin=replace(later.origin, placement="arms"))
    earlier = a_visit(network, 1)
    combined(prior(), [earlier, later])
    earlier = replace(earlier, origin=replace(earlier.origin, **change))
    with pytest.raises(InputError, match=words) as told:
        combined(prior(), [earlier, later])
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("spelling", ["i", "I", "Lead I", "MDC_ECG_LEAD_I"])
def test_one_lead_is_one_lead_however_it_is_spelled(spelling: str, network: Network) -> None:
    earlier, later = a_visit(network, 1), a_visit(network, 2)
    earlier = replace(earlier, origin=replace(earlier.origin, lead=spelling))
    assert combined(prior(), [earlier, later]).origin.earlier == 1


def test_no_visit_too_many_and_damaged_ones_are_refused(network: Network) -> None:
    visit = a_visit(network, 1)
    for visits in ([], [visit] * (MOST_VISITS + 1)):
        with pytest.raises(InputError, match="1 to 20"):
            combined(prior(), visits)
    for change in (
        {"head": visit.head[:, :2]},
        {"head": np.full_like(visit.head, np.nan)},
        {"reach": 0.0},
        {"moments": replace(visit.moments, steps=np.zeros(7))},
        {"moments": replace(visit.moments, squares=-visit.moments.squares)},
        {"rmse_mv": np.zeros(7)},
    ):
        with pytest.raises(InputError, match="calibrate again"):
            replace(visit, **change)
