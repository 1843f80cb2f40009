# SPDX-License-Identifier: GPL-3.0-or-later
"""How each predecessor is trained and served: its paper's shape and losses."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.baselines.networks import (
    LEADS,
    EKGanDiscriminator,
    EKGanGenerator,
    Mcma,
    UNet,
    picture_of,
)
from training.train import Mixing, half_precision, others, share_of_peak

L1_WEIGHT, LATENT_WEIGHT = 50.0, 1.0
"""Of EKGAN's generator loss, beside the adversarial one."""
DECAY = 0.01


@dataclass(frozen=True, slots=True)
class Recipe:
    """One predecessor."""

    paper: str
    rate_hz: int
    window: int
    """Samples; served by classic overlap-add, half a window apart."""
    batch: int
    """Windows, each of another record."""
    rate: float
    """Of learning, at its peak."""
    network: Callable[[], nn.Module]
    learner: Callable[[Recipe], Learner]


class Learner(Protocol):
    """What a recipe does with a batch, and what of it must survive an interruption."""

    network: nn.Module
    average: nn.Module

    def learn(self, lead: Tensor, truth: Tensor, known: Tensor, done: float) -> float:
        """One step; returns the mean absolute error, mV.

        Parameters
        ----------
        lead : array (batch, 1, n)
            mV.
        truth : array (batch, 8, n)
            mV.
        known : array (batch, 1, n)
            1 where there was input, 0 where samples were lost.
        done : float
            Share of the budget that is spent, 0 to 1.
        """
        ...

    def state(self) -> dict[str, Any]:
        """Everything that a checkpoint needs."""
        ...

    def resume(self, state: dict[str, Any]) -> None:
        """Take up a checkpoint."""
        ...


class Regression:
    """A network and a distance; AdamW, one cycle over the budget, averaged weights.

    With ``matrix_rate`` Muon learns what convolutions of several channels mix, as in ours.
    """

    def __init__(
        self, recipe: Recipe, distance: Callable[[Tensor], Tensor], matrix_rate: float | None = None
    ) -> None:
        self.network = _laid_out(recipe.network())
        self.average = copy.deepcopy(self.network).requires_grad_(False).eval()
        self._distance = distance
        convolutions = [m for m in self.network.modules() if isinstance(m, nn.Conv1d)]
        mixing = [m for m in convolutions if min(m.weight.shape[:2]) > LEADS] if matrix_rate else []
        self._optimisers: list[tuple[torch.optim.Optimizer, float]] = [
            (torch.optim.AdamW(others(self.network, mixing), lr=recipe.rate, weight_decay=DECAY), recipe.rate)
        ]
        if matrix_rate:
            self._optimisers.append((Mixing(mixing, matrix_rate, DECAY), matrix_rate))
        self._steps = 0

    def learn(self, lead: Tensor, truth: Tensor, known: Tensor, done: float) -> float:
        """As `Learner`."""
        for optimiser, peak in self._optimisers:
            optimiser.param_groups[0]["lr"] = peak * share_of_peak(done)
        with half_precision(lead.device):
            out = self.network(lead)
        error = (out.float() - truth) * known
        loss = self._distance(error)
        self.network.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        for optimiser, _ in self._optimisers:
            optimiser.step()
        self._steps += 1
        follow(self.average, self.network, self._steps)
        return float(error.detach().abs().mean())

    def state(self) -> dict[str, Any]:
        """As `Learner`."""
        return {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser, _ in self._optimisers],
            "steps": self._steps,
        }

    def resume(self, state: dict[str, Any]) -> None:
        """As `Learner`."""
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        for (optimiser, _), kept in zip(self._optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(kept)
        self._steps = state["steps"]


class Adversarial:
    """EKGAN's recipe: L1 on the picture, an adversary, and the latent of a second generator.

    As the authors' public code has it: Adam at 1e-4 with a first moment of 0.5; the label
    generator encodes and decodes the picture that is given, and the inference generator's latent
    is drawn towards its latent.  What is served is the average of the generator's weights.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.network = _laid_out(recipe.network())
        self.average = copy.deepcopy(self.network).requires_grad_(False).eval()
        self._label = _laid_out(EKGanGenerator(skips=False))
        self._adversary = _laid_out(EKGanDiscriminator())
        self._optimisers = {
            name: torch.optim.Adam(module.parameters(), lr=recipe.rate, betas=(0.5, 0.999))
            for name, module in self._modules().items()
        }
        self._steps = 0

    def _modules(self) -> dict[str, nn.Module]:
        return {"network": self.network, "label": self._label, "adversary": self._adversary}

    def learn(self, lead: Tensor, truth: Tensor, known: Tensor, done: float) -> float:
        """As `Learner`."""
        given = picture_of(lead)
        # Where samples were lost, nothing is asked: there the truth is silent too.
        true = picture_of(_twelve(truth) * known)
        there = picture_of(known)
        assert isinstance(self.network, EKGanGenerator)
        with half_precision(lead.device):
            levels = self.network.encode(given)
            made = self.network.decode(levels) * there
            label_levels = self._label.encode(given)
            label_loss = (self._label.decode(label_levels) - given).abs().mean()
            judged = self._adversary(given, made)
        error = (made.float() - true)[:, 0, 2:-2]
        likes = functional.binary_cross_entropy_with_logits
        fooled = likes(judged.float(), torch.ones_like(judged, dtype=torch.float32))
        latent = (levels[-1] - label_levels[-1].detach()).abs().mean()
        loss = L1_WEIGHT * error.abs().mean() + fooled + LATENT_WEIGHT * latent
        self._step("network", loss)
        self._step("label", label_loss)
        with half_precision(lead.device):
            of_true, of_made = (
                self._adversary(given, true).float(),
                self._adversary(given, made.detach()).float(),
            )
        self._step(
            "adversary", likes(of_true, torch.ones_like(of_true)) + likes(of_made, torch.zeros_like(of_made))
        )
        self._steps += 1
        follow(self.average, self.network, self._steps)
        return float(error.detach().abs().mean())

    def _step(self, name: str, loss: Tensor) -> None:
        self._optimisers[name].zero_grad()
        loss.backward(inputs=list(self._modules()[name].parameters()))
        self._optimisers[name].step()

    def state(self) -> dict[str, Any]:
        """As `Learner`."""
        return {
            "average": self.average.state_dict(),
            "steps": self._steps,
            "modules": {name: module.state_dict() for name, module in self._modules().items()},
            "optimisers": {name: o.state_dict() for name, o in self._optimisers.items()},
        }

    def resume(self, state: dict[str, Any]) -> None:
        """As `Learner`."""
        self.average.load_state_dict(state["average"])
        self._steps = state["steps"]
        for name, module in self._modules().items():
            module.load_state_dict(state["modules"][name])
            self._optimisers[name].load_state_dict(state["optimisers"][name])


def follow(average: nn.Module, network: nn.Module, steps: int) -> None:
    """Move the averaged weights, and running statistics, a little towards the newest."""
    keep = min(0.995, (1 + steps) / (10 + steps))
    theirs = network.state_dict()
    with torch.no_grad():
        for name, mine in average.state_dict().items():
            if mine.is_floating_point():
                mine.lerp_(theirs[name], 1 - keep)
            else:
                mine.copy_(theirs[name])


def _twelve(eight: Tensor) -> Tensor:
    one, two = eight[:, :1], eight[:, 1:2]
    limb = torch.cat((one, two, two - one, -(one + two) / 2, one - two / 2, two - one / 2), dim=1)
    return torch.cat((limb, eight[:, 2:]), dim=1)


def _laid_out(network: nn.Module) -> nn.Module:
    """The layout in which 2-D convolutions are fastest on a CPU."""
    return network.to(memory_format=torch.channels_last)


def _l1(error: Tensor) -> Tensor:
    return error.abs().mean()


def _squares(error: Tensor) -> Tensor:
    return error.square().mean()


def _l1_and_squares(error: Tensor) -> Tensor:
    return error.abs().mean() + 3 * error.square().mean()  # as our own network


EKGAN = "EKGAN, Joo et al., MICCAI 2023"
UNET = Recipe(
    paper="a plain 1-D U-Net, ours",
    rate_hz=250,
    window=512,
    batch=64,
    rate=3e-3,
    network=UNet,
    learner=lambda recipe: Regression(recipe, _l1_and_squares, matrix_rate=0.05),
)
RECIPES = {
    "unet": UNET,
    "unet-4s": replace(UNET, paper="a plain 1-D U-Net over 4 s, to teach", window=1024, batch=32),
    "mcma": Recipe(
        paper="MCMA, Chen et al., npj Cardiovascular Health 2024",
        rate_hz=500,
        window=1024,
        batch=32,
        rate=1e-3,
        network=Mcma,
        learner=lambda recipe: Regression(recipe, _squares),
    ),
    "ekgan-l1": Recipe(
        paper=f"{EKGAN}; its generator by plain L1",
        rate_hz=500,
        window=512,
        batch=32,
        rate=5e-4,
        network=EKGanGenerator,
        learner=lambda recipe: Regression(recipe, _l1),
    ),
    "ekgan": Recipe(
        paper=f"{EKGAN}; its adversarial recipe",
        rate_hz=500,
        window=512,
        batch=32,
        rate=1e-4,
        network=EKGanGenerator,
        learner=Adversarial,
    ),
}
