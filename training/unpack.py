# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a run of an exported model: ``python -m training.unpack MODEL.onnx RUN --config FILE``.

The configuration must describe the model's network.  ``RUN`` can then begin another run (``start``) or teach
it (``teachers``); what the optimisers knew is not in a model, so it is not itself gone on with.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch

from streamer.core.errors import InputError
from streamer.core.network.network import Network
from training import config as configuration
from training.command import ended_in_one_line, filled
from training.export import AGREE_MV, disagreement_mv
from training.network import MEcgNet


def unpack(model: Path, run: Path, facts: dict[str, Any]) -> None:
    """Write the run's folder.

    Raises
    ------
    InputError
        Where the model's weights are not those of the network that is configured.
    """
    config = configuration.configured(facts)
    network = MEcgNet(config.shape)
    exported = Network(model.read_bytes())
    if exported.spec.look_ahead != config.shape.look_ahead:
        raise InputError(
            f"{model} looks {exported.spec.look_ahead} samples ahead, the configuration "
            f"{config.shape.look_ahead}: add --set model.look_ahead={exported.spec.look_ahead}"
        )
    graph = onnx.load(model).graph
    found = _weights(graph)
    wanted = network.state_dict()
    if missing := sorted(set(wanted) - set(found)):
        raise InputError(
            f"{model} holds no {missing[0]}: name the configuration that its network was made with"
        )
    filled(network, {name: found[name] for name in wanted}, model)
    worst = disagreement_mv(network.eval(), exported)
    if worst > AGREE_MV:
        raise InputError(
            f"{model} and the configured network differ by {worst:.2g} mV: name the configuration that it "
            "was made with"
        )
    run.mkdir(parents=True, exist_ok=True)
    (run / "config.json").write_text(json.dumps(facts, indent=1))
    about = exported.spec.about
    state = {"average": network.state_dict(), "epoch": int(about.get("epochs", 0))}
    if about.get("folds"):
        state["folds"] = list(about["folds"])
    torch.save(state, run / "checkpoint.pt")
    print(f"{run}: within {worst:.1g} mV of {model}; begin another run with --set 'start=\"{run.name}\"'")


def _weights(graph: onnx.GraphProto) -> dict[str, torch.Tensor]:
    """The network's parameters by their names in PyTorch."""
    values = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    made_by = {output: node for node in graph.node for output in node.output}
    found = {
        name.removeprefix("network."): torch.from_numpy(np.array(x))
        for name, x in values.items()
        if name.startswith("network.")
    }
    for node in graph.node:
        # The exporter turns the taps, and gives them a name of its own: they are before the first mixing.
        name = node.input[1] if node.op_type == "Conv" else ""
        if not name.endswith(".value.weight"):
            continue
        before = made_by[node.input[0]]
        look = made_by[before.input[-1]] if before.op_type == "Concat" else before
        taps = np.array(values[look.input[1]])  # (channels, 1, kernel)
        block = name.removeprefix("network.").removesuffix(".value.weight")
        found[f"{block}.look.taps"] = torch.from_numpy(np.ascontiguousarray(taps.transpose(2, 0, 1)))
    return found


def main() -> None:
    """Unpack as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="an exported network of ours")
    parser.add_argument("run", type=Path, help="a folder to write")
    parser.add_argument("--config", type=Path, required=True, help="that the network was made with")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change the config")
    args = parser.parse_args()
    unpack(args.model, args.run, configuration.facts(args.config, args.set))


if __name__ == "__main__":
    ended_in_one_line(main)
