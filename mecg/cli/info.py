# SPDX-License-Identifier: GPL-3.0-or-later
"""`mecg info`: versions, model, filters, latency budget."""

from __future__ import annotations

import platform
from argparse import ArgumentParser
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from mecg import __version__
from mecg.app.models import fingerprint, model_bytes, model_name, network_of
from mecg.app.terminal import put, put_json
from mecg.cli.help_text import Help
from mecg.cli.options import add_model
from streamer.core.network.latency import budget
from streamer.core.signal.rate import RateConverter
from streamer.model_files import LATENCIES, bundled_model
from streamer.session.description import algorithmic_ms, band_in_words

RATES_HZ = (1000.0, 500.0, 250.0, 130.0, 100.0)
"""Source rates that the latency budget is shown for."""

PACKAGES = (
    *("numpy", "numba", "onnxruntime", "pylsl", "bleak", "matplotlib", "PyQt6", "pyqtgraph"),
    *("brainflow", "pyserial"),
)


HELP = Help(
    about=(
        "Prints the versions in use, the model with its hash, the filters, and the latency budget for each "
        "source rate."
    ),
    examples=(
        "mecg info",
        "mecg info --latency full --json",
    ),
)


def add_options(parser: ArgumentParser) -> None:
    """All that `Options` holds."""
    add_model(parser)
    parser.add_argument("--json", action="store_true", help="as JSON")


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says."""

    model: Path | None
    json: bool


def run(options: Options) -> int:
    """Print it."""
    facts = gather(options.model)
    if options.json:
        put_json(facts)
    else:
        put(*_lines(facts))
    return 0


def gather(model: Path | None) -> dict[str, Any]:
    """Everything, as plain JSON types.

    Raises
    ------
    InputError
        Where the model cannot be used.
    """
    data = model_bytes(model)
    spec = network_of(model).spec
    filters = spec.filters
    return {
        "mecg": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: _version(name) for name in PACKAGES},
        "model": {
            "file": model_name(model),
            "bytes": len(data),
            "sha256": fingerprint(data),
            "name": spec.name,
            "version": spec.version,
            "rate_hz": spec.rate_hz,
            "window_samples": spec.window,
            "hop_samples": spec.hop,
            "look_ahead_samples": spec.look_ahead,
            "overlap_samples": spec.overlap,
            "receptive_field_samples": spec.receptive_field,
            "channels": list(spec.channels),
            "leads": list(spec.leads),
            "states_uncertainty": spec.has_scale,
            "about": spec.about,
        },
        "filters": {
            "input_band": band_in_words(filters.input, spec.rate_hz),
            "clinical_frame": band_in_words(filters.clinical, spec.rate_hz),
            "sections": {
                name: getattr(filters, name).tolist() for name in ("input", "low", "mid", "clinical")
            },
        },
        "algorithmic_ms": {
            f"{rate_hz:g}": algorithmic_ms(budget(spec, RateConverter(rate_hz, spec.rate_hz)))
            for rate_hz in RATES_HZ
        },
        "latency_settings": {name: _setting(bundled_model(name)) for name in LATENCIES},
    }


def _setting(model: Path) -> dict[str, Any] | None:
    """A bundled model's name and its latency from a 500 Hz source; None if it is not there."""
    if not model.exists():
        return None
    spec = network_of(model).spec
    total_ms = budget(spec, RateConverter(500.0, spec.rate_hz)).total_ms
    return {"model": model.name, "version": spec.version, "algorithmic_ms_500_hz": total_ms}


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _lines(facts: dict[str, Any]) -> list[str]:
    model, rate_hz = facts["model"], facts["model"]["rate_hz"]
    packages = ", ".join(f"{name} {version or '-'}" for name, version in facts["packages"].items())

    def ms(samples: int | None) -> str:
        return "the whole window" if samples is None else f"{samples / rate_hz * 1e3:g} ms"

    uncertainty = ", with uncertainty" if model["states_uncertainty"] else ""
    lines = [
        f"mecg {facts['mecg']}, Python {facts['python']}, {facts['platform']}",
        f"packages  {packages}",
        "",
        f"model     {model['name']} {model['version']} ({model['file']}, {model['bytes'] / 1000:.0f} kB, "
        f"SHA-256 {model['sha256'][:12]})",
        f"          {rate_hz:g} Hz, window {ms(model['window_samples'])}, hop {ms(model['hop_samples'])}, "
        f"depends on {ms(model['receptive_field_samples'])}",
        f"          in  {', '.join(model['channels'])}",
        f"          out {', '.join(model['leads'])}{uncertainty}",
    ]
    lines += [f"          {key}: {value}" for key, value in model["about"].items()]
    lines += [
        f"filters   input band {facts['filters']['input_band']}, causal; "
        f"clinical frame {facts['filters']['clinical_frame']}, forward and backward",
        "",
        "algorithmic latency in ms, by the source's rate",
        "             look-ahead  overlap    hop  conversion   total   low-pass at 10 Hz (beside it)",
    ]
    lines += [
        f"  {rate:>6} Hz  {b['look_ahead']:10.1f} {b['overlap']:8.1f} {b['hop']:6.1f}"
        f" {b['rate_conversion']:11.1f} {b['total']:7.1f}   {b['low_pass_delay_10hz']:17.1f}"
        for rate, b in facts["algorithmic_ms"].items()
    ]
    lines += ["", "settings of --latency, from a 500 Hz source"]
    for name, setting in facts["latency_settings"].items():
        said = f"{setting['algorithmic_ms_500_hz']:.0f} ms ({setting['model']})" if setting else "not here"
        lines.append(f"  {name:10}{said}")
    return lines
