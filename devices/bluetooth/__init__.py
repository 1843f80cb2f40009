# SPDX-License-Identifier: MIT
"""Bluetooth Low Energy: the link, the scan, and each kind of sensor."""
