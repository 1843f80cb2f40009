# SPDX-License-Identifier: GPL-3.0-or-later
"""Many beds on one page, in the browser: what is kept of each, the server, and the page itself.

The package knows `streamer` only.  The program around it runs the sessions and hands in what they make.
"""
