# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes a trained predecessor as an ONNX file that runs live, checked against PyTorch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import nn

from streamer.core.leads import PREDICTED
from streamer.core.network.network import Network
from streamer.core.network.spec import METADATA_KEY, ModelSpec
from training.baselines.networks import Lags
from training.baselines.recipe import Recipe
from training.baselines.ridge import HOP, LOOK_AHEAD, RATE_HZ
from training.export import AGREE_MV, commit, strip
from training.filter_design import design
from training.network import weights


def windowed(name: str, recipe: Recipe, about: dict[str, Any]) -> ModelSpec:
    """Facts of a network that sees whole windows: classic overlap-add, half a window apart."""
    half = recipe.window // 2
    return _spec(
        name, about, rate_hz=recipe.rate_hz, window=recipe.window, hop=half, overlap=half, look_ahead=0
    )


def lagged(network: Lags, about: dict[str, Any]) -> ModelSpec:
    """Facts of a linear filter: any window that covers its lags gives the same."""
    reach = network.receptive_field
    return _spec(
        "ridge",
        about,
        rate_hz=RATE_HZ,
        window=reach + HOP - 1,
        hop=HOP,
        look_ahead=LOOK_AHEAD,
        overlap=0,
        receptive_field=reach,
    )


def _spec(
    name: str,
    about: dict[str, Any],
    *,
    rate_hz: int,
    window: int,
    hop: int,
    look_ahead: int,
    overlap: int,
    receptive_field: int | None = None,
) -> ModelSpec:
    return ModelSpec(
        name=name,
        version=commit(),
        rate_hz=float(rate_hz),
        window=window,
        hop=hop,
        look_ahead=look_ahead,
        overlap=overlap,
        grid=1,
        receptive_field=receptive_field,
        channels=("measured",),
        leads=PREDICTED,
        has_scale=False,
        filters=design(rate_hz),
        about={
            **about,
            "data": "PTB-XL 1.0.3, Wagner et al. 2020, doi 10.1038/s41597-020-0495-6",
            "use": "research only, not a medical device",
        },
    )


def export(network: nn.Module, spec: ModelSpec, path: Path) -> None:
    """Write the network; it gets its name once ONNX Runtime and PyTorch agree.

    Raises
    ------
    RuntimeError
        Where they differ by more than 1e-4 mV.
    """
    network = network.cpu().to(memory_format=torch.contiguous_format).eval()
    part = path.with_suffix(".part")
    dense = spec.receptive_field is not None
    torch.onnx.export(
        network,
        (torch.zeros(1, 1, spec.window),),
        str(part),
        input_names=["bands"],
        output_names=["leads"],
        dynamic_shapes=({2: torch.export.Dim("samples", min=2)},) if dense else None,
        dynamo=True,
        external_data=False,
        verbose=False,
    )
    model = onnx.load(part)
    strip(model)
    facts = spec.to_json()
    onnx.helper.set_model_props(model, {METADATA_KEY: facts})
    onnx.save(model, part)
    worst = disagreement_mv(network, Network(part.read_bytes()))
    if worst > AGREE_MV:
        part.unlink()
        raise RuntimeError(f"ONNX Runtime and PyTorch disagree by {worst:.2g} mV")
    part.replace(path)
    print(
        f"{path}: {path.stat().st_size} bytes, {weights(network)} weights, within {worst:.1g} mV of PyTorch"
    )


def disagreement_mv(network: nn.Module, exported: Network) -> float:
    """The largest difference over some windows of noise."""
    rng = np.random.default_rng(0)
    worst = 0.0
    for _ in range(3):
        x = rng.normal(0, 0.3, (1, exported.spec.window)).astype(np.float32)
        with torch.no_grad():
            ours = network(torch.from_numpy(x[None]))[0].numpy()
        worst = max(worst, float(np.abs(ours - exported.run(x)).max()))
    return worst
