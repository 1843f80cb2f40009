"""The network's two ways of computing the same function."""

import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")

from training.network import MEcgNet, ModuleShape, NetworkShape

SHAPES = {
    "one trunk": (ModuleShape(4, 10, (1, 4), (0, 1, 2), split=False),),
    "bands apart": (ModuleShape(4, 6, (1, 2), (0, 1, 2)),),
    "bands that hear of each other": (ModuleShape(2, 6, (1, 2), (0, 1, 2), lateral=True),),
    "own strides": tuple(ModuleShape(s, 8, (1,), (band,), split=False) for band, s in enumerate((8, 4, 2))),
}


@pytest.mark.parametrize("modules", SHAPES.values(), ids=SHAPES)
def test_it_learns_the_function_that_it_evaluates(modules: tuple[ModuleShape, ...]) -> None:
    torch.manual_seed(1)
    network = MEcgNet(NetworkShape(modules, look_ahead=6, scale=True))
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
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
