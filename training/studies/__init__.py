# SPDX-License-Identifier: GPL-3.0-or-later
"""Experiments on trained models: comparisons, ablations, robustness, costs."""
