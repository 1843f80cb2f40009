# SPDX-License-Identifier: MIT
"""Plausible twelve-leads: a few persons whose Lead I could be this one, drawn together over leads and time.

The mean of all such persons is like none of them, and a band for each sample says nothing of shape.
What differs between persons is how their leads mix: the error of a lead is, over a whole record, nearly a
linear map of the eight estimated leads.  A draw is one such map, the same in every beat.  How far it goes
is the model's own scale, sample by sample; which leads and waves go together is what was learned
(`training.fitted.plausible`).  Nothing is looked ahead for, and no beat is asked for: sample t of a draw is a
function of sample t of the leads and of their scale.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamer.core.errors import InputError
from streamer.core.leads import LEADS, PREDICTED, SEVEN, twelve_from_eight
from streamer.core.stream import Samples

FORMAT = 1
MOST_FACTORS = 64
SHOWN = 4
"""So many draws are shown: enough to see whether they agree, few enough to tell them apart."""
QUIET_MV = 0.02
"""Where persons differ by less than this, draws close up: between beats only noise would tell them apart."""

_EIGHT = [LEADS.index(lead) for lead in PREDICTED]
_SEVEN = [LEADS.index(lead) for lead in SEVEN]


@dataclass(frozen=True, slots=True)
class Plausible:
    """How the errors of the seven predicted leads go together over persons."""

    factors: NDArray[np.float32]
    """``(K, 7, 8)``: a person's error, mV, is the sum of these maps of the eight leads, each by a score of
    its own; scores are independent, of variance 1."""
    temper: float
    """Standard deviation of a draw, over the model's scale, where persons differ."""

    def __post_init__(self) -> None:
        shape = self.factors.shape
        good = len(shape) == 3 and shape[1:] == (len(SEVEN), len(PREDICTED)) and 1 <= shape[0] <= MOST_FACTORS
        if not (good and np.isfinite(self.factors).all() and 0 < self.temper < 100):
            raise InputError("the model's plausible alternatives cannot be used: fit them again")

    def draws(self, leads_mv: Samples, scale_mv: Samples, count: int = SHOWN, seed: int = 0) -> Samples:
        """Some twelve-leads as likely as any, for the same stretch.

        Parameters
        ----------
        leads_mv, scale_mv : array (12, n)
            As in a frame; NaN stays NaN.
        count : int
            How many.
        seed : int
            The same seed draws the same persons, whatever stretch is asked for.

        Returns
        -------
        array (count, 12, n)
            mV.  Lead I is the estimate's own: it was measured.  The limb-lead laws hold in each.
        """
        scores = np.random.default_rng(seed).normal(size=(count, len(self.factors))).astype(np.float32)
        eight = leads_mv[_EIGHT]
        # einsum calls no BLAS, whose sums depend on how many columns there are.
        each = np.einsum("klp,pn->kln", self.factors, eight)
        reach = scale_mv[_SEVEN] * self._share(each)
        drawn = np.repeat(eight[None], count, axis=0)
        drawn[:, 1:] += np.einsum("ck,kln->cln", scores, each) * reach
        return (
            np.stack([twelve_from_eight(one) for one in drawn]) if count else np.empty((0, *leads_mv.shape))
        )

    def sd_mv(self, leads_mv: Samples, scale_mv: Samples) -> Samples:
        """Standard deviation ``(7, n)`` of the draws in each of `SEVEN`; parameters as of `draws`."""
        each = np.einsum("klp,pn->kln", self.factors, leads_mv[_EIGHT])
        return np.asarray(np.sqrt((each**2).sum(axis=0)) * scale_mv[_SEVEN] * self._share(each))

    def _share(self, each: NDArray[np.float32]) -> NDArray[np.float32]:
        """What brings factors of so many mV ``(K, 7, n)`` to the temper; ``(7, n)``, 1/mV."""
        persons = np.sqrt((each**2).sum(axis=0) + np.float32(QUIET_MV**2))
        return np.asarray(np.float32(self.temper) / persons)

    def to_json(self) -> str:
        """What goes into the model's metadata: half precision, two bytes a number."""
        packed = base64.b64encode(self.factors.astype("<f2").tobytes()).decode()
        return json.dumps({"format": FORMAT, "temper": self.temper, "factors": packed})

    @classmethod
    def from_json(cls, text: str) -> Plausible:
        """Parse and check.

        Raises
        ------
        InputError
            Where it cannot be used.
        """
        try:
            facts = json.loads(text)
            if facts["format"] != FORMAT:
                raise InputError("the model's plausible alternatives are of another format: fit them again")
            packed = base64.b64decode(facts["factors"], validate=True)
            factors = np.frombuffer(packed, "<f2").astype(np.float32)
            return cls(factors.reshape(-1, len(SEVEN), len(PREDICTED)), float(facts["temper"]))
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(
                f"the model's plausible alternatives cannot be read ({error}): fit them again"
            ) from error
