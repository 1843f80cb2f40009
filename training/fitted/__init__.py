# SPDX-License-Identifier: GPL-3.0-or-later
"""What is fitted after a training and stored in the model: scale, prior, alternatives, polarity."""
