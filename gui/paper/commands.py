# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user can do to the paper: scale, layout, theme, and what is drawn on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from gui.actions import Action
from gui.paper.geometry import GAINS_MM_PER_MV, LAYOUTS, SPEEDS_MM_PER_S, step
from gui.paper.look import Look
from gui.paper.view import PaperView
from gui.theme import DARK, LIGHT
from streamer.core.leads import LEADS

Do = Callable[[], object]


class PaperCommands:
    """Changes the paper's look, one thing at a time.

    Parameters
    ----------
    paper : PaperView
    changed : callable
        Called after each change.
    rhythms : callable
        What the rhythm strip can show now, such as ``("measured", "II")``.
    """

    def __init__(
        self, paper: PaperView, changed: Callable[[], object], rhythms: Callable[[], tuple[str, ...]]
    ) -> None:
        self._paper = paper
        self._changed = changed
        self._rhythms = rhythms
        self.auto_gain = False
        """The gain follows the signal."""
        self.mm_set = False
        """The size of a millimetre was set by hand."""

    def table(self) -> tuple[Action, ...]:
        """Everything."""
        return (*self._paper_table(), *self._leads_table())

    def _paper_table(self) -> tuple[Action, ...]:
        gains = ", ".join(f"{gain:g}" for gain in GAINS_MM_PER_MV)
        speeds = ", ".join(f"{speed:g}" for speed in SPEEDS_MM_PER_S)

        def act(keys: tuple[str, ...], name: str, what: str, do: Do, button: str = "") -> Action:
            return Action(keys, "Paper", name, what, do, button)

        return (
            act(("+", "="), "Larger", f"gain up ({gains} mm/mV)", lambda: self.gain(1), "Gain"),
            act(("-",), "Smaller", "gain down", lambda: self.gain(-1), "Gain"),
            Action(
                ("A",),
                "Paper",
                "Gain by itself",
                "the gain follows the signal",
                self.toggle_auto_gain,
                "Gain",
                lambda: self.auto_gain,
            ),
            act(("]",), "Faster", f"paper speed up ({speeds} mm/s)", lambda: self.speed(1), "Speed"),
            act(("[",), "Slower", "paper speed down", lambda: self.speed(-1), "Speed"),
            act(("L",), "Next layout", f"layout ({', '.join(LAYOUTS)})", self.next_layout, "Layout"),
            *(self._layout_action(name) for name in LAYOUTS),
            Action(
                ("N",),
                "Paper",
                "Consecutive columns",
                "time runs on from column to column, here and on the page, or all columns show the same time",
                lambda: self._change(consecutive=not self._look.consecutive),
                "Layout",
                lambda: self._look.consecutive,
            ),
            Action(
                ("S",),
                "Paper",
                "Sweep",
                "sweep with an erase bar, or scroll",
                self.toggle_sweep,
                checked=lambda: self._look.sweep,
            ),
            Action(
                ("D",),
                "Paper",
                "Dark",
                "dark monitor, or light paper",
                self.toggle_theme,
                checked=lambda: self._look.theme is DARK,
            ),
            *_millimetre_table(self),
        )

    def _layout_action(self, name: str) -> Action:
        return Action(
            (),
            "Paper",
            name,
            f"the layout {name}",
            lambda: self._change(layout=name, enlarged=False),
            "Layout",
            lambda: self._look.layout == name and not self._look.enlarged,
        )

    def _leads_table(self) -> tuple[Action, ...]:
        def act(keys: tuple[str, ...], name: str, what: str, do: Do) -> Action:
            return Action(keys, "Leads", name, what, do)

        def switch(
            key: str, name: str, what: str, do: Do, on: Callable[[Look], bool], button: str = ""
        ) -> Action:
            return Action((key,), "Leads", name, what, do, button, lambda: on(self._look))

        return (
            act(("Down",), "Next lead", "select the next lead", lambda: self.select(1)),
            act(("Up",), "Previous lead", "select the one before", lambda: self.select(-1)),
            Action(
                ("Return", "Enter"),
                "Leads",
                "Enlarge",
                "the selected lead alone, twice as large; so does a double click",
                self.toggle_enlarged,
                checked=lambda: self._look.enlarged,
            ),
            act(
                ("R",),
                "Rhythm strip",
                "rhythm strip: I as measured, I in the diagnostic band where the source allows it, II",
                self.next_rhythm,
            ),
            switch(
                "T",
                "Measured leads",
                "measured leads over reconstructed ones, where the source holds any; with RMSE, correlation "
                "and share in the band of the last 10 s",
                self.toggle_truth,
                lambda look: look.truth,
                "Measured leads",
            ),
            switch(
                "B",
                "Band",
                "the ribbon that holds 90 % of the truth",
                self.toggle_ribbon,
                lambda look: look.ribbon,
            ),
            switch(
                "V",
                "Plausible alternatives",
                "thin lines: other twelve-leads that this Lead I could belong to",
                self.toggle_alternatives,
                lambda look: look.alternatives,
            ),
        )

    def gain(self, by: int) -> None:
        """Larger or smaller, by hand."""
        self.auto_gain = False
        scale = self._look.scale
        self._change(scale=replace(scale, mm_per_mv=step(GAINS_MM_PER_MV, scale.mm_per_mv, by)))

    def toggle_auto_gain(self) -> None:
        """Let the gain follow the signal, or stay."""
        self.auto_gain = not self.auto_gain
        self._changed()

    def speed(self, by: int) -> None:
        """Faster or slower."""
        scale = self._look.scale
        self._change(scale=replace(scale, mm_per_s=step(SPEEDS_MM_PER_S, scale.mm_per_s, by)))

    def millimetre(self, factor: float) -> None:
        """Make a millimetre so much longer."""
        self.mm_set = True
        scale = self._look.scale
        self._change(scale=replace(scale, px_per_mm=scale.px_per_mm * factor))

    def screen_says(self, px_per_mm: float) -> None:
        """Another screen, on which a millimetre is so long; one that was set by hand stays."""
        if not self.mm_set:
            self._change(scale=replace(self._look.scale, px_per_mm=px_per_mm))

    def next_layout(self) -> None:
        """The next layout; from a lead alone back to all."""
        names = list(LAYOUTS)
        if self._look.enlarged:
            self._change(enlarged=False)
        else:
            self._change(layout=names[(names.index(self._look.layout) + 1) % len(names)])

    def toggle_sweep(self) -> None:
        """Sweep, or scroll."""
        self._change(sweep=not self._look.sweep)

    def toggle_theme(self) -> None:
        """Dark, or light."""
        self._change(theme=LIGHT if self._look.theme is DARK else DARK)

    def select(self, by: int) -> None:
        """Another lead."""
        now = self._look.selected
        first = LEADS[0 if by > 0 else -1]
        self._change(selected=LEADS[(LEADS.index(now) + by) % len(LEADS)] if now else first)

    def pick(self, lead: str) -> None:
        """This lead."""
        if lead != self._look.selected:
            self._change(selected=lead)

    def enlarge(self, lead: str) -> None:
        """This lead alone, or all again."""
        self._change(selected=lead, enlarged=not self._look.enlarged)

    def toggle_enlarged(self) -> None:
        """The selected lead alone, or all again."""
        self.enlarge(self._look.selected or "I")

    def next_rhythm(self) -> None:
        """Something else in the rhythm strip."""
        choice = self._rhythms()
        now = choice.index(self._look.rhythm) if self._look.rhythm in choice else -1
        self._change(rhythm=choice[(now + 1) % len(choice)])

    def toggle_ribbon(self) -> None:
        """The band, or not."""
        self._change(ribbon=not self._look.ribbon)

    def toggle_alternatives(self) -> None:
        """Plausible alternatives below the reconstructed leads, or not."""
        self._change(alternatives=not self._look.alternatives)

    def show_parts(self, shown: bool) -> None:
        """What each band gives below the reconstructed leads, or not."""
        self._change(parts=shown)

    def toggle_truth(self) -> None:
        """Measured leads over reconstructed ones, or not."""
        self._change(truth=not self._look.truth)

    def restore(self, look: Look, *, mm_set: bool) -> None:
        """Look as it was left, the size of a millimetre set by hand or not."""
        self.mm_set = mm_set
        self._paper.look = look
        self._changed()

    @property
    def _look(self) -> Look:
        return self._paper.look

    def _change(self, **what: object) -> None:
        self._paper.look = replace(self._paper.look, **what)  # type: ignore[arg-type]
        self._changed()


def _millimetre_table(do: PaperCommands) -> tuple[Action, ...]:
    def act(keys: tuple[str, ...], name: str, what: str, action: Do) -> Action:
        return Action(keys, "Paper", name, what, action)

    return (
        act(
            ("Ctrl+Up",),
            "Longer millimetre",
            "a millimetre 1 % longer: hold a ruler to the grid",
            lambda: do.millimetre(1.01),
        ),
        act(
            ("Ctrl+Down",),
            "Shorter millimetre",
            "a millimetre 1 % shorter",
            lambda: do.millimetre(1 / 1.01),
        ),
    )
