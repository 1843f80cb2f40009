# SPDX-License-Identifier: MIT
"""Sources of a measured lead."""
