"""What a training run is given: every value is one that can be trained, or refused in one line."""

import copy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")

from streamer.core.errors import InputError
from training import config as configuration
from training.network import MEcgNet
from training.train import optimisers

CONFIGS = sorted((Path(__file__).parents[2] / "training" / "configs").glob("*.toml"))

VALUES = st.recursive(
    st.integers(-5, 300)
    | st.integers()
    | st.floats()
    | st.floats(0, 1)
    | st.booleans()
    | st.none()
    | st.text(max_size=5)
    | st.sampled_from([0, 1, 2.0, 1e300, "", "a\nb"]),
    lambda some: st.lists(some, max_size=4) | st.dictionaries(st.text(max_size=3), some, max_size=2),
    max_leaves=6,
)


def places(table: Any, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Where a configuration has values: each single one, each list and each table."""
    inner = table.items() if isinstance(table, dict) else enumerate(table) if isinstance(table, list) else ()
    return [at, *(place for key, value in inner for place in places(value, (*at, key)))]


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_what_the_project_trains_with_is_accepted(path: Path) -> None:
    configuration.configured(configuration.facts(path))


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_any_value_in_any_place_can_be_trained_or_is_refused_in_one_line(data: st.DataObject) -> None:
    """A batch of 0, a learning rate of NaN or bands in the wrong order were tracebacks, or an hour lost."""
    facts = copy.deepcopy(configuration.facts(data.draw(st.sampled_from(CONFIGS))))
    *tables, last = data.draw(st.sampled_from(places(facts)[1:]))
    table: Any = facts
    for key in tables:
        table = table[key]
    table[last] = data.draw(VALUES)
    try:
        config = configuration.configured(facts)
    except InputError as error:
        assert str(error).isprintable()
        return
    assert config.choose_fold not in config.folds
    if max(module.channels for module in config.shape.modules) <= 64:
        network = MEcgNet(config.shape)
        assert len(optimisers(network, config)) == 2
        if max(max(m.dilations) for m in config.shape.modules) <= 32:
            n = -(-200 // config.shape.grid) * config.shape.grid
            assert network.eval()(torch.zeros(1, 3, n)).shape[-1] == n


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("epochs=-1", "epochs is -1, and must be a whole number from 1"),
        ("peak_rate=nan", "peak_rate is nan, and must be a number from"),
        ("folds=[]", "name some to learn from"),
        ("choose_fold=1", "another one to choose by"),
        ("model.cut_offs_hz=[15.0, 5.0]", "the lower first"),
        ("gap_share=2", "gap_share is 2, and must be a number from 0 to 1"),
        ("modules=[]", "a network has a module"),
        ("model.scale=1", "true or false"),
    ],
)
def test_a_value_that_cannot_be_says_which_it_is_and_what_can_be(change: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        configuration.configured(configuration.facts(CONFIGS[0].with_name("ladder.toml"), [change]))
    assert words in str(caught.value)
