# SPDX-License-Identifier: MIT
"""A sink of your own: a session that writes Lead II and V5 into a CSV file, and each event beside them.

    python examples/csv_sink.py synthetic:?seconds=10 out.csv

SOURCE may be anything that ``mecg stream`` takes, such as ``polar:`` or ``lsl:``.
"""

import sys
from pathlib import Path

from devices.registry import open_source
from streamer import (
    LEADS,
    Chunk,
    Event,
    Frame,
    Pipeline,
    Session,
    SessionDescription,
    load_model,
)


class CsvSink:
    """Follows `streamer.Sink`; its methods run in a thread of their own, so they may take their time."""

    name = "csv"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows = [LEADS.index(lead) for lead in ("II", "V5")]

    def open(self, description: SessionDescription) -> None:
        """Begin the file; what raises here keeps the session from starting."""
        self._file = self._path.open("w", encoding="utf-8")
        self._file.write(f"# {description.model_in_words}; {'; '.join(description.warnings)}\n")
        self._file.write("second,II_mv,V5_mv\n")

    def chunk(self, chunk: Chunk) -> None:
        """The raw samples: not wanted here."""

    def frame(self, frame: Frame) -> None:
        """A line for every sample that was not lost."""
        for k, (two_mv, five_mv) in enumerate(frame.leads_mv[self._rows].T):
            if frame.valid[k]:
                self._file.write(f"{(frame.start + k) / frame.rate_hz:.3f},{two_mv:.4f},{five_mv:.4f}\n")

    def event(self, event: Event) -> None:
        """Source states, lost samples, beats, alarms: as comments."""
        self._file.write(f"# {event.text}\n")

    def close(self) -> None:
        """Nothing more will come."""
        self._file.close()


def main(text: str, path: Path) -> None:
    """Run until the source ends, or Ctrl-C."""
    source, network = open_source(text), load_model("low")
    info = source.open()
    pipeline = Pipeline(info, network)
    session = Session(source, pipeline, SessionDescription.of(info, network.spec, pipeline.latency))
    session.attach(CsvSink(path))
    report = session.run()
    for error in report.failures.values():
        raise error
    print(f"{report.samples_in} samples in, {report.samples_out} out, {report.lost} lost")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
