# SPDX-License-Identifier: GPL-3.0-or-later
"""`mecg calibrate`: learn one person from short 12-lead references, of one visit or several."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mecg.app.before_after_png import refuse_to_draw, write_picture
from mecg.app.learning import (
    NOTHING_LEARNED,
    SCORED_FROM_S,
    in_order,
    name_of,
    origin_of,
    reconstructed,
    recorded,
    reference_in,
    strips_of,
    warm_up,
)
from mecg.app.models import network_of
from mecg.app.terminal import put, put_json, say
from mecg.cli.help_text import Help
from mecg.cli.options import add_force, add_model, add_unit_and_rate
from mecg.evaluation.lead_scores import lead_sums
from streamer.core.calibration.correction import Calibration, PersonalNetwork
from streamer.core.calibration.fit import prior_of
from streamer.core.calibration.sequential_reference import sequence_reference
from streamer.core.calibration.visits import Visit, brings, combined, teaching, unlike, unlike_words, visit_of
from streamer.core.errors import InputError
from streamer.core.leads import DERIVED, LEADS, SEVEN
from streamer.core.network.network import Network
from streamer.core.signal.clinical_frame import clinical_frame
from streamer.core.stream import Samples, StreamInfo
from streamer.formats.atomic_write import refuse_file
from streamer.formats.calibration_file import read_with_visits, write

ONE_VISIT = (
    "one visit: it fits while the electrodes stay on; on another day they sit elsewhere, and some get worse "
    "than without: mark the places of the electrodes, and add a second visit with --add"
)


HELP = Help(
    about=(
        "Learns one person from 10 s of twelve leads, or from several visits, and writes a file that "
        "--calibration takes. The file says who this person is: keep it private."
    ),
    examples=(
        "mecg calibrate recordings/ptb-xl/00010_hr --out person.npz",
        "mecg calibrate second-visit --add person.npz --out person.npz --check third-visit",
    ),
    takes=("mecg.sources", "mecg.formats"),
)


def add_options(parser: ArgumentParser) -> None:
    """All that `Options` holds."""
    parser.add_argument(
        "references",
        nargs="+",
        metavar="REFERENCE",
        help="a WFDB record, or lsl: with 12 leads; one for each visit, the earliest first",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="PERSON.npz", help="where it goes")
    parser.add_argument(
        "--add",
        type=Path,
        metavar="PERSON.npz",
        help="add the visits to those that this file keeps; it may be --out itself",
    )
    parser.add_argument("--check", metavar="OTHER", help="score it on another 12-lead record")
    parser.add_argument("--picture", type=Path, metavar="FILE.png", help="before and after, lead by lead")
    parser.add_argument(
        "--sequence",
        action="append",
        metavar="LEAD=SOURCE",
        help="one lead, held after Lead I for some 10 s; give it once for each of II, V2, V5 ...",
    )
    parser.add_argument("--lead", metavar="NAME", help="which lead of the reference is Lead I")
    parser.add_argument("--placement", choices=("arms", "chest"), help="where Lead I's electrodes sit")
    parser.add_argument("--invert", action="store_true", help="turn Lead I's polarity")
    add_unit_and_rate(parser)
    parser.add_argument("--json", action="store_true", help="the figures as JSON")
    add_model(parser)
    add_force(parser, "the file, and take visits that do not look like one person")


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says."""

    references: list[str]
    out: Path
    add: Path | None
    check: str | None
    picture: Path | None
    sequence: list[str] | None
    lead: str | None
    placement: str | None
    invert: bool
    unit_mv: float | None
    rate_hz: float | None
    json: bool
    model: Path | None
    force: bool


def run(options: Options) -> int:
    """Fit, say what it achieved, and write the file."""
    added_to = options.add is not None and options.add.resolve() == options.out.resolve()
    refuse_file(options.out, force=options.force or added_to)
    if options.picture is not None:
        refuse_file(options.picture, force=options.force)
        refuse_to_draw()
    if options.sequence and len(options.references) > 1:
        raise InputError(
            "--sequence is of one visit: name one REFERENCE, and add others to its file with --add"
        )
    network = network_of(options.model)
    earlier = () if options.add is None else _kept(options.add)
    read = [_recorded(text, options) for text in options.references]
    strips, said = strips_of(options.sequence or (), options.unit_mv, options.rate_hz)
    warm_up(network)
    began = time.monotonic()
    new = []
    for text, (info, leads_mv) in zip(options.references, read, strict=True):
        origin = origin_of(network, info, text)
        if strips:
            reference, notes = sequence_reference(network, leads_mv[0], strips, info.rate_hz)
            origin, told = replace(origin, kind="sequence"), [*said, *notes]
        else:
            reference, told = reference_in(network, leads_mv, info.rate_hz), []
        new.append(visit_of(network, prior_of(network), reference, origin, told))
    visits = in_order(earlier, new)
    if not options.force:
        _refuse_another_person(visits, new)
    calibration = combined(prior_of(network), visits)
    took_s = time.monotonic() - began
    facts = _facts(calibration, visits, took_s)
    if not options.json:
        put(*_lines(facts))
    for note in calibration.notes:
        say(note)
    if not calibration.head.any():
        say(NOTHING_LEARNED)
    other = _recorded(options.check, options) if options.check else None
    if other is not None and options.check:
        facts["check"] = _checked(network, calibration, *other, name_of(options.check))
        if not options.json:
            put(*_check_lines(facts["check"]))
    write(options.out, calibration, visits)
    if options.picture is not None:
        _draw(network, calibration, *(other or read[-1]), options, options.picture)
    if options.json:
        put_json(facts)
    say(f"calibration written to {options.out}; it says who this person is, so keep it private")
    if len(visits) == 1:
        say(ONE_VISIT)
    return 0


def _refuse_another_person(visits: Sequence[Visit], new: Sequence[Visit]) -> None:
    """Raise an `InputError` if a new visit looks like another person's; one that is kept was taken before."""
    if {id(visit) for visit in unlike(visits)} & {id(visit) for visit in new}:
        raise InputError(
            f"{unlike_words(visits)}: leave out another person's, or take it all the same with --force"
        )


def _recorded(text: str, options: Options) -> tuple[StreamInfo, Samples]:
    return recorded(
        text,
        options.invert,
        options.placement,
        lead=options.lead,
        unit_mv=options.unit_mv,
        rate_hz=options.rate_hz,
    )


def _kept(path: Path) -> tuple[Visit, ...]:
    """The visits that a file keeps."""
    calibration, visits = read_with_visits(path)
    if not visits:
        raise InputError(
            f"{path} keeps no visits ({calibration.origin.words()}): calibrate with all its references"
        )
    return visits


def _facts(calibration: Calibration, visits: Sequence[Visit], took_s: float) -> dict[str, Any]:
    """What was learned, as plain JSON types; errors are RMSE in mV."""
    others = zip(visits, brings(visits), strict=True) if len(visits) > 1 else ()
    return {
        "learned_from": calibration.origin.words(),
        "took_s": took_s,
        "visits": [
            {
                "name": f"{visit.origin.source} {visit.origin.date}".strip(),
                "on_the_others": {"generic_mv": _known(generic), "personal_mv": _known(personal)},
            }
            for visit, (generic, personal) in others
        ],
        "left_out": _left_out(visits),
        "left_out_mv": {
            lead: {"generic": float(generic), "personal": float(personal)}
            for lead, generic, personal in zip(SEVEN, *calibration.rmse_mv, strict=True)
            if np.isfinite(generic)
        },
        "notes": list(calibration.notes),
        "check": None,
    }


def _left_out(visits: Sequence[Visit]) -> str:
    """What the errors of `Calibration.rmse_mv` were measured on."""
    some = teaching(visits)
    if len(some) > 1:
        return "each visit left out scored with what the others taught"
    whole = some[0].origin.source if some and len(visits) > 1 else "the reference"
    return f"each half of {whole} scored with what the other half taught"


def _known(mv: float) -> float | None:
    return float(mv) if np.isfinite(mv) else None


def _lines(facts: Mapping[str, Any]) -> list[str]:
    lines = [f"personal: {facts['learned_from']}: learned in {facts['took_s']:.2f} s"]
    if facts["visits"]:
        lines.append("what each visit alone does on the others, mean of II and V1-V6:")
        lines.append(f"{'generic mV':>12}{'personal mV':>12}  visit")
        for visit in facts["visits"]:
            brought = ("-" if mv is None else f"{mv:.3f}" for mv in visit["on_the_others"].values())
            lines.append(f"{''.join(f'{each:>12}' for each in brought)}  {visit['name']}")
    return [*lines, f"{facts['left_out']}:", *_table(facts["left_out_mv"])]


def _check_lines(check: Mapping[str, Any]) -> list[str]:
    return [f"on {check['on']}:", *_table(check["rmse_mv"])]


def _table(rmse_mv: Mapping[str, Mapping[str, float]]) -> list[str]:
    rows = (f"{lead:6}{each['generic']:>12.3f}{each['personal']:>12.3f}" for lead, each in rmse_mv.items())
    return [f"{'':6}{'generic mV':>12}{'personal mV':>12}", *rows]


def _draw(
    network: Network,
    calibration: Calibration,
    info: StreamInfo,
    leads_mv: Samples,
    options: Options,
    picture: Path,
) -> None:
    """Draw what it does, on the other record where there is one."""
    from mecg.app.calibration_previews import Shown, tried

    name = calibration.origin.source
    about = f"learned from and shown on the same {leads_mv.shape[1] / info.rate_hz:.1f} s of {name}"
    if options.check:
        about = f"learned from {name}, shown on {name_of(options.check)}"
    elif options.sequence:
        about = f"learned from and shown on {name}, leads measured one after another"
    trial = tried(network, calibration, Shown(info, leads_mv, same=not options.check, about=about))
    write_picture(picture, trial)


def _checked(
    network: Network, calibration: Calibration, info: StreamInfo, leads_mv: Samples, name: str
) -> dict[str, Any]:
    """What it does on another record of the person."""
    truth = clinical_frame(leads_mv, info.rate_hz, network.spec.filters, network.spec.rate_hz)
    first = round(SCORED_FROM_S * network.spec.rate_hz)
    rmse = {}
    for way, model in (("generic", network), ("personal", PersonalNetwork(network, calibration))):
        leads = reconstructed(info, model, leads_mv[0])
        sums = lead_sums(leads[:, first:], truth[:, first:])
        rmse[way] = np.sqrt(sums.squared / np.maximum(sums.count, 1))
    scored = [(i, lead) for i, lead in enumerate(LEADS) if lead in SEVEN or lead in DERIVED]
    return {
        "on": name,
        "rmse_mv": {lead: {way: float(each[i]) for way, each in rmse.items()} for i, lead in scored},
    }
