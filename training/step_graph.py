# SPDX-License-Identifier: GPL-3.0-or-later
"""The incremental form of one module, or of a ladder, whose step is the hop, as an ONNX graph of few nodes.

Live, this is what runs 62 times a second, and its time is mostly the cost per node: traced from
PyTorch (`training.network.MEcgNetStep`, the reference, which also serves every other shape) it has
73 nodes and takes 66 us (54 channels), written down here 46 and 25.  What makes the difference:

- one step has no time axis, so every convolution is the product of a row with a matrix;
- what the dilated taps say of the past does not depend on the present: one gather, one product and
  one sum serve all blocks at once;
- the state is a matrix of rows, each the channels of one past step, and one gather shifts it;
- the modules of a ladder stand side by side, their mixings as one matrix that is zero where none is
  heard: as many nodes as one module has, and what the slow ones put out is the same to the bit whether
  the fast ones stand beside them or not (a test holds it to that).

ONNX Runtime folds the sigmoids, the tangent and the soft-plus into the products before them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from training.network import (
    I_BOUND_MV,
    LEAST_SCALE_MV,
    MEASURED_DELAY,
    STEM_STEPS,
    BandModule,
    MEcgNet,
    side_by_side,
    stacked,
)

_OPSET, _IR = 18, 10
_BANDS = 3


def fits(network: MEcgNet, hop: int) -> bool:
    """Whether `step_graph` can write this network down."""
    modules, ladder = network.shape.modules, network.shape.ladder
    return (len(modules) == 1 or ladder) and modules[0].stride == hop <= network.shape.look_ahead


def step_graph(network: MEcgNet, hop: int, kept: int | None = None) -> onnx.ModelProto:
    """``bands (1, 3, hop)`` and ``state`` to ``leads``, ``scale``, ``features`` and ``next_state``; of a
    ladder, where told, its first ``kept`` modules alone.

    The same function as `training.network.MEcgNetStep` but for the order of the state, which is
    ``(rows, channels)``: of each block the inputs that its taps still need, oldest first, and then
    the newest ``look_ahead`` samples of the bands.
    """
    assert fits(network, hop)
    graph, blocks = _Graph(), _blocks(network)
    if kept is not None:
        network = network.part(kept)
        # Cut out of the whole, so that sums have as many parts, in the same order: to the bit the same.
        blocks = [block.first(sum(m.width for m in network.shape.modules)) for block in blocks]
    width = sum(m.width for m in network.shape.modules)
    depths = [block.depth for block in blocks]
    bands = _Bands(network.shape.look_ahead, hop, width)

    recent_at = sum(depths) + np.arange(bands.rows)
    recent = graph.reshape(graph.gather("state", recent_at), (1, bands.padded))
    longer = graph("Concat", recent, graph.reshape("bands", (1, _BANDS * hop)), axis=1)

    starts = np.cumsum([0, *depths[:-1]])
    rows = np.stack(
        [start + depth - block.ages for start, depth, block in zip(starts, depths, blocks, strict=True)]
    )
    taps = graph.constant(np.stack([block.past for block in blocks]))  # (blocks, ages, width)
    past = graph("Mul", graph.gather("state", rows), taps)
    sums = graph("ReduceSum", past, graph.constant(np.array([1])), keepdims=0)
    past_of = graph.split(sums, len(depths))

    x = graph("MatMul", longer, graph.constant(bands.stems(network)))
    inputs = []
    for block, before in zip(blocks, past_of, strict=True):
        inputs.append(x)
        looked = graph("Add", graph("Mul", x, graph.constant(block.now)), before)
        gate = graph("Gemm", looked, graph.constant(block.gate), graph.constant(block.opened))
        value = graph("MatMul", looked, graph.constant(block.value))
        gated = graph("Mul", value, graph("Sigmoid", gate))
        x = graph("Gemm", gated, graph.constant(block.out), x)

    _head(graph, network, x, longer, bands)
    graph.reshape(x, (1, width, 1), name="features")

    younger = [start + 1 + np.arange(depth - 1) for start, depth in zip(starts, depths, strict=True)]
    now = sum(depths) + bands.rows + np.arange(len(depths))
    order = np.concatenate([np.append(rows, row) for rows, row in zip(younger, now, strict=True)])
    order = np.append(order, now[-1] + 1 + np.arange(bands.rows))
    newest = graph.reshape(graph.gather(longer, bands.newest(), axis=1), (bands.rows, width))
    graph.gather(graph("Concat", "state", *inputs, newest, axis=0), order, name="next_state")

    state = (sum(depths) + bands.rows, width)
    scales = {"scale": (1, network.shape.leads, hop)} if network.shape.scale else {}
    outputs = {"leads": (1, network.shape.leads, hop), **scales, "next_state": state}
    outputs["features"] = (1, width, 1)
    return graph.model({"bands": (1, _BANDS, hop), "state": state}, outputs)


@dataclass(frozen=True, slots=True)
class _Block:
    """The blocks of equal depth of all modules, side by side; matrices are (in, out)."""

    ages: NDArray[np.int64]
    """How many steps before this one what is remembered is looked at, oldest first."""
    past: NDArray[np.float32]
    """The taps of those ``(ages, width)``: zero where a module does not look."""
    now: NDArray[np.float32]
    """And that of this step ``(1, width)``."""
    value: NDArray[np.float32]
    gate: NDArray[np.float32]
    opened: NDArray[np.float32]
    out: NDArray[np.float32]

    @property
    def depth(self) -> int:
        """Steps that are remembered."""
        return int(self.ages.max())

    def first(self, width: int) -> _Block:
        """Of the first channels alone, none of which hears a later one."""
        rows = {name: getattr(self, name)[:, :width] for name in ("past", "now", "opened")}
        both = {name: getattr(self, name)[:width, :width] for name in ("value", "gate", "out")}
        return replace(self, **rows, **both)


def _blocks(network: MEcgNet) -> list[_Block]:
    blocks = []
    for rung in network.rungs():
        ages, taps = side_by_side([block.look for block in rung])
        biases = [block.gate.bias for block in rung if block.gate.bias is not None]
        value, gate, out = (
            np.ascontiguousarray(_array(stacked([getattr(block, name) for block in rung])).T)
            for name in ("value", "gate", "out")
        )
        table, opened = _array(taps), _array(torch.cat(biases))[None]
        blocks.append(_Block(np.array(ages[:-1]), table[:-1], table[-1:], value, gate, opened, out))
    most = max(len(block.ages) for block in blocks)
    return [_filled(block, most) for block in blocks]


def _filled(block: _Block, ages: int) -> _Block:
    """The same, looking so many times: the oldest again, and taking nothing of it."""
    more = ages - len(block.ages)
    again, nothing = np.full(more, block.depth), np.zeros((more, block.past.shape[1]), np.float32)
    return replace(block, ages=np.append(again, block.ages), past=np.vstack((nothing, block.past)))


def _head(graph: _Graph, network: MEcgNet, x: str, longer: str, bands: _Bands) -> None:
    """Leads and scales: row after row of ``hop`` samples, as the head's own order is."""
    leads, hop = network.shape.leads, bands.hop
    head = np.vstack([_dense(module.head) for module in network.modules_of_bands()])
    to_one, to_others, to_scale = np.split(head, [hop, leads * hop], axis=1)
    bent = graph("Tanh", graph("Gemm", x, graph.constant(to_one / I_BOUND_MV)))
    one = graph("Gemm", longer, graph.constant(bands.measured()), bent, beta=I_BOUND_MV)
    others = graph("MatMul", x, graph.constant(to_others))
    graph.reshape(graph("Concat", one, others, axis=1), (1, leads, hop), name="leads")
    if network.usual_scale is not None:
        usual = graph.constant(np.repeat(_array(network.usual_scale)[:, 0], hop)[None])
        above = graph("Softplus", graph("Gemm", x, graph.constant(to_scale), usual))
        least = graph.constant(np.array([LEAST_SCALE_MV], np.float32))
        graph.reshape(graph("Add", above, least), (1, leads, hop), name="scale")


class _Bands:
    """The newest samples of the bands: ``look_ahead`` from the state, then the hop, in one row.

    In the state they fill whole rows of ``width``, the rest of the last is zero.
    """

    def __init__(self, look_ahead: int, hop: int, width: int) -> None:
        self.look_ahead, self.hop = look_ahead, hop
        self.rows = -(-_BANDS * look_ahead // width)
        self.padded = self.rows * width

    def column(self, band: int, t: int) -> int:
        """Where sample ``t`` of a band stands; the hop begins at 0, the past is negative."""
        past = band * self.look_ahead + self.look_ahead + t
        return past if t < 0 else self.padded + band * self.hop + t

    def newest(self) -> NDArray[np.int64]:
        """Which samples the next state keeps."""
        keep = np.full(self.padded, self.padded - 1)  # padding keeps padding; without any, all is set
        for band in range(_BANDS):
            for j in range(self.look_ahead):
                keep[band * self.look_ahead + j] = self.column(band, j - self.look_ahead + self.hop)
        return keep

    def stems(self, network: MEcgNet) -> NDArray[np.float32]:
        """The first convolutions side by side as a matrix, ``(samples, width)``."""
        each = zip(network.modules_of_bands(), network.shape.modules, strict=True)
        return np.hstack([self._stem(module, shape.inputs[0]) for module, shape in each])

    def _stem(self, module: BandModule, first: int) -> NDArray[np.float32]:
        kernel = _array(module.stem.weight)  # (width, inputs of a group, taps)
        width, inputs, taps = kernel.shape
        matrix = np.zeros((self.padded + _BANDS * self.hop, width), np.float32)
        for out in range(width):
            group = out // (width // module.stem.groups)
            for i in range(inputs):
                for k in range(taps):
                    t = k - (STEM_STEPS - 1) * module.stride
                    matrix[self.column(first + group * inputs + i, t), out] = kernel[out, i, k]
        return matrix

    def measured(self) -> NDArray[np.float32]:
        """The sum of the bands, its low-pass delay taken out, as a matrix ``(samples, hop)``."""
        matrix = np.zeros((self.padded + _BANDS * self.hop, self.hop), np.float32)
        for j in range(self.hop):
            for by in MEASURED_DELAY:
                for band in range(_BANDS):
                    matrix[self.column(band, j - self.look_ahead + by), j] += 1 / len(MEASURED_DELAY)
        return matrix


class _Graph:
    """Nodes and constants in the order in which they are asked for; a value is its name."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def __call__(self, op: str, *inputs: str, name: str = "", **attributes: float) -> str:
        """A node with one output; returns its name."""
        name = name or f"{op.lower()}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(op, inputs, [name], name=name, **attributes))
        return name

    def constant(self, values: NDArray[np.generic]) -> str:
        """Weights as float32, positions and shapes as int64."""
        kind = np.float32 if np.issubdtype(values.dtype, np.floating) else np.int64
        name = f"constant_{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(values, kind), name))
        return name

    def gather(self, value: str, positions: NDArray[np.int64], axis: int = 0, name: str = "") -> str:
        """Rows, or columns, of a value."""
        return self("Gather", value, self.constant(positions), axis=axis, name=name)

    def reshape(self, value: str, shape: tuple[int, ...], name: str = "") -> str:
        """The same numbers in another shape."""
        return self("Reshape", value, self.constant(np.array(shape)), name=name)

    def split(self, value: str, rows: int) -> list[str]:
        """Each row by itself."""
        names = [f"{value}_{i}" for i in range(rows)]
        self._nodes.append(
            helper.make_node("Split", [value], names, name=f"{value}_s", axis=0, num_outputs=rows)
        )
        return names

    def model(
        self, inputs: dict[str, tuple[int, ...]], outputs: dict[str, tuple[int, ...]]
    ) -> onnx.ModelProto:
        """Checked, with these inputs and outputs."""
        given, made = (
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, size) for name, size in values.items()]
            for values in (inputs, outputs)
        )
        graph = helper.make_graph(self._nodes, "step", given, made, self._constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR)
        onnx.checker.check_model(model, full_check=True)
        return model


def _array(values: torch.Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = values.detach().cpu().numpy().astype(np.float32)
    return array


def _dense(convolution: torch.nn.Module) -> NDArray[np.float32]:
    """The matrix ``(in, out)`` of a convolution of one tap; its groups stand apart."""
    assert isinstance(convolution, torch.nn.Conv1d)
    weight, groups = _array(convolution.weight)[:, :, 0], convolution.groups
    outs, ins = weight.shape[0] // groups, weight.shape[1]
    matrix = np.zeros((ins * groups, outs * groups), np.float32)
    for g in range(groups):
        matrix[g * ins : (g + 1) * ins, g * outs : (g + 1) * outs] = weight[g * outs : (g + 1) * outs].T
    return matrix
