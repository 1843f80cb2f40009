# SPDX-License-Identifier: GPL-3.0-or-later
"""Training of the networks; needs the extra `train`; nothing imports it."""
