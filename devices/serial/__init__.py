# SPDX-License-Identifier: MIT
"""Samples as lines of text over a serial port: AD8232, Arduino, ESP32 and the like."""
