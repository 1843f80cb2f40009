# SPDX-License-Identifier: GPL-3.0-or-later
"""Many records: which they are, who does them, and what became of each."""
