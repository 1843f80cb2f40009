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
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from streamer.leads import PREDICTED
from streamer.model import METADATA_KEY, STEP_KEY, ModelSpec
from streamer.network import Network
from training import config as configuration
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
    """Write the averaged weights of a run as an ONNX file.

    Raises
    ------
    RuntimeError
        Where ONNX Runtime and PyTorch disagree by more than `AGREE_MV` in any window.
    """
    config = configuration.configured(configuration.facts(run / "config.json"))
    network = MEcgNet(config.shape)
    state = torch.load(run / "checkpoint.pt", map_location="cpu", weights_only=True)
    network.load_state_dict(state["average"])
    network.eval()
    about = {
        "architecture": "mEcgNet after Lee et al., MICCAI 2025, doi 10.1007/978-3-032-04937-7_41",
        "weights": weights(network),
        "data": "PTB-XL 1.0.3, Wagner et al. 2020, doi 10.1038/s41597-020-0495-6",
        "folds": list(config.folds),
        "epochs": state["epoch"],
        "seed": config.seed,
        "commit": commit(),
        "metrics": {f"fold {config.choose_fold}": _last_scores(run)},
        "licence": "CC BY 4.0",
        "use": "research only, not a medical device",
    }
    bands = {}
    if config.shape.scale:  # written by training.scale
        bands = {k: tuple(v) for k, v in json.loads((run / "bands.json").read_text()).items()}
    spec = spec_of(config, bands, about)
    part = path.with_suffix(".part")
    torch.onnx.export(
        _Named(network).eval(),
        (torch.zeros(1, 3, spec.window),),
        str(part),
        input_names=["bands"],
        output_names=["leads", *(["scale"] if config.shape.scale else []), "features"],
        dynamic_shapes=({2: spec.grid * torch.export.Dim("steps", min=2)},),
        dynamo=True,
        external_data=False,
        verbose=False,
    )
    model = onnx.load(part)
    strip(model)
    step = base64.b64encode(_step_model(network, spec.hop, part)).decode()
    onnx.helper.set_model_props(model, {METADATA_KEY: spec.to_json(), STEP_KEY: step})
    onnx.save(model, part)
    worst = disagreement_mv(network, Network(part.read_bytes()))
    if worst > AGREE_MV:
        part.unlink()
        raise RuntimeError(f"ONNX Runtime and PyTorch disagree by {worst:.2g} mV")
    part.replace(path)
    print(
        f"{path}: {path.stat().st_size} bytes, {about['weights']} weights, within {worst:.1g} mV of PyTorch"
    )


def _step_model(network: MEcgNet, hop: int, scratch: Path) -> bytes:
    """The incremental form: a hop and a state in, a hop and the next state out."""
    if fits(network, hop):
        return bytes(step_graph(network, hop).SerializeToString())
    step = MEcgNetStep(network, hop).eval()
    torch.onnx.export(
        _NamedStep(step).eval(),
        (torch.zeros(1, 3, hop), torch.zeros(1, step.state_size)),
        str(scratch),
        input_names=["bands", "state"],
        output_names=["leads", *(["scale"] if network.shape.scale else []), "next_state", "features"],
        dynamo=True,
        external_data=False,
        verbose=False,
    )
    model = onnx.load(scratch)
    strip(model)
    return bytes(model.SerializeToString())


def _last_scores(run: Path) -> dict[str, float]:
    """What `training.train` wrote of the newest epoch, on the fold that chooses."""
    with (run / "log.csv").open(newline="") as handle:
        *_, last = csv.DictReader(handle)
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
    """The largest difference over random windows, over one long stretch, and hop by hop."""
    rng = np.random.default_rng(0)

    def ours(x: NDArray[np.float32]) -> NDArray[np.float32]:
        with torch.no_grad():
            out: NDArray[np.float32] = network(torch.from_numpy(x[None]))[0].numpy()
        return out

    lengths = [exported.spec.window] * 5 + [exported.spec.window * 4]
    windows = [rng.normal(0, 0.3, (3, n)).astype(np.float32) for n in lengths]
    worst = max(float(np.abs(ours(x) - exported.run(x)).max()) for x in windows)
    stepper, spec = exported.stepper(), exported.spec
    assert stepper is not None
    x = windows[-1]
    hops = [stepper.push(x[:, i : i + spec.hop]) for i in range(0, x.shape[1], spec.hop)]
    stepped = np.concatenate(hops, axis=1)[:, spec.look_ahead :]
    return max(worst, float(np.abs(ours(x)[:, : -spec.look_ahead] - stepped).max()))


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
    main()
