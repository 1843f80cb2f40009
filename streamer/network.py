# SPDX-License-Identifier: MIT
"""One network, run by ONNX Runtime on one thread."""

from __future__ import annotations

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from streamer.errors import InputError
from streamer.model import METADATA_KEY, ModelSpec

ort.set_default_logger_severity(4)  # what is wrong with a model is told as an InputError, once


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
        options = ort.SessionOptions()
        # More threads spin: 76-90 % of a core for a network that needs 2 %, and a worse p99.
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
        # Weights "in another file" would be read from any path that the model names: there is none.
        options.add_session_config_entry(
            "session.model_external_initializers_file_folder_path", "/dev/null/none"
        )
        try:
            self._session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime raises a class of its own per cause
            reason = str(error).splitlines()[0]
            raise InputError(f"the model is not an ONNX file that can be run ({reason})") from error
        metadata = self._session.get_modelmeta().custom_metadata_map
        if METADATA_KEY not in metadata:
            raise InputError(
                "the model lacks the metadata 'mecg' (rate, window, filters, leads): export it with them"
            )
        self.spec = ModelSpec.from_json(metadata[METADATA_KEY])
        self._outputs = ["leads", "scale"] if self.spec.has_scale else ["leads"]
        self._check()

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
