# SPDX-License-Identifier: MIT
"""One network, run by ONNX Runtime on one thread."""

from __future__ import annotations

import base64
import binascii

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from streamer.errors import InputError
from streamer.model import METADATA_KEY, STEP_KEY, ModelSpec

ort.set_default_logger_severity(4)  # what is wrong with a model is told as an InputError, once


MOST_STATE = 10_000_000
"""Numbers that an incremental form may remember; ours needs ten thousand."""


class Network:
    """A model that is loaded, checked against its own metadata, and warm.

    Parameters
    ----------
    model : bytes
        An ONNX file.  Input ``bands (1, channels, time)``; outputs ``leads (1, leads, time)`` and,
        where stated, ``scale`` of the same shape; float32 mV.

    Raises
    ------
    InputError
        Where it is no such file, or does not do what it states.
    """

    def __init__(self, model: bytes) -> None:
        self._session = _session(model)
        metadata = self._session.get_modelmeta().custom_metadata_map
        if METADATA_KEY not in metadata:
            raise InputError(
                "the model lacks the metadata 'mecg' (rate, window, filters, leads): export it with them"
            )
        self.spec = ModelSpec.from_json(metadata[METADATA_KEY])
        self._outputs = ["leads", "scale"] if self.spec.has_scale else ["leads"]
        self._check()
        self._step_model = metadata.get(STEP_KEY)
        self._step_session: ort.InferenceSession | None = None

    def stepper(self) -> Stepper | None:
        """The incremental form, its state zero; None where the model has none.

        Raises
        ------
        InputError
            Where that form does not fit what the model states.
        """
        if self._step_model is None:
            return None
        if self._step_session is None:
            try:
                self._step_session = _session(base64.b64decode(self._step_model, validate=True))
            except binascii.Error as error:
                raise InputError("the model's incremental form is damaged: export it anew") from error
        return Stepper(self._step_session, self.spec)

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

    def _check(self) -> None:
        """Run it once: the first run is slow, and shows whether the shapes are as stated."""
        spec = self.spec
        inputs = [node.name for node in self._session.get_inputs()]
        outputs = {node.name for node in self._session.get_outputs()}
        if inputs != ["bands"] or not set(self._outputs) <= outputs:
            raise InputError(
                f"the model's inputs {inputs} or outputs {sorted(outputs)} don't fit: "
                f"needed are ['bands'] and {self._outputs}"
            )
        try:
            out = self.run(np.zeros((len(spec.channels), spec.window), np.float32))
        except Exception as error:  # as above
            reason = str(error).splitlines()[0]
            raise InputError(f"the model cannot take the window that it states ({reason})") from error
        stated = (len(spec.leads) * len(self._outputs), spec.window)
        if out.shape != stated or out.dtype != np.float32:
            raise InputError(f"the model puts out {out.dtype} {out.shape}, but states float32 {stated}")
        if not np.isfinite(out).all():
            raise InputError("the model puts out NaN or infinity for silence: export it anew")


class Stepper:
    """The incremental form of a network: costs a hop and not a window, and remembers the rest."""

    def __init__(self, session: ort.InferenceSession, spec: ModelSpec) -> None:
        self._session = session
        self._outputs = ["leads", "scale", "next_state"] if spec.has_scale else ["leads", "next_state"]
        shapes = {node.name: node.shape for node in session.get_inputs()}
        bands = [1, len(spec.channels), spec.hop]
        if set(shapes) != {"bands", "state"} or shapes["bands"] != bands or spec.overlap:
            raise InputError("the model's incremental form does not fit its metadata: export it anew")
        if spec.window % spec.hop or spec.receptive_field is None:
            raise InputError("the model has an incremental form but no stated memory: export it anew")
        self._size = shapes["state"]
        if not (len(self._size) == 2 and self._size[0] == 1 and self._size[1] in range(1, MOST_STATE)):
            raise InputError(f"the model's incremental form remembers {self._size} numbers: export it anew")
        self.reset()
        rows = len(spec.leads) * (len(self._outputs) - 1)
        if self.push(np.zeros((len(spec.channels), spec.hop), np.float32)).shape != (rows, spec.hop):
            raise InputError("the model's incremental form puts out another shape: export it anew")
        self.reset()

    def reset(self) -> None:
        """Forget: the state that silence leaves behind."""
        self._state = np.zeros(self._size, np.float32)

    def push(self, bands: NDArray[np.float32]) -> NDArray[np.float32]:
        """The next hop of input ``(channels, hop)``; returns ``(rows, hop)`` as `Network.run`.

        They are the samples that lie the look-ahead before those of the input.
        """
        given = {"bands": np.ascontiguousarray(bands[None]), "state": self._state}
        *outputs, self._state = self._session.run(self._outputs, given)
        return outputs[0][0] if len(outputs) == 1 else np.concatenate((outputs[0][0], outputs[1][0]))


def _session(model: bytes) -> ort.InferenceSession:
    options = ort.SessionOptions()
    # More threads spin: 76-90 % of a core for a network that needs 2 %, and a worse p99.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    # Weights "in another file" would be read from any path that the model names: there is none.
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", "/dev/null/none")
    try:
        return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime raises a class of its own per cause
        reason = str(error).splitlines()[0]
        raise InputError(f"the model is not an ONNX file that can be run ({reason})") from error
