# SPDX-License-Identifier: MIT
"""One person's correction of the network's last layer: applied, fitted, checked."""
