# SPDX-License-Identifier: GPL-3.0-or-later
"""Exports a trained network to ONNX with all its facts: ``python -m training.export RUN MODEL.onnx``.

The file is checked against PyTorch before it gets its name.
"""

from __future__ import annotations

import argparse
import base64
import csv
import json
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from streamer.core.errors import InputError
from streamer.core.leads import PREDICTED
from streamer.core.network.network import Network
from streamer.core.network.parts import ALL_BANDS
from streamer.core.network.spec import METADATA_KEY, PARTS_KEY, STEP_KEY, ModelSpec
from training import config as configuration
from training.command import checkpoint_of, ended_in_one_line, filled, folds_of
from training.filter_design import design
from training.network import MEcgNet, MEcgNetStep, weights
from training.step_graph import fits, step_graph

AGREE_MV = 1e-4


def spec_of(
    config: configuration.Config, bands: dict[str, tuple[float, ...]], about: dict[str, Any]
) -> ModelSpec:
    """The facts of a configured network."""
    shape = config.shape
    hop, grid = config.hop, shape.grid
    return ModelSpec(
        name=config.name,
        version=str(about["commit"]),
        rate_hz=float(config.rate_hz),
        window=-(-(shape.receptive_field + hop - 1) // grid) * grid,
        hop=hop,
        look_ahead=shape.look_ahead,
        overlap=0,  # windows agree wherever they overlap, so a cross-fade would only cost time
        grid=grid,
        receptive_field=shape.receptive_field,
        channels=("low", "mid", "high"),
        leads=PREDICTED,
        has_scale=shape.scale,
        filters=design(config.rate_hz, config.cut_offs_hz),
        bands=bands,
        about=about,
    )


def export(run: Path, path: Path) -> None:
    """Write the averaged weights of a run as an ONNX file; a ladder's parts go along in its metadata.

    Raises
    ------
    InputError
        Where the folder holds no trained run, or its scale has no bands yet.
    RuntimeError
        Where ONNX Runtime and PyTorch disagree by more than `AGREE_MV` in any window.
    """
    config = configuration.configured(configuration.facts(run / "config.json"))
    network = MEcgNet(config.shape)
    state = checkpoint_of(run)
    filled(network, state["average"], run)
    network.eval()
    bands = _bands(run) if config.shape.scale else {}
    about = {
        "architecture": "mEcgNet after Lee et al., MICCAI 2025, doi 10.1007/978-3-032-04937-7_41",
        "data": config.data,
        "folds": sorted(folds_of(run, state)),
        "epochs": state["epoch"],
        "seed": config.seed,
        "commit": commit(),
        "metrics": {f"fold {config.choose_fold}": _last_scores(run)},
        "licence": config.licence,
        "use": "research only, not a medical device",
    }
    whole = spec_of(config, bands.get(ALL_BANDS, {}), about | {"weights": weights(network)})
    parts = {}
    for kept, (name, part) in enumerate(network.parts().items(), start=1):
        of_part = {"bands": name, "weights": weights(part), "metrics": {}}
        spec = replace(
            whole,
            name=f"{whole.name}.{name}",
            bands=bands.get(name, {}),
            about=about | of_part,
        )
        parts[name], _ = _model(part, spec, _step_model(network, spec.hop, path, kept), path)
    step = _step_model(network, whole.hop, path)
    content, worst = _model(network, whole, step, path, parts)
    partial = path.with_suffix(".part")
    partial.write_bytes(content)
    partial.replace(path)
    print(f"{path}: {len(content)} bytes, {weights(network)} weights, within {worst:.1g} mV of PyTorch")


def _bands(run: Path) -> dict[str, dict[str, tuple[float, ...]]]:
    """What `training.fitted.scale` wrote: by part and level."""
    try:
        read = json.loads((run / "bands.json").read_text())
        return {name: {k: tuple(v) for k, v in levels.items()} for name, levels in read.items()}
    except (FileNotFoundError, ValueError, AttributeError) as error:
        raise InputError(
            f"{run} has no bands for its scale: run python -m training.fitted.scale {run}"
        ) from error


def _model(
    network: MEcgNet, spec: ModelSpec, step: bytes, scratch: Path, parts: Mapping[str, bytes] | None = None
) -> tuple[bytes, float]:
    """The windowed form, its incremental one and any parts in the metadata; and how far it is from PyTorch
    at the most, mV.
    """
    scale = ["scale"] if spec.has_scale else []
    model = _traced(
        _Named(network).eval(),
        (torch.zeros(1, 3, spec.window),),
        scratch.with_suffix(".traced"),
        input_names=["bands"],
        output_names=["leads", *scale, "features"],
        dynamic_shapes=({2: spec.grid * torch.export.Dim("steps", min=2)},),
    )
    facts = {METADATA_KEY: spec.to_json(), STEP_KEY: base64.b64encode(step).decode()}
    if parts:
        inside = {name: base64.b64encode(part).decode() for name, part in parts.items()}
        facts[PARTS_KEY] = json.dumps(inside)
    onnx.helper.set_model_props(model, facts)
    content: bytes = model.SerializeToString()
    worst = disagreement_mv(network, Network(content))
    if worst > AGREE_MV:
        raise RuntimeError(f"ONNX Runtime and PyTorch disagree by {worst:.2g} mV")
    return content, worst


def _traced(
    network: torch.nn.Module, inputs: tuple[torch.Tensor, ...], scratch: Path, **how: Any
) -> onnx.ModelProto:
    """What PyTorch makes of it, without the notes."""
    torch.onnx.export(network, inputs, str(scratch), dynamo=True, external_data=False, verbose=False, **how)
    model = onnx.load(scratch)
    scratch.unlink()
    strip(model)
    return model


def _step_model(network: MEcgNet, hop: int, scratch: Path, kept: int | None = None) -> bytes:
    """The incremental form, of a ladder its first modules alone: a hop and a state in, a hop and the next
    state out.
    """
    if fits(network, hop):
        return bytes(step_graph(network, hop, kept).SerializeToString())
    step = MEcgNetStep(network if kept is None else network.part(kept), hop).eval()
    model = _traced(
        _NamedStep(step).eval(),
        (torch.zeros(1, 3, hop), torch.zeros(1, step.state_size)),
        scratch.with_suffix(".traced"),
        input_names=["bands", "state"],
        output_names=["leads", *(["scale"] if network.shape.scale else []), "next_state", "features"],
    )
    return bytes(model.SerializeToString())


def _last_scores(run: Path) -> dict[str, float]:
    """What `training.train` wrote of the newest epoch, on the fold that chooses."""
    try:
        with (run / "log.csv").open(newline="") as handle:
            *_, last = csv.DictReader(handle)
    except (FileNotFoundError, ValueError) as error:
        raise InputError(f"{run} has no log.csv with an epoch in it: train it for one at least") from error
    return {key: round(float(last[key]), 4) for key in ("rmse_seven_mv", "pearson_seven", "rmse_one_mv")}


class _Named(torch.nn.Module):
    """The network with leads, scales and features as outputs of their own."""

    def __init__(self, network: MEcgNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, bands: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """As `MEcgNet`."""
        out, features = self.network.forward_with_features(bands)
        leads = self.network.shape.leads
        return (*((out[:, :leads], out[:, leads:]) if self.network.shape.scale else (out,)), features)


class _NamedStep(torch.nn.Module):
    """The incremental form with leads, scales, state and features as outputs of their own."""

    def __init__(self, step: MEcgNetStep) -> None:
        super().__init__()
        self.step = step

    def forward(self, bands: torch.Tensor, state: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """As `MEcgNetStep`."""
        out, after, features = self.step.forward_with_features(bands, state)
        leads = self.step.network.shape.leads
        named = (out[:, :leads], out[:, leads:]) if self.step.network.shape.scale else (out,)
        return (*named, after, features)


def strip(model: onnx.ModelProto) -> None:
    """Take out the exporter's notes on where each node came from: half of the file."""
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    del model.graph.value_info[:]
    del model.graph.metadata_props[:]


def disagreement_mv(network: MEcgNet, exported: Network) -> float:
    """The largest difference over random windows, over one long stretch, and hop by hop; of what is above
    1 mV, which noise alone reaches, the share of it: single precision has no more digits.
    """
    rng = np.random.default_rng(0)

    def ours(x: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.no_grad():
            out: NDArray[np.float32] = network(torch.from_numpy(x[None]))[0].numpy()
        return out

    def apart(ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> float:
        return float((np.abs(ours - theirs) / np.maximum(1, np.abs(ours))).max())

    lengths = [exported.spec.window] * 5 + [exported.spec.window * 4]
    windows = [rng.normal(0, 0.3, (3, n)).astype(np.float32) for n in lengths]
    worst = max(apart(ours(x), exported.run(x)) for x in windows)
    stepper, spec = exported.stepper(), exported.spec
    assert stepper is not None
    x = windows[-1]
    hops = [stepper.push(x[:, i : i + spec.hop]) for i in range(0, x.shape[1], spec.hop)]
    stepped = np.concatenate(hops, axis=1)[:, spec.look_ahead :]
    return max(worst, apart(ours(x)[:, : -spec.look_ahead], stepped))


def commit() -> str:
    """The version of this checkout, as git has it."""
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"


def main() -> None:
    """Export as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("model", type=Path)
    args = parser.parse_args()
    export(args.run, args.model)


if __name__ == "__main__":
    ended_in_one_line(main)
