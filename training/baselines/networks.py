# SPDX-License-Identifier: GPL-3.0-or-later
"""The predecessors' networks: Lead I in the input band ``(batch, 1, n)`` to ``(batch, 8, n)``, mV.

Rows come out in the order of `streamer.core.leads.PREDICTED`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from streamer.core.leads import LEADS as TWELVE
from streamer.core.leads import PREDICTED

LEADS = len(PREDICTED)


class Lags(nn.Module):
    """A linear filter per lead: weights of past and a little future of Lead I.

    Column j of the output uses the input up to ``look_ahead`` after it; the last ``look_ahead``
    columns are zero.
    """

    def __init__(self, taps: int, step: int, look_ahead: int) -> None:
        super().__init__()
        self.step, self.look_ahead = step, look_ahead
        self.taps = nn.Parameter(torch.zeros(LEADS, 1, taps), requires_grad=False)

    @property
    def receptive_field(self) -> int:
        """Samples of input that one output depends on."""
        return (int(self.taps.shape[-1]) - 1) * self.step + 1

    def forward(self, x: Tensor) -> Tensor:
        """As the module says."""
        late = functional.conv1d(
            functional.pad(x, (self.receptive_field - 1, 0)), self.taps, dilation=self.step
        )
        return functional.pad(late[..., self.look_ahead :], (0, self.look_ahead))


PICTURE_ROWS = 16
PADDING_ROWS = 2
KERNEL = (2, 4)
STRIDES = ((2, 2), (2, 2), (2, 2), (2, 2), (1, 2))
WIDTHS = (64, 128, 256, 512, 1024)
SLOPE = 0.3
"""Of the leaky rectifiers: the default of the framework that the paper used."""

_PREDICTED_ROWS = [PADDING_ROWS + TWELVE.index(lead) for lead in PREDICTED]


def picture_of(leads_mv: Tensor) -> Tensor:
    """One or twelve leads ``(batch, leads, n)`` as a picture ``(batch, 1, 16, n)``.

    Twelve rows, Lead I in each where only that is given, and two rows of zeros above and below.
    """
    rows = leads_mv.expand(-1, len(TWELVE), -1)
    return functional.pad(rows, (0, 0, PADDING_ROWS, PADDING_ROWS))[:, None]


class EKGanGenerator(nn.Module):
    """The inference generator of EKGAN (Joo et al., MICCAI 2023): a 2-D U-Net on a picture of Lead I.

    12,524,672 weights.  Without skips it is the paper's label generator, an autoencoder.
    """

    def __init__(self, *, skips: bool = True) -> None:
        super().__init__()
        self.skips = skips
        self.down = nn.ModuleList()
        self.down_norm = nn.ModuleList()
        before = 1
        for i, (width, stride) in enumerate(zip(WIDTHS, STRIDES, strict=True)):
            self.down.append(nn.Conv2d(before, width, KERNEL, stride=stride, bias=False))
            self.down_norm.append(nn.BatchNorm2d(width) if i else nn.Identity())
            before = width
        self.up = nn.ModuleList()
        self.up_norm = nn.ModuleList()
        for i, width in enumerate((*reversed(WIDTHS[:-1]), 1)):
            into = 2 * before if skips and i else before
            self.up.append(nn.ConvTranspose2d(into, width, KERNEL, stride=STRIDES[-1 - i], bias=False))
            self.up_norm.append(nn.BatchNorm2d(width) if width > 1 else nn.Identity())
            before = width

    def encode(self, picture: Tensor) -> list[Tensor]:
        """What each level of the encoder sees; the last is the latent."""
        levels, x = [], picture
        for conv, norm, stride in zip(self.down, self.down_norm, STRIDES, strict=True):
            x = functional.pad(x, (1, 1, 0, 1) if stride[0] == 1 else (1, 1, 0, 0))
            x = functional.leaky_relu(norm(conv(x)), SLOPE)
            levels.append(x)
        return levels

    def decode(self, levels: Sequence[Tensor]) -> Tensor:
        """The picture ``(batch, 1, 16, n)`` from the levels of the encoder."""
        x = levels[-1]
        for i, (conv, norm) in enumerate(zip(self.up, self.up_norm, strict=True)):
            x = conv(x)[:, :, : PICTURE_ROWS >> (len(STRIDES) - 1 - i), 1:-1]
            if i + 1 < len(self.up):
                x = functional.relu(norm(x))
                if self.skips:
                    x = torch.cat((x, levels[-2 - i]), dim=1)
        return x

    def forward(self, lead_mv: Tensor) -> Tensor:
        """As the module says."""
        return self.decode(self.encode(picture_of(lead_mv)))[:, 0, _PREDICTED_ROWS]


class EKGanDiscriminator(nn.Module):
    """The paper's discriminator: a U-Net along each row, with a verdict for each of its samples."""

    WIDTHS = (32, 64, 128, 256, 512)
    KERNELS = (64, 32, 16, 8, 4)
    STRIDES = (4, 4, 4, 2, 2)

    def __init__(self) -> None:
        super().__init__()
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        before = 2
        shapes = list(zip(self.KERNELS, self.STRIDES, strict=True))
        for i, (width, (kernel, stride)) in enumerate(zip(self.WIDTHS, shapes, strict=True)):
            pad = (0, (kernel - stride) // 2)
            conv = nn.Conv2d(before, width, (1, kernel), (1, stride), pad, bias=False)
            norm = [nn.BatchNorm2d(width)] if i else []
            self.down.append(nn.Sequential(conv, *norm, nn.LeakyReLU(SLOPE)))
            before = width
        widths = (*reversed(self.WIDTHS[:-1]), 1)
        for i, (width, (kernel, stride)) in enumerate(zip(widths, reversed(shapes), strict=True)):
            pad = (0, (kernel - stride) // 2)
            into = 2 * before if i else before
            conv_up = nn.ConvTranspose2d(into, width, (1, kernel), (1, stride), pad, bias=False)
            norm = [nn.BatchNorm2d(width), nn.ReLU()] if width > 1 else []
            self.up.append(nn.Sequential(conv_up, *norm))
            before = width

    def forward(self, lead: Tensor, picture: Tensor) -> Tensor:
        """Pictures ``(batch, 1, 16, n)`` of Lead I and of all leads to logits of the same shape."""
        levels, x = [], torch.cat((lead, picture), dim=1)
        for down in self.down:
            x = down(x)
            levels.append(x)
        for i, up in enumerate(self.up):
            x = up(torch.cat((x, levels[-1 - i]), dim=1) if i else x)
        return x


MCMA_WIDTHS = (16, 32, 64, 128, 256, 512)
MCMA_KERNEL = 13


class _OverChannels(nn.LayerNorm):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.transpose(1, 2)).transpose(1, 2)


class _Block(nn.Module):
    """Two ways through the same stride, one of them normed over channels; their sum over time."""

    def __init__(self, into: int, width: int, stride: int, *, up: bool = False) -> None:
        super().__init__()

        def layer() -> nn.Module:
            if up:
                # 'same' of an odd kernel at stride 2: twice the length.
                return nn.ConvTranspose1d(
                    into, width, MCMA_KERNEL, stride, padding=6, output_padding=stride - 1
                )
            return nn.Conv1d(into, width, MCMA_KERNEL, stride, padding=6)

        self.short, self.long = layer(), layer()
        self.norm = _OverChannels(width)
        self.after = nn.Conv1d(width, width, MCMA_KERNEL, padding=6)
        self.over_time = nn.InstanceNorm1d(width, eps=1e-6, affine=True)

    def forward(self, x: Tensor) -> Tensor:
        """``(batch, into, n)`` to ``(batch, width, n / stride)``, or times stride."""
        second = functional.gelu(self.after(functional.gelu(self.norm(self.long(x)))))
        out: Tensor = self.over_time(functional.gelu(self.short(x)) + second)
        return out


class Mcma(nn.Module):
    """MCMA (Chen et al., npj Cardiovascular Health 2024): a 1-D U-Net in the manner of U-Net3+.

    Its paper fills eleven zero leads beside the given one, so that any lead can be given; Lead I
    alone has one row.  Its last block ends in an instance norm, which would put out every lead of
    every window with one amplitude: here a plain convolution is the last layer, since mV are asked.
    """

    def __init__(self) -> None:
        super().__init__()
        widths = MCMA_WIDTHS
        self.encoder = nn.ModuleList(
            _Block(into, width, 2 if i else 1)
            for i, (into, width) in enumerate(zip((1, *widths[:-1]), widths, strict=True))
        )
        self.up = nn.ModuleList(
            _Block(into, width, 2, up=True) for into, width in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )
        self.across = nn.ModuleList(_Block(width, width, 1) for width in widths[-2::-1])
        self.head = nn.Conv1d(widths[0], LEADS, MCMA_KERNEL, padding=6)

    def forward(self, lead_mv: Tensor) -> Tensor:
        """As the module says; n is a multiple of 32."""
        levels, x = [], lead_mv
        for block in self.encoder:
            x = block(x)
            levels.append(x)
        for up, across, level in zip(self.up, self.across, levels[-2::-1], strict=True):
            x = up(x) + across(level)
        out: Tensor = self.head(x)
        return out


class UNet(nn.Module):
    """A plain 1-D U-Net: five levels of two convolutions each, stride 2 between them, skips."""

    def __init__(self, widths: Sequence[int] = (24, 32, 48, 64, 96), kernel: int = 9) -> None:
        super().__init__()

        def pair(into: int, width: int) -> nn.Sequential:
            half = kernel // 2
            return nn.Sequential(
                nn.Conv1d(into, width, kernel, padding=half, bias=False),
                nn.BatchNorm1d(width),
                nn.ReLU(),
                nn.Conv1d(width, width, kernel, padding=half, bias=False),
                nn.BatchNorm1d(width),
                nn.ReLU(),
            )

        steps = list(pairwise(widths))
        self.first = pair(1, widths[0])
        self.down = nn.ModuleList(nn.Conv1d(a, b, 4, stride=2, padding=1) for a, b in steps)
        self.inner = nn.ModuleList(pair(b, b) for _, b in steps)
        self.up = nn.ModuleList(nn.ConvTranspose1d(b, a, 4, stride=2, padding=1) for a, b in reversed(steps))
        self.outer = nn.ModuleList(pair(2 * a, a) for a, _ in reversed(steps))
        self.head = nn.Conv1d(widths[0], LEADS, 1)

    def forward(self, lead_mv: Tensor) -> Tensor:
        """As the module says; n is a multiple of 16."""
        x = self.first(lead_mv)
        levels = [x]
        for down, inner in zip(self.down, self.inner, strict=True):
            x = inner(down(x))
            levels.append(x)
        for up, outer, level in zip(self.up, self.outer, levels[-2::-1], strict=True):
            x = outer(torch.cat((up(x), level), dim=1))
        out: Tensor = self.head(x)
        return out
