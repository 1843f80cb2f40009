"""The network's two ways of computing the same function, and a ladder's parts."""

from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")

from training import config
from training.network import MEcgNet, MEcgNetStep, ModuleShape, NetworkShape, weights

CONFIGS = Path(__file__).parents[2] / "training" / "configs"
RUNGS = tuple(
    ModuleShape(4, channels, dilations, (band,), split=False)
    for band, (channels, dilations) in enumerate(((5, (2, 4)), (6, (1, 2)), (8, (1, 2))))
)
LADDER = NetworkShape(RUNGS, look_ahead=6, scale=True, ladder=True)

SHAPES = {
    "one trunk": (ModuleShape(4, 10, (1, 4), (0, 1, 2), split=False),),
    "bands apart": (ModuleShape(4, 6, (1, 2), (0, 1, 2)),),
    "bands that hear of each other": (ModuleShape(2, 6, (1, 2), (0, 1, 2), lateral=True),),
    "own strides": tuple(ModuleShape(s, 8, (1,), (band,), split=False) for band, s in enumerate((8, 4, 2))),
}


def a_network(shape: NetworkShape) -> MEcgNet:
    torch.manual_seed(1)
    network = MEcgNet(shape)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return network


@pytest.mark.parametrize("modules", SHAPES.values(), ids=SHAPES)
def test_it_learns_the_function_that_it_evaluates(modules: tuple[ModuleShape, ...]) -> None:
    network = a_network(NetworkShape(modules, look_ahead=6, scale=True))
    bands = torch.randn(2, 3, 160)
    learnt, evaluated = network.train()(bands), network.eval()(bands)
    torch.testing.assert_close(learnt, evaluated, rtol=1e-5, atol=1e-5)
    (gradient,) = torch.autograd.grad(learnt.sum(), [network.bands[0].stem.weight])
    (expected,) = torch.autograd.grad(evaluated.sum(), [network.bands[0].stem.weight])
    torch.testing.assert_close(gradient, expected, rtol=1e-4, atol=1e-4)


def test_a_held_record_is_whole_steps_and_holds_what_its_last_output_needs() -> None:
    for stride in (4, 16):
        shape = NetworkShape((ModuleShape(stride, 6, (1,), (0, 1, 2)),), look_ahead=14)
        for n in (2500, 2496, 2501):
            assert (n + shape.hold(n)) % stride == 0
            assert 14 <= shape.hold(n) < 14 + stride


@pytest.mark.parametrize("kept", [1, 2, 3])
def test_a_ladder_and_each_of_its_parts_learn_the_function_that_they_evaluate(kept: int) -> None:
    network = a_network(LADDER)
    bands = torch.randn(2, 3, 160)
    learnt, evaluated = network.train()(bands, kept), network.eval()(bands, kept)
    torch.testing.assert_close(learnt, evaluated, rtol=1e-5, atol=1e-5)
    mine = [p for module in network.bands[:kept] for p in module.parameters()]
    gradients = torch.autograd.grad(learnt.sum(), mine)
    expected = torch.autograd.grad(evaluated.sum(), mine)
    torch.testing.assert_close(gradients, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kept", [1, 2])
def test_without_its_fast_modules_the_rest_of_a_ladder_is_the_same_to_the_bit(kept: int) -> None:
    network = a_network(LADDER).eval()
    bands = torch.randn(2, 3, 160)
    other = bands.clone()
    other[:, kept:] = torch.randn(2, 3 - kept, 160)  # what the fast modules hear
    heard = sum(m.channels for m in RUNGS[:kept])
    with torch.no_grad():
        _, whole = network.forward_with_features(bands)
        _, disturbed = network.forward_with_features(other)
        _, alone = network.part(kept).forward_with_features(bands)
    assert torch.equal(whole[:, :heard], alone)
    assert torch.equal(disturbed[:, :heard], alone)
    assert not torch.equal(disturbed[:, heard:], whole[:, heard:])


def test_a_fast_module_hears_the_slow_ones() -> None:
    network = a_network(LADDER).eval()
    bands = torch.randn(2, 3, 160)
    other = bands.clone()
    other[:, 0] = torch.randn(2, 160)
    with torch.no_grad():
        _, features = network.forward_with_features(bands)
        _, changed = network.forward_with_features(other)
    assert ((features - changed).abs().amax(dim=(0, 2)) > 1e-3).all()


@pytest.mark.parametrize("kept", [1, 2, 3])
def test_hop_by_hop_a_ladder_and_its_parts_are_what_they_are_at_once(kept: int) -> None:
    network = a_network(LADDER).eval().part(kept)
    step = MEcgNetStep(network, 8)
    bands, state = torch.randn(1, 3, 240), torch.zeros(1, step.state_size)
    hops, features = [], []
    with torch.no_grad():
        for x in bands.split(8, dim=2):
            out, state, seen = step.forward_with_features(x, state)
            hops.append(out)
            features.append(seen)
        whole, known = network.forward_with_features(bands)
    torch.testing.assert_close(torch.cat(hops, dim=2)[..., 6:], whole[..., :-6], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(torch.cat(features, dim=2), known, rtol=1e-5, atol=1e-5)


def test_a_ladder_puts_out_nothing_that_its_look_ahead_does_not_allow() -> None:
    network = a_network(LADDER).eval()
    bands = torch.randn(1, 3, 160)
    later = bands.clone()
    later[..., 80:] += 1
    with torch.no_grad():
        before, after = network(bands), network(later)
    assert torch.equal(before[..., : 80 - 6], after[..., : 80 - 6])
    assert not torch.equal(before[..., 80 - 6 : 80], after[..., 80 - 6 : 80])


def test_the_configured_ladder_has_the_weights_that_are_told_of_it() -> None:
    network = MEcgNet(config.configured(config.facts(CONFIGS / "ladder.toml")).shape)
    sizes = [weights(network.part(n)) for n in (1, 2, 3)]
    assert sizes == [2328, 2328 + 5600, 2328 + 5600 + 39388]


def test_what_is_no_ladder_is_refused() -> None:
    for wrong in (
        {"modules": (*RUNGS[:2], replace(RUNGS[2], stride=8))},
        {"modules": (*RUNGS[:2], replace(RUNGS[2], dilations=(1,)))},
        {"modules": (replace(RUNGS[0], inputs=(0, 1), split=True),)},
    ):
        with pytest.raises(ValueError, match="ladder"):
            replace(LADDER, **wrong)
    for shape, n in ((LADDER, 0), (LADDER, 4), (replace(LADDER, ladder=False), 2)):
        with pytest.raises(ValueError, match="ladder"):
            shape.part(n)
