"""Imports the reference implementation once, quietly: pandas' deprecations are not ours."""

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import wfdb  # noqa: F401
