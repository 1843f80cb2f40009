# SPDX-License-Identifier: MIT
"""One network, run by ONNX Runtime on one thread."""

from __future__ import annotations

import base64
import binascii
import json
from math import prod

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from streamer.core.errors import InputError
from streamer.core.network.parts import ALL_BANDS
from streamer.core.network.spec import METADATA_KEY, PARTS_KEY, PRIOR_KEY, STEP_KEY, ModelSpec

ort.set_default_logger_severity(4)  # what is wrong with a model is reported as an InputError, once

Features = NDArray[np.float32]
"""``(features, steps)``: what a network's last layer sees."""

MOST_STATE = 10_000_000
"""Numbers that an incremental form may remember; ours needs ten thousand."""


class Cancellation:
    """Ends the loading of a network, from any thread."""

    def __init__(self) -> None:
        self.trial = ort.RunOptions()
        self.loading: list[ort.SessionOptions] = []

    def cancel(self) -> None:
        """End what runs now; returns at once."""
        self.trial.terminate = True
        for options in self.loading:
            options.set_load_cancellation_flag(True)


class Network:
    """A model that is loaded, checked against its own metadata, and warm.

    Parameters
    ----------
    model : bytes
        An ONNX file.  Input ``bands (1, channels, time)``; outputs ``leads (1, leads, time)`` and,
        where stated, ``scale`` of the same shape; float32 mV.  It may also put out ``features
        (1, features, time / stride)``: what its last layer sees, by which it learns a person
        (`streamer.core.calibration.correction`); step j belongs to the ``stride`` columns of the leads from
        ``j * stride - look_ahead`` on.

    cancellation : Cancellation, optional
        Ends the loading from another thread.

    Raises
    ------
    InputError
        Where it is no such file, or does not do what it states.
    """

    def __init__(self, model: bytes, cancellation: Cancellation | None = None) -> None:
        cancellation = cancellation or Cancellation()
        self._session = _session(model, cancellation)
        try:
            metadata = self._session.get_modelmeta().custom_metadata_map
        except UnicodeDecodeError as error:
            raise InputError("the model's metadata is not UTF-8: export it again") from error
        if METADATA_KEY not in metadata:
            raise InputError(
                "the model lacks the metadata 'mecg' (rate, window, filters, leads): export it with them"
            )
        self.spec = ModelSpec.from_json(metadata[METADATA_KEY])
        self._outputs = ["leads", "scale"] if self.spec.has_scale else ["leads"]
        self._check(cancellation.trial)
        self.prior: str | None = metadata.get(PRIOR_KEY)
        """What the model knows of how persons differ, as `streamer.core.calibration.fit.Prior` reads it."""
        self._step_model = metadata.get(STEP_KEY)
        self._step_session: ort.InferenceSession | None = None
        self.whole: Network = self
        """The model that this is a part of; itself if it is the whole."""
        self.parts = _parts(metadata[PARTS_KEY]) if PARTS_KEY in metadata else {}
        """The ONNX files of what `part` gives, but for the whole: for other processes."""

    @property
    def bands(self) -> tuple[str, ...]:
        """What `part` may be asked for, the least first: each hears the bands before it too."""
        return (*self.parts, ALL_BANDS)

    def part(self, bands: str) -> Network:
        """The part of the model that hears no faster bands than these, as a network of its own.

        Parameters
        ----------
        bands : str
            Out of `bands`; ``all`` is the whole.

        Raises
        ------
        InputError
            Where the model has no such part, or it does not fit the whole.
        """
        if bands == ALL_BANDS:
            return self
        if bands not in self.parts:
            raise InputError(
                f"the model {self.spec.name} {self.spec.version} has no part {bands!r} that runs alone: "
                f"it has {', '.join(self.bands)}"
            )
        part = Network(self.parts[bands])
        if not part.spec.runs_like(self.spec):
            raise InputError(f"the model's part {bands!r} does not fit the rest: export it again")
        part.whole = self
        return part

    def lower_parts(self) -> list[Network]:
        """What its slower bands make of the leads, each with those before it, the lowest first."""
        below = self.whole.bands
        mine = str(self.spec.about.get("bands", ALL_BANDS))
        return [self.whole.part(bands) for bands in below[: below.index(mine)]] if mine in below else []

    def stepper(self) -> Stepper | None:
        """The incremental form, its state zero; None if the model has none.

        Raises
        ------
        InputError
            Where that form does not fit what the model states.
        """
        if self._step_model is None:
            return None
        if self._step_session is None:
            try:
                self._step_session = _session(
                    base64.b64decode(self._step_model, validate=True), Cancellation()
                )
            except binascii.Error as error:
                raise InputError("the model's incremental form is damaged: export it again") from error
        return Stepper(self._step_session, self.spec)

    def stepper_with_features(self) -> Stepper | None:
        """As `stepper`, but it also keeps the newest features (`Stepper.features`).

        Raises
        ------
        InputError
            Where that form puts out none, or does not fit.
        """
        plain = self.stepper()
        if plain is None:
            return None
        assert self._step_session is not None
        self._need_features({node.name for node in self._step_session.get_outputs()})
        return Stepper(self._step_session, self.spec, features=True)

    def run(self, bands: NDArray[np.float32]) -> NDArray[np.float32]:
        """One window, or one long stretch where the network is dense.

        Parameters
        ----------
        bands : array (channels, time)
            mV.

        Returns
        -------
        array (leads, time), or (2 * leads, time) with the scales below the leads
        """
        outputs = self._session.run(self._outputs, {"bands": np.ascontiguousarray(bands[None])})
        return outputs[0][0] if len(outputs) == 1 else np.concatenate((outputs[0][0], outputs[1][0]))

    def run_with_features(self, bands: NDArray[np.float32]) -> tuple[NDArray[np.float32], Features]:
        """As `run`, and the features ``(features, time / stride)``.

        Raises
        ------
        InputError
            Where the model puts out none.
        """
        self._need_features({node.name for node in self._session.get_outputs()})
        given = {"bands": np.ascontiguousarray(bands[None])}
        *outputs, features = self._session.run([*self._outputs, "features"], given)
        return np.concatenate([rows[0] for rows in outputs]), features[0]

    def _need_features(self, outputs: set[str]) -> None:
        if "features" not in outputs:
            raise InputError(
                f"the model {self.spec.name} {self.spec.version} cannot learn a person: "
                "it puts out no features"
            )

    def _check(self, trial: ort.RunOptions) -> None:
        """Run it once: the first run is slow, and shows whether the shapes are as stated."""
        spec = self.spec
        inputs = [node.name for node in self._session.get_inputs()]
        offered = {node.name for node in self._session.get_outputs()}
        if inputs != ["bands"] or not set(self._outputs) <= offered:
            raise InputError(
                f"the model's inputs {inputs} or outputs {sorted(offered)} don't fit: "
                f"needed are ['bands'] and {self._outputs}"
            )
        try:
            silence = np.zeros((1, len(spec.channels), spec.window), np.float32)
            outputs = self._session.run(self._outputs, {"bands": silence}, trial)
            out = np.concatenate([rows[0] for rows in outputs])
        except Exception as error:  # as above
            reason = str(error).splitlines()[0]
            raise InputError(f"the model cannot take the window that it states ({reason})") from error
        stated = (len(spec.leads) * len(self._outputs), spec.window)
        if out.shape != stated or out.dtype != np.float32:
            raise InputError(f"the model puts out {out.dtype} {out.shape}, but states float32 {stated}")
        if not np.isfinite(out).all():
            raise InputError("the model puts out NaN or infinity for silence: export it again")


class Stepper:
    """The incremental form of a network: costs a hop and not a window, and remembers the rest.

    Everything that goes in and comes out has its place for good, bound to the session once: the state
    in two places, which take turns.  A hop then allocates nothing, and costs a third less.
    """

    def __init__(self, session: ort.InferenceSession, spec: ModelSpec, features: bool = False) -> None:
        self._session = session
        shapes = {node.name: node.shape for node in session.get_inputs()}
        bands = [1, len(spec.channels), spec.hop]
        if set(shapes) != {"bands", "state"} or shapes["bands"] != bands or spec.overlap:
            raise InputError("the model's incremental form does not fit its metadata: export it again")
        if spec.window % spec.hop or spec.receptive_field is None:
            raise InputError("the model has an incremental form but no stated memory: export it again")
        size = shapes["state"]
        if not all(isinstance(n, int) and n > 0 for n in size) or not 1 <= prod(size) < MOST_STATE:
            raise InputError(f"the model's incremental form remembers {size} numbers: export it again")
        self._bands = np.zeros(bands, np.float32)
        self._states = (np.zeros(size, np.float32), np.zeros(size, np.float32))
        names = ["leads", "scale"] if spec.has_scale else ["leads"]
        self._rows = np.zeros((len(spec.leads) * len(names), spec.hop), np.float32)
        self._features = self._tried([*names, "next_state"], features)
        self.features: Features = self._features
        """Those of the newest hop ``(features, hop / stride)``, where they are asked for."""
        self._bindings = [
            self._bound(names, *states, features) for states in (self._states, self._states[::-1])
        ]
        self._turn = 0

    def _tried(self, names: list[str], features: bool) -> Features:
        """Run it once, to see that it puts out what it must; where its features go."""
        given = {"bands": self._bands, "state": self._states[0]}
        *outputs, state = self._session.run(names, given)
        rows = np.concatenate([out[0] for out in outputs])
        if rows.shape != self._rows.shape or state.shape != self._states[0].shape:
            raise InputError("the model's incremental form puts out another shape: export it again")
        return np.zeros_like(self._session.run(["features"], given)[0][0] if features else np.zeros((0, 0)))

    def _bound(
        self, names: list[str], before: NDArray[np.float32], after: NDArray[np.float32], features: bool
    ) -> ort.IOBinding:
        """A run from one state to the next, in place."""
        each = len(self._rows) // len(names)
        outputs = {name: self._rows[None, i * each : (i + 1) * each] for i, name in enumerate(names)}
        outputs["next_state"] = after
        if features:
            outputs["features"] = self._features[None]
        binding = self._session.io_binding()
        for name, array in {"bands": self._bands, "state": before}.items():
            binding.bind_ortvalue_input(name, ort.OrtValue.ortvalue_from_numpy(array))
        for name, array in outputs.items():
            binding.bind_ortvalue_output(name, ort.OrtValue.ortvalue_from_numpy(array))
        return binding

    def reset(self) -> None:
        """Forget: the state that silence leaves behind."""
        self._states[self._turn][:] = 0

    def push(self, bands: NDArray[np.float32]) -> NDArray[np.float32]:
        """The next hop of input ``(channels, hop)``; returns ``(rows, hop)`` as `Network.run`.

        They are the samples that lie the look-ahead before those of the input.
        """
        self._bands[0] = bands
        self._session.run_with_iobinding(self._bindings[self._turn])
        self._turn = 1 - self._turn
        self.features = self._features.copy()
        return self._rows.copy()


def _parts(text: str) -> dict[str, bytes]:
    """The parts that run alone, by the fastest band that each hears."""
    try:
        facts = json.loads(text)
        parts = {str(name): base64.b64decode(part, validate=True) for name, part in facts.items()}
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise InputError("the model's parts are damaged: export it again") from error
    if ALL_BANDS in parts:
        raise InputError(f"the model calls a part {ALL_BANDS!r}: export it again")
    return parts


def _session(model: bytes, cancellation: Cancellation) -> ort.InferenceSession:
    options = ort.SessionOptions()
    cancellation.loading.append(options)
    # More threads spin: 76-90 % of a core for a network that needs 2 %, and a worse p99.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    # Weights "in another file" would be read from any path that the model names: there is none.
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", "/dev/null/none")
    try:
        return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"], enable_fallback=0)
    except Exception as error:  # ONNX Runtime raises a class of its own per cause
        reason = str(error).splitlines()[0]
        raise InputError(f"the model is not an ONNX file that can be run ({reason})") from error
