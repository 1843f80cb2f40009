# SPDX-License-Identifier: MIT
"""The ONNX model: what it states about itself, how it runs, how late it is."""
