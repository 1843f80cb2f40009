# SPDX-License-Identifier: GPL-3.0-or-later
"""Predecessors, trained on the same folds, target and input as our own network."""
