# SPDX-License-Identifier: GPL-3.0-or-later
"""mEcgNet: small causal modules that each see one band or several, their outputs summed.

What ships is a ladder: a module for each band, which also hears what those of the slower bands make of
theirs, and never those of faster ones.  Without its fastest modules it is a smaller network of its own
(`MEcgNet.part`), and the rest of it is what it was.

After Lee et al., "Parameter-Efficient 12-Lead ECG Reconstruction from a Single Lead", MICCAI 2025,
doi 10.1007/978-3-032-04937-7_41 (which publishes the idea, not the layers: those are ours).

Silence in, silence out: no convolution before the last has a bias, so zeros in the input give zeros
in every layer.  The zeros that a convolution is padded with at the left are then exactly what it
would have seen, and windowed, dense and incremental evaluation are the same function.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True, slots=True)
class ModuleShape:
    """The module of a band, or of several bands of one time resolution."""

    stride: int
    """Samples per step inside."""
    channels: int
    """For each band, or in all where the bands are not split."""
    dilations: tuple[int, ...]
    inputs: tuple[int, ...]
    """The consecutive rows of the input (0 low, 1 mid, 2 high) that it sees."""
    split: bool = True
    """Keep the bands apart."""
    lateral: bool = False
    """Bands that are kept apart hear of each other at the end of every block."""
    kernel: int = 9

    @property
    def groups(self) -> int:
        """Bands that are kept apart."""
        return len(self.inputs) if self.split else 1

    @property
    def width(self) -> int:
        """Channels in all."""
        return self.channels * self.groups


@dataclass(frozen=True, slots=True)
class NetworkShape:
    """The whole network."""

    modules: tuple[ModuleShape, ...]
    look_ahead: int
    """Samples that the output lags behind the newest input."""
    leads: int = 8
    scale: bool = False
    """A second output: the scale of a Laplace distribution around each sample, mV."""
    ladder: bool = False
    """At the end of every block each module also mixes in the channels of those before it."""

    def __post_init__(self) -> None:
        if not self.ladder:
            return
        if any(m.groups > 1 or m.lateral for m in self.modules):
            raise ValueError("a module of a ladder keeps no bands apart inside: set split = false")
        if len({(m.stride, len(m.dilations)) for m in self.modules}) > 1:
            raise ValueError("the modules of a ladder have one stride, and as many dilations each")

    def part(self, modules: int) -> NetworkShape:
        """The ladder of its first modules alone."""
        if not self.ladder or not 1 <= modules <= len(self.modules):
            raise ValueError(f"a ladder of {modules} modules cannot be taken out of {self}")
        return replace(self, modules=self.modules[:modules])

    @property
    def grid(self) -> int:
        """Windows and hops are multiples of this."""
        return max(m.stride for m in self.modules)

    def hold(self, n: int) -> int:
        """Samples of input after a record of ``n`` that its last output needs, up to a whole step."""
        return -(-(n + self.look_ahead) // self.grid) * self.grid - n

    @property
    def receptive_field(self) -> int:
        """Samples of input that one output can depend on."""
        return max(
            m.stride * (STEM_STEPS + sum((m.kernel - 1) * d for d in m.dilations)) for m in self.modules
        )


PARTS = ("low", "mid", "high")
"""The rows of the input, and what a ladder is called whose fastest module hears that one."""

STEM_STEPS = 2
"""The first convolution sees this many steps of its module's stride."""

I_BOUND_MV = 0.5
"""I' stays within this of the measured lead (its low-pass delay taken out)."""

LEAST_SCALE_MV = 0.003
"""No sample is surer than this: a few steps of the converter of a common recorder."""

MEASURED_DELAY = (2, 3)
"""The input's low-pass delays 10 Hz by 10 ms: 2.5 samples at 250 Hz, the mean of these two."""


class Look(nn.Module):
    """Depth-wise causal convolution with dilated taps."""

    def __init__(self, channels: int, kernel: int, dilation: int) -> None:
        super().__init__()
        self.dilation = dilation
        self.taps = nn.Parameter(torch.randn(kernel, channels, 1) / kernel**0.5)

    def forward(self, x: Tensor) -> Tensor:
        """``(batch, channels, n)`` to the same shape."""
        return self.sums(functional.pad(x, ((len(self.taps) - 1) * self.dilation, 0)))

    def sums(self, x: Tensor) -> Tensor:
        """The tap sums ``(batch, channels, n)`` of samples that come with all their past."""
        taps = self.taps.permute(1, 2, 0)
        return functional.conv1d(x, taps, dilation=self.dilation, groups=len(taps))

    @property
    def ages(self) -> list[int]:
        """How many steps before the newest each tap looks at."""
        return [k * self.dilation for k in reversed(range(len(self.taps)))]

    def shifted(self, x: Tensor) -> Tensor:
        """`forward` as a sum of shifted copies, time before channels: ``(batch, n, channels)``."""
        return shifted(x, self.ages, self.taps[:, :, 0])


def shifted(x: Tensor, ages: Sequence[int], taps: Tensor) -> Tensor:
    """Each channel's sum of its past ``(batch, n, channels)``, weighted by ``taps (ages, channels)``."""
    oldest, n = max(ages), x.shape[1]
    padded = functional.pad(x, (0, 0, oldest, 0))
    y = torch.zeros(())
    for age, weights_of in zip(ages, taps, strict=True):
        y = y + weights_of * padded[:, oldest - age : oldest - age + n]
    return y


def side_by_side(looks: Sequence[Look]) -> tuple[list[int], Tensor]:
    """The taps of several looks as those of one: its ages, oldest first, and ``(ages, channels)``, zero at
    ages that a look passes over.
    """
    ages = sorted({age for look in looks for age in look.ages}, reverse=True)
    columns = []
    for look in looks:
        of = dict(zip(look.ages, look.taps[:, :, 0], strict=True))
        none = torch.zeros_like(look.taps[0, :, 0])
        columns.append(torch.stack([of.get(age, none) for age in ages]))
    return ages, torch.cat(columns, dim=1)


def mixing(layer: nn.Conv1d) -> Tensor:
    """A convolution's weights as one matrix, zero between groups: rows out, columns in."""
    groups = layer.weight.flatten(1).chunk(layer.groups)
    return groups[0] if len(groups) == 1 else torch.block_diag(*groups)


def stacked(layers: Sequence[nn.Conv1d]) -> Tensor:
    """The weights of a ladder's modules as one matrix: the rows of each, zero where it does not hear."""
    if len(layers) == 1:
        return mixing(layers[0])
    width = layers[-1].in_channels
    return torch.cat([functional.pad(mixing(layer), (0, width - layer.in_channels)) for layer in layers])


class GatedBlock(nn.Module):
    """Residual block: look back through dilated taps, mix channels, gate, mix again.

    What it mixes are its own channels, and before them ``heard`` more of other modules.
    """

    def __init__(
        self, channels: int, kernel: int, dilation: int, groups: int, lateral: bool, heard: int = 0
    ) -> None:
        super().__init__()
        inputs = heard + channels
        self.look = Look(channels, kernel, dilation)
        self.value = nn.Conv1d(inputs, channels, 1, groups=groups, bias=False)
        self.gate = nn.Conv1d(inputs, channels, 1, groups=groups)  # its bias opens no gate to silence
        self.out = nn.Conv1d(inputs, channels, 1, groups=1 if lateral else groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """``(batch, channels, n)`` to the same shape."""
        return self.finish(x, self.look(x))

    def finish(self, x: Tensor, looked: Tensor) -> Tensor:
        """What follows the look back."""
        result: Tensor = x + self.out(self.gated(looked))
        return result

    def gated(self, looked: Tensor) -> Tensor:
        """Mixed once, and gated."""
        result: Tensor = self.value(looked) * torch.sigmoid(self.gate(looked))
        return result

    def learn(self, x: Tensor) -> Tensor:
        """`forward`, time before channels: ``(batch, n, channels)``."""
        looked = self.look.shifted(x)
        both = functional.linear(looked, torch.cat((mixing(self.value), mixing(self.gate))))
        value, gate = both.chunk(2, dim=-1)
        assert self.gate.bias is not None
        return x + functional.linear(value * torch.sigmoid(gate + self.gate.bias), mixing(self.out))


def frames(x: Tensor, stride: int) -> Tensor:
    """What each step of the first layer sees: ``(batch, inputs, n)`` to ``(batch, n / stride, numbers)``."""
    padded = functional.pad(x, ((STEM_STEPS - 1) * stride, 0))
    return padded.unfold(2, STEM_STEPS * stride, stride).transpose(1, 2).flatten(2)


class BandModule(nn.Module):
    """One band, or several, to all leads, at the time resolution that they need.

    Bands of one resolution run side by side, as groups of the same convolutions: three modules for
    the price of one call.  Only the head, whose sum over bands is the network's output, sees all.
    """

    def __init__(self, shape: ModuleShape, outputs: int, heard: int = 0) -> None:
        super().__init__()
        self.stride = shape.stride
        groups, channels = shape.groups, shape.width
        self.stem = nn.Conv1d(
            len(shape.inputs),
            channels,
            STEM_STEPS * shape.stride,
            stride=shape.stride,
            groups=groups,
            bias=False,
        )
        self.blocks = nn.Sequential(
            *(GatedBlock(channels, shape.kernel, d, groups, shape.lateral, heard) for d in shape.dilations)
        )
        self.head = nn.Conv1d(channels, outputs * shape.stride, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """``(batch, inputs, n)`` to ``(batch, leads, n)``."""
        return self.spread(self.features(x))

    def learn(self, x: Tensor) -> Tensor:
        """`forward` as it learns: time before channels, so that every mixing of channels is one matrix
        product.  With those in bfloat16 it learns 2.7 times as fast on a CPU.
        """
        steps = functional.linear(frames(x, self.stride), mixing(self.stem)).float()
        for block in self.blocks:
            assert isinstance(block, GatedBlock)
            steps = block.learn(steps)
        return laid_out(functional.linear(steps, mixing(self.head)).float(), self.stride)

    def features(self, x: Tensor) -> Tensor:
        """What the last layer is given: ``(batch, channels, n / stride)``."""
        features: Tensor = self.blocks(self.first(x))
        return features

    def first(self, x: Tensor) -> Tensor:
        """The first layer: ``(batch, inputs, n)`` to ``(batch, channels, n / stride)``."""
        steps: Tensor = self.stem(functional.pad(x, ((STEM_STEPS - 1) * self.stride, 0)))
        return steps

    def spread(self, steps: Tensor) -> Tensor:
        """The last layer, its ``stride`` samples of each step laid out in time."""
        y = self.head(steps)
        batch, _, n = y.shape
        # (batch, leads * stride, n) to (batch, leads, n * stride): each step holds its samples.
        return y.reshape(batch, -1, self.stride, n).transpose(2, 3).reshape(batch, -1, n * self.stride)


def stem_of_all(module: BandModule, shape: ModuleShape, bands: int) -> Tensor:
    """The first layer of a module as a matrix from the frames of all bands, zero where it sees none."""
    rows = mixing(module.stem).unflatten(1, (len(shape.inputs), -1))
    before, after = shape.inputs[0], bands - 1 - shape.inputs[-1]
    return functional.pad(rows, (0, 0, before, after)).flatten(1)


def laid_out(y: Tensor, stride: int) -> Tensor:
    """Each step's samples in time: ``(batch, n / stride, rows * stride)`` to ``(batch, rows, n)``."""
    return y.unflatten(2, (-1, stride)).transpose(1, 2).flatten(2)


class MEcgNet(nn.Module):
    """Bands ``(batch, 3, n)`` mV to I', II, V1-V6 ``(batch, 8, n)`` mV, in the clinical frame.

    With a scale the leads come first and their scales below them, ``(batch, 16, n)``.
    Column j of the output is the sample of column j of the input; the last ``look_ahead`` columns
    are zero, since they would need input that is not there yet.  n is a multiple of the grid.
    """

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__()
        self.shape = shape
        outputs = shape.leads * (2 if shape.scale else 1)
        # A module each of `shape.modules`, not a frequency band: checkpoints name their weights by it.
        widths = [m.width for m in shape.modules]
        self.bands = nn.ModuleList(
            BandModule(m, outputs, sum(widths[:i]) if shape.ladder else 0)
            for i, m in enumerate(shape.modules)
        )
        self.usual_scale = nn.Parameter(torch.full((shape.leads, 1), -3.0)) if shape.scale else None

    def forward(self, bands: Tensor, kept: int | None = None) -> Tensor:
        """As the class says; of a ladder, where told, the first ``kept`` modules alone."""
        if not self.training:
            whole = kept is None or kept == len(self.bands)
            return (self if whole else self.part(kept or 0)).forward_with_features(bands)[0]
        if self.shape.ladder:
            return self.aligned(self._learn_ladder(bands, kept or len(self.bands)), bands)
        late = torch.zeros(())
        for module, m in zip(self.modules_of_bands(), self.shape.modules, strict=True):
            late = late + module.learn(bands[:, m.inputs[0] : m.inputs[-1] + 1])
        return self.aligned(late, bands)

    def part(self, modules: int) -> MEcgNet:
        """The first modules of a ladder as a network of their own, which shares their weights."""
        network: MEcgNet = MEcgNet(self.shape.part(modules)).train(self.training)
        network.bands = nn.ModuleList(self.modules_of_bands()[:modules])
        network.usual_scale = self.usual_scale
        return network

    def parts(self) -> dict[str, MEcgNet]:
        """Those that run alone, by the fastest band that each hears; of what is no ladder of bands, none."""
        shapes = self.shape.modules
        if not self.shape.ladder or [m.inputs for m in shapes] != [(band,) for band in range(len(shapes))]:
            return {}
        return {name: self.part(i + 1) for i, name in enumerate(PARTS[: len(shapes) - 1])}

    def modules_of_bands(self) -> list[BandModule]:
        """The modules, the slowest first."""
        modules = [module for module in self.bands if isinstance(module, BandModule)]
        assert len(modules) == len(self.bands)
        return modules

    def rungs(self) -> list[list[GatedBlock]]:
        """Of a ladder the blocks of equal depth, each module's."""
        depth = range(len(self.shape.modules[0].dilations))
        rungs = [[module.blocks[i] for module in self.modules_of_bands()] for i in depth]
        return [[block for block in rung if isinstance(block, GatedBlock)] for rung in rungs]

    def _learn_ladder(self, bands: Tensor, kept: int) -> Tensor:
        """What the first modules of a ladder put out, as it learns: each mixing one product for all."""
        modules, shapes = self.modules_of_bands()[:kept], self.shape.modules[:kept]
        each = zip(modules, shapes, strict=True)
        stem = torch.cat([stem_of_all(module, m, bands.shape[1]) for module, m in each])
        steps = functional.linear(frames(bands, shapes[0].stride), stem).float()
        for rung in self.rungs():
            blocks = rung[:kept]
            looked = shifted(steps, *side_by_side([block.look for block in blocks]))
            mix = torch.cat((stacked([b.value for b in blocks]), stacked([b.gate for b in blocks])))
            value, gate = functional.linear(looked, mix).chunk(2, dim=-1)
            opened = torch.cat([b.gate.bias for b in blocks if b.gate.bias is not None])
            gated = value * torch.sigmoid(gate + opened)
            steps = steps + functional.linear(gated, stacked([b.out for b in blocks]))
        head = torch.cat([mixing(module.head) for module in modules], dim=1)
        return laid_out(functional.linear(steps, head).float(), shapes[0].stride)

    def forward_with_features(self, bands: Tensor) -> tuple[Tensor, Tensor]:
        """The same, and what the last layer is given, ``(batch, channels, n / stride)``: of a ladder of all
        modules, the slowest first, of others of the first module.

        Its step j belongs to the ``stride`` columns of the output from ``j * stride - look_ahead`` on.
        """
        modules = self.modules_of_bands()
        each = zip(modules, self.shape.modules, strict=True)
        inputs = [(module, bands[:, m.inputs[0] : m.inputs[-1] + 1]) for module, m in each]
        if self.shape.ladder:
            steps = [module.first(x) for module, x in inputs]
            for rung in self.rungs():
                looked = [block.look(x) for block, x in zip(rung, steps, strict=True)]
                steps = finished(rung, steps, looked)
        else:
            steps = [module.features(x) for module, x in inputs]
        late = torch.zeros(())
        for module, x in zip(modules, steps, strict=True):
            late = late + module.spread(x)
        return self.aligned(late, bands), torch.cat(steps, dim=1) if self.shape.ladder else steps[0]

    def aligned(self, late: Tensor, bands: Tensor) -> Tensor:
        """Leads and scales from what the modules put out, which lags the input by the look-ahead."""
        ahead = self.shape.look_ahead
        y = functional.pad(late[..., ahead:], (0, ahead))
        measured = bands.sum(dim=1, keepdim=True)
        shifted = [functional.pad(measured[..., by:], (0, by)) for by in MEASURED_DELAY]
        return self.complete(y, (shifted[0] + shifted[1]) / 2)

    def complete(self, y: Tensor, measured: Tensor) -> Tensor:
        """Leads and scales from the modules' sum and the measured lead, its delay taken out."""
        one = measured + I_BOUND_MV * torch.tanh(y[:, :1] / I_BOUND_MV)
        leads = torch.cat((one, y[:, 1 : self.shape.leads]), dim=1)
        if self.usual_scale is None:
            return leads
        scale = LEAST_SCALE_MV + functional.softplus(y[:, self.shape.leads :] + self.usual_scale)
        return torch.cat((leads, scale), dim=1)


def finished(rung: Sequence[GatedBlock], steps: Sequence[Tensor], looked: Sequence[Tensor]) -> list[Tensor]:
    """What follows the look back in a ladder's blocks of equal depth: each hears those before it."""
    gated, after = [], []
    for i, (block, x) in enumerate(zip(rung, steps, strict=True)):
        gated.append(block.gated(torch.cat(list(looked[: i + 1]), dim=1)))
        after.append(x + block.out(torch.cat(gated, dim=1)))
    return after


class MEcgNetStep(nn.Module):
    """The same network, one hop at a time: what it must remember goes in and comes out.

    ``bands (1, 3, hop)`` and ``state (1, n)`` to the leads (and scales) ``(1, rows, hop)`` of the
    samples that lie `NetworkShape.look_ahead` before those of the input, and the next state.  A
    state of zeros is what silence leaves behind.
    """

    def __init__(self, network: MEcgNet, hop: int) -> None:
        super().__init__()
        self.network, self.hop = network, hop
        shape = network.shape
        stems = [len(m.inputs) * (STEM_STEPS - 1) * m.stride for m in shape.modules]
        pasts = [[m.width * (m.kernel - 1) * d for d in m.dilations] for m in shape.modules]
        # In the order in which they are asked for: a ladder goes up rung by rung, others module by module.
        if shape.ladder:
            ordered = [*stems, *(size for rung in zip(*pasts, strict=True) for size in rung)]
        else:
            ordered = [size for stem, past in zip(stems, pasts, strict=True) for size in (stem, *past)]
        self.sizes = [3 * shape.look_ahead, *ordered]

    @property
    def state_size(self) -> int:
        """Numbers that are remembered."""
        return sum(self.sizes)

    def forward(self, bands: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """As the class says."""
        out, after, _ = self.forward_with_features(bands, state)
        return out, after

    def forward_with_features(self, bands: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The same, and the features ``(1, channels, hop / stride)`` that belong to these samples."""
        network, shape = self.network, self.network.shape
        past = iter(torch.split(state, self.sizes, dim=1))
        kept: list[Tensor] = []

        def with_past(x: Tensor) -> Tensor:
            before = next(past)
            longer = torch.cat((before.reshape(1, x.shape[1], -1), x), dim=2)
            kept.append(longer[:, :, x.shape[2] :].reshape(1, -1))
            return longer

        recent = with_past(bands)
        modules, steps = network.modules_of_bands(), []
        for module, m in zip(modules, shape.modules, strict=True):
            steps.append(module.stem(with_past(bands[:, m.inputs[0] : m.inputs[-1] + 1])))
            for block in () if shape.ladder else module.blocks:
                assert isinstance(block, GatedBlock)
                steps[-1] = block.finish(steps[-1], block.look.sums(with_past(steps[-1])))
        for rung in network.rungs() if shape.ladder else ():
            looked = [block.look.sums(with_past(x)) for block, x in zip(rung, steps, strict=True)]
            steps = finished(rung, steps, looked)
        late = torch.zeros(())
        for module, x in zip(modules, steps, strict=True):
            late = late + module.spread(x)
        measured = recent.sum(dim=1, keepdim=True)
        shifted = [measured[:, :, by : by + self.hop] for by in MEASURED_DELAY]
        out = network.complete(late, (shifted[0] + shifted[1]) / 2)
        features = torch.cat(steps, dim=1) if shape.ladder else steps[0]
        return out, torch.cat(kept, dim=1), features


def weights(network: nn.Module) -> int:
    """How many numbers were trained."""
    return sum(p.numel() for p in network.parameters())
