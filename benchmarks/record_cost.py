# SPDX-License-Identifier: GPL-3.0-or-later
"""What a record of 10 s costs in `mecg reconstruct` and `mecg evaluate`, by step, in processor time.

``python -m benchmarks.record_cost PTB-XL`` takes 150 records from all over the data set, in this process.
"""

from __future__ import annotations

import argparse
import inspect
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks.measure import MODEL, one_core
from devices.replay.file import FileReplay
from mecg.archive.naming import Item
from mecg.archive.record import Job, outcome_of
from mecg.evaluation import evaluate
from mecg.evaluation.dataset import Entry, read_table
from streamer.core.network.network import Network
from streamer.core.pipeline import Pipeline
from streamer.core.signal.front_end import FrontEnd
from streamer.core.vitals.vitals import Vitals
from streamer.export.band import HalfWidthsAtSourceRate
from streamer.export.wfdb_sink import AtSourceRate
from streamer.formats.wfdb_reader import Record
from streamer.formats.wfdb_writer import WfdbWriter

FOLDS = tuple(range(1, 11))
WARM = 10
"""Records that are done first and do not count."""
ELSE = "all else"
BARS_MS = {"mecg reconstruct": 8.0, "mecg evaluate": 15.0}

Parts = Mapping[str, Sequence[tuple[Any, str]]]
"""By step, whose functions do it: a class or a module, and a name in it."""

PATH: Parts = {
    "to 250 Hz, three bands": [(FrontEnd, "push"), (FrontEnd, "finish")],
    "the network": [(Network, "run")],
    "windows, stitching, twelve leads": [(Pipeline, "__init__"), (Pipeline, "push"), (Pipeline, "finish")],
}
RECONSTRUCT: Parts = PATH | {
    "reading": [(FileReplay, "open"), (FileReplay, "items")],
    "quality and heart rate": [(Vitals, "chunk"), (Vitals, "push")],
    "leads and widths back to the source's rate": [
        (AtSourceRate, "frame"),
        (AtSourceRate, "finish"),
        (HalfWidthsAtSourceRate, "frame"),
        (HalfWidthsAtSourceRate, "beside"),
    ],
    "to 16 bits, written": [(WfdbWriter, "append")],
    "files opened, synced and named": [(WfdbWriter, "__init__"), (WfdbWriter, "finish")],
}
EVALUATE: Parts = PATH | {
    "reading": [(Record, "__init__"), (Record, "twelve")],
    "true leads to 250 Hz": [(evaluate, "at_rate")],
    "clinical frame": [(evaluate, "clinical_frame_at_rate")],
    "filter only": [(evaluate, "_filter_only")],
    "beats, ST, amplitudes": [(evaluate, "find_beats"), (evaluate, "measure")],
    "coverage of the bands": [(evaluate, "regions"), (evaluate, "count")],
    "errors and correlation": [(evaluate, "lead_sums_to")],
}


class Account:
    """Processor time of this thread, charged to the innermost step that runs."""

    def __init__(self) -> None:
        self.spent_ns: defaultdict[str, int] = defaultdict(int)
        self._steps = [ELSE]
        self._since_ns = time.thread_time_ns()

    def enter(self, step: str) -> None:
        """A step begins."""
        self._charge()
        self._steps.append(step)

    def leave(self) -> None:
        """It ends."""
        self._charge()
        self._steps.pop()

    def _charge(self) -> None:
        now_ns = time.thread_time_ns()
        self.spent_ns[self._steps[-1]] += now_ns - self._since_ns
        self._since_ns = now_ns

    def charged(self, step: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, its time charged to the step; that of each turn if it is a generator."""

        def turns(of: Iterator[Any]) -> Iterator[Any]:
            while True:
                self.enter(step)
                try:
                    one = next(of, self)
                finally:
                    self.leave()
                if one is self:
                    return
                yield one

        def charged(*args: Any, **more: Any) -> Any:
            self.enter(step)
            try:
                result = function(*args, **more)
            finally:
                self.leave()
            return turns(result) if inspect.isgenerator(result) else result

        return charged


def by_step(parts: Parts, do: Callable[[Entry], object], entries: Sequence[Entry]) -> dict[str, float]:
    """Milliseconds of processor time of a record, by step."""
    account = Account()
    with ExitStack() as stack:
        for step, places in parts.items():
            for owner, name in places:
                function = account.charged(step, getattr(owner, name))
                stack.enter_context(patch.object(owner, name, function))
        for entry in entries[:WARM]:
            do(entry)
        account.enter(ELSE)
        account.leave()
        account.spent_ns.clear()
        for entry in entries[WARM:]:
            do(entry)
        account.enter(ELSE)
    return {step: ns / 1e6 / len(entries[WARM:]) for step, ns in account.spent_ns.items()}


def without_steps(do: Callable[[Entry], object], entries: Sequence[Entry]) -> float:
    """Milliseconds of processor time of a record, all in all, with nothing watched."""
    began_s = time.process_time()
    for entry in entries[WARM:]:
        do(entry)
    return 1e3 * (time.process_time() - began_s) / len(entries[WARM:])


def main() -> int:
    """Measure and print; 1 if a bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.record_cost", description=__doc__)
    parser.add_argument("dataset", type=Path, metavar="PTB-XL")
    parser.add_argument("--records", type=int, default=150)
    parser.add_argument("--rate", type=int, choices=(100, 500), default=100)
    parser.add_argument("--judged", action="store_true", help="as with --report: quality and heart rate too")
    options = parser.parse_args()
    entries = read_table(options.dataset, FOLDS, options.rate)
    entries = entries[:: max(1, len(entries) // (options.records + WARM))][: options.records + WARM]
    model = MODEL.read_bytes()
    network = Network(model)
    missed = False
    with tempfile.TemporaryDirectory() as out, one_core():
        job = Job(out=Path(out), force=True, judged=options.judged)

        def reconstructed(entry: Entry) -> None:
            outcome = outcome_of(Item(str(entry.path), "", entry.path.name), network, job)
            assert outcome.good, outcome.words

        def scored(entry: Entry) -> object:
            return evaluate._score(evaluate._Work(entry.path, model, dense=True))

        for command, parts, do in (
            ("mecg reconstruct", RECONSTRUCT, reconstructed),
            ("mecg evaluate", EVALUATE, scored),
        ):
            steps = by_step(parts, do, entries)
            whole_ms = without_steps(do, entries)
            missed |= whole_ms > BARS_MS[command]
            told = f"{whole_ms:.1f} ms of processor time a record (bar {BARS_MS[command]:g})"
            print(f"{command}: {told}, {len(entries) - WARM} records")
            for step, ms in sorted(steps.items(), key=lambda pair: -pair[1]):
                if ms:
                    print(f"  {step:44}{ms:6.2f} ms  {ms / sum(steps.values()):5.1%}")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
