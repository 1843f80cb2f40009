"""`mecg calibrate` and its file."""

import json
import os
import re
import stat
import subprocess
import sys
from dataclasses import replace
from io import BytesIO
from math import inf
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.replay.pacing import Drop, Replay
from mecg.__main__ import main
from mecg.app.learning import _strip, learn
from mecg.app.session_builder import source_of
from streamer.core.calibration.correction import Calibration, Origin
from streamer.core.errors import InputError
from streamer.core.leads import SEVEN
from streamer.core.network.network import Network
from streamer.core.stream import Placement, StreamInfo
from streamer.formats.calibration_file import (
    from_bytes,
    read_calibration,
    read_with_visits,
    refuse_unfit,
    to_bytes,
    write,
)
from streamer.formats.wfdb_reader import Record
from streamer.session.description import ST_NOT_TO_BE_READ
from tests.mecg.evaluation.test_personal import dataset
from tests.streamer.core.person_model import FEATURES, STRIDE, person_model, prior

RECORDING = Path(__file__).parents[3] / "recordings" / "ptb-xl" / "00010_hr"
OTHER = RECORDING.with_name("00155_hr")


def calibration() -> Calibration:
    rng = np.random.default_rng(0)
    return Calibration(
        origin=Origin("tiny", "1", "00010_hr", "2026-11-23", "arms"),
        head=rng.normal(size=(7, STRIDE, FEATURES)).astype(np.float32),
        metric=np.eye(FEATURES, dtype=np.float32),
        reach=2.0,
        usual=1.0,
        scale=np.full(7, 0.7, np.float32),
        left=np.full(7, 0.5, np.float32),
        bands=prior().bands,
        notes=("V6: nearly generic",),
    )


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("model") / "tiny.onnx"
    path.write_bytes(person_model(prior(precision=np.full(7, 1e-2))))
    return path


@pytest.fixture(scope="module")
def person(model, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("person") / "person.npz"
    assert main(["calibrate", str(RECORDING), "--out", str(out), "--model", str(model)]) == 0
    return out


def test_json_holds_the_figures_that_are_printed(model, tmp_path, capsys):
    command = ["calibrate", str(RECORDING), str(OTHER), "--check", str(OTHER), "--model", str(model)]
    assert main([*command, "--out", str(tmp_path / "a.npz")]) == 0
    printed = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert main([*command, "--out", str(tmp_path / "b.npz"), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert len(facts["visits"]) == 2 and facts["check"]["on"] == "00155_hr"
    for rows in (facts["left_out_mv"], facts["check"]["rmse_mv"]):
        for lead, each in rows.items():
            assert [lead, f"{each['generic']:.3f}", f"{each['personal']:.3f}"] in printed


def test_a_file_reads_back_as_it_was_written():
    ours, back = calibration(), from_bytes(to_bytes(calibration()))
    assert back.origin == ours.origin
    assert back.head.tobytes() == ours.head.tobytes()
    assert back.bands == dict(ours.bands)
    assert back.notes == ours.notes
    assert to_bytes(back) == to_bytes(ours)


@given(st.data())
@settings(max_examples=80, deadline=None)
def test_a_damaged_file_is_refused_in_one_line_or_reads_as_a_sound_one(data):
    good = bytearray(to_bytes(calibration()))
    for _ in range(data.draw(st.integers(1, 4))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(good[: data.draw(st.integers(0, len(good)))])
    for content in (bytes(good), cut):
        try:
            read_back = from_bytes(content)
        except InputError as error:
            assert "\n" not in str(error)
        else:
            assert np.isfinite(read_back.head).all()


def test_a_file_with_objects_in_it_is_not_executed(tmp_path):
    """numpy would unpickle an array of objects, and run what it says."""

    class Trap:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "sprung"),))

    buffer = BytesIO()
    np.savez(buffer, head=np.array([Trap()], object))
    with pytest.raises(InputError):
        from_bytes(buffer.getvalue())
    assert not (tmp_path / "sprung").exists()


def test_a_file_that_unpacks_to_too_much_is_refused():
    buffer = BytesIO()
    np.savez_compressed(buffer, head=np.zeros(2_000_000, np.float32))
    with pytest.raises(InputError, match="too large"):
        from_bytes(buffer.getvalue())


def test_words_that_a_terminal_would_obey_are_refused():
    bad = replace(calibration(), origin=replace(calibration().origin, source="\x1b[2J"))
    with pytest.raises(InputError, match="words"):
        from_bytes(to_bytes(bad))


def test_only_the_owner_may_read_it(tmp_path):
    path = tmp_path / "person.npz"
    write(path, calibration())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_it_holds_no_signal(person):
    """Far fewer numbers than the record has samples, and none of them along time."""
    sums = {"head", "features", "products", "squares", "steps", "rmse_mv", "stated_mv"}
    names = {"facts", "head", "metric", "scale", "left", "rmse_mv"} | {f"visit0_{name}" for name in sums}
    with np.load(person, allow_pickle=False) as arrays:
        assert set(arrays) <= names
        shapes = {name: arrays[name].shape for name in arrays if name != "facts"}
    assert max(max(shape) for shape in shapes.values()) <= max(FEATURES, STRIDE, 7)
    kept = read_calibration(person)
    assert kept.head.shape == (7, STRIDE, FEATURES)
    assert kept.metric.shape == (FEATURES, FEATURES)


def test_another_polarity_placement_or_lead_is_refused():
    ours, info = calibration(), StreamInfo("x", 250.0)
    refuse_unfit(ours, info)
    for wrong in (
        replace(info, inverted=True),
        replace(info, placement=Placement.CHEST),
        replace(info, is_lead_i=False, lead="II"),
    ):
        with pytest.raises(InputError):
            refuse_unfit(ours, wrong)


def test_calibrate_says_what_it_achieved_and_overwrites_nothing(model, tmp_path, capsys):
    out = tmp_path / "p.npz"
    args = ["calibrate", str(RECORDING), "--out", str(out), "--model", str(model), "--check", str(OTHER)]
    assert main(args) == 0
    said = capsys.readouterr()
    assert "V6" in said.out
    assert "personal mV" in said.out
    assert str(RECORDING.parent) not in said.out
    before = out.read_bytes()
    assert main(args) == 2
    assert out.read_bytes() == before
    assert "--force" in capsys.readouterr().err
    assert main([*args, "--force"]) == 0
    assert read_calibration(out).origin.source == "00010_hr"


def halves(tmp_path: Path) -> list[str]:
    """One record cut into two visits of the same person."""
    record = Record(RECORDING)
    paths = []
    for name, part in (("first", slice(0, 2500)), ("second", slice(2500, 5000))):
        folder = tmp_path / name
        folder.mkdir()
        steps = np.rint(1000 * record.read()[:, part].T).astype("<i2")
        (folder / f"{name}.dat").write_bytes(steps.tobytes())
        lines = [f"{name}.dat 16 1000(0)/mV 16 0 0 0 0 {lead}" for lead in record.names]
        (folder / f"{name}.hea").write_text("\n".join([f"{name} 12 500 {len(steps)}", *lines]) + "\n")
        paths.append(str(folder / name))
    return paths


def test_visits_added_one_by_one_are_those_named_together(model, tmp_path, capsys):
    first, second = halves(tmp_path)
    one, both = tmp_path / "one.npz", tmp_path / "both.npz"
    given = ["--model", str(model)]
    assert main(["calibrate", first, "--out", str(one), *given]) == 0
    alone, kept = read_with_visits(one)
    assert len(kept) == 1 and alone.head.any()
    assert main(["calibrate", second, "--add", str(one), "--out", str(one), *given]) == 0
    assert main(["calibrate", first, second, "--out", str(both), *given]) == 0
    added, visits = read_with_visits(one)
    together, same = read_with_visits(both)
    assert [visit.origin.source for visit in visits] == ["first", "second"] == [v.origin.source for v in same]
    assert added.origin.earlier == together.origin.earlier == 1
    np.testing.assert_allclose(added.head, together.head, atol=1e-6)
    assert one.stat().st_mode & 0o077 == 0


def test_another_persons_record_is_not_added_unless_forced_and_the_file_stays(tmp_path, capsys):
    one = tmp_path / "one.npz"
    assert main(["calibrate", str(RECORDING), "--out", str(one)]) == 0
    before = one.read_bytes()
    adds = ["calibrate", str(OTHER), "--add", str(one), "--out", str(one)]
    capsys.readouterr()
    assert main(adds) == 2
    said = capsys.readouterr()
    assert not said.out and "do not look like one person" in said.err and "--force" in said.err
    assert len(said.err.splitlines()) == 1 and one.read_bytes() == before
    assert main([*adds, "--force"]) == 0
    assert "do not look like one person" in capsys.readouterr().err
    assert len(read_with_visits(one)[1]) == 2


def test_a_calibration_of_one_visit_is_what_the_fit_makes_of_it(model, person):
    network = Network(model.read_bytes())
    made, (visit,) = read_with_visits(person)
    record = Record(RECORDING)
    learned = learn(network, record.twelve(), record.rate_hz, visit.origin)
    for name in ("head", "metric", "scale", "left"):
        np.testing.assert_allclose(getattr(made, name), getattr(learned, name), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("twice", [("second", "second"), ("kept", "second")])
def test_a_visit_counts_once_and_what_is_refused_changes_no_file(model, tmp_path, capsys, twice):
    _, second = halves(tmp_path)
    out = tmp_path / "p.npz"
    given = ["--model", str(model), "--out", str(out)]
    assert main(["calibrate", second, *given]) == 0
    before = out.read_bytes()
    again = [second, second] if twice[0] == "second" else [second]
    assert main(["calibrate", *again, "--add", str(out), *given]) == 2
    assert out.read_bytes() == before
    assert capsys.readouterr().err.count("\n") >= 1


def test_a_recording_counts_once_whatever_it_is_called(model, tmp_path, capsys):
    first, second = halves(tmp_path)
    copy = tmp_path / "copy"
    copy.mkdir()
    for ending in (".hea", ".dat"):
        (copy / f"again{ending}").write_bytes(Path(second + ending).read_bytes())
    header = copy / "again.hea"
    header.write_text(header.read_text().replace("second", "again"))
    out = tmp_path / "p.npz"
    given = ["--model", str(model), "--out", str(out)]
    assert main(["calibrate", first, second, str(copy / "again"), *given]) == 2
    assert not out.exists()
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert "again" in line and "second" in line
    assert main(["calibrate", first, second, *given]) == 0
    before = out.read_bytes()
    assert main(["calibrate", str(copy / "again"), "--add", str(out), *given]) == 2
    assert out.read_bytes() == before


def test_two_visits_of_one_name_are_refused_with_what_to_do(model, tmp_path, capsys):
    first, second = (Path(text) for text in halves(tmp_path))
    other = tmp_path / "other-day"
    other.mkdir()
    for ending in (".hea", ".dat"):
        (other / f"first{ending}").write_bytes(second.with_suffix(ending).read_bytes())
    header = other / "first.hea"
    header.write_text(header.read_text().replace("second", "first"))
    out = tmp_path / "p.npz"
    both = [str(first), str(other / "first")]
    assert main(["calibrate", *both, "--out", str(out), "--model", str(model)]) == 2
    assert "another name" in capsys.readouterr().err


@pytest.mark.parametrize("turned_is", ["earlier", "later"])
def test_a_visit_that_teaches_nothing_is_named_and_figures_say_what_they_are_of(tmp_path, capsys, turned_is):
    """On the shipped model: the paced heart's Lead I stands upside down."""
    visits = [str(RECORDING), str(RECORDING.with_name("00498_hr"))][:: -1 if turned_is == "earlier" else 1]
    assert main(["calibrate", *visits, "--out", str(tmp_path / "p.npz"), "--json"]) == 0
    said = capsys.readouterr()
    facts = json.loads(said.out)
    assert "00498_hr: Lead I stands upside down" in said.err
    assert "the result is the generic model" not in said.err
    assert facts["left_out"] == "each half of 00010_hr scored with what the other half taught"


def test_a_file_that_keeps_no_visits_cannot_be_added_to(model, tmp_path, capsys):
    old, out = tmp_path / "old.npz", tmp_path / "new.npz"
    write(old, calibration())
    assert (
        main(["calibrate", str(RECORDING), "--add", str(old), "--out", str(out), "--model", str(model)]) == 2
    )
    assert not out.exists()


def test_calibrate_takes_leads_one_after_another(model, tmp_path, capsys):
    strips = [f"--sequence={lead}={RECORDING}" for lead in ("II", "V2", "V5")]
    out = tmp_path / "p.npz"
    assert main(["calibrate", str(RECORDING), "--out", str(out), "--model", str(model), *strips]) == 0
    assert "one after another" in read_calibration(out).origin.words()
    assert "V1, V3, V4, V6: not measured" in capsys.readouterr().err
    assert main(["calibrate", str(RECORDING), "--out", str(out), "--sequence=V9=x", "--force"]) == 2


def part_of(leads: tuple[str, ...], folder: Path, *, called: dict[str, str] | None = None) -> str:
    """The bundled record with some of its leads alone, some of them under other labels."""
    record = Record(RECORDING)
    signals = np.round(1000 * record.read()[[record.row(lead) for lead in leads]]).astype("<i2")
    names = [(called or {}).get(lead, lead) for lead in leads]
    lines = [f"part.dat 16 1000/mV 16 0 0 0 0 {name}" for name in names]
    head = f"part {len(leads)} {record.rate_hz:g} {signals.shape[1]}"
    folder.mkdir()
    (folder / "part.hea").write_text("\n".join([head, *lines]) + "\n")
    (folder / "part.dat").write_bytes(signals.T.tobytes())
    return str(folder / "part")


def test_a_record_of_several_leads_without_the_one_that_is_meant_is_refused(model, tmp_path, capsys):
    """Its Lead I was learned as V2, and nothing said so."""
    out, two = tmp_path / "p.npz", part_of(("I", "II"), tmp_path / "two")
    args = ["calibrate", str(RECORDING), "--out", str(out), "--model", str(model)]
    assert main([*args, f"--sequence=V2={two}"]) == 2
    said = capsys.readouterr().err.splitlines()
    assert said[-1].startswith("mecg: part has no lead V2, only I, II: give --sequence V2=")
    assert not out.exists()


def test_a_sensor_of_one_lead_may_call_it_what_it_likes(model, tmp_path, capsys):
    out = {name: tmp_path / f"{name}.npz" for name in ("named", "I", "ECG")}
    strips = {
        "named": part_of(("II", "V2"), tmp_path / "named"),
        "I": part_of(("V2",), tmp_path / "I", called={"V2": "I"}),
        "ECG": part_of(("V2",), tmp_path / "ECG", called={"V2": "ECG"}),
    }
    for name, strip in strips.items():
        args = ["calibrate", str(RECORDING), "--out", str(out[name]), "--model", str(model)]
        assert main([*args, f"--sequence=V2={strip}"]) == 0
        told = [line for line in capsys.readouterr().err.splitlines() if "taken as" in line]
        said = [f"V2: part holds a single lead, {name}: taken as held at V2"]
        assert told == ([] if name == "named" else said)
    heads = [read_calibration(path).head for path in out.values()]
    assert heads[0].any()
    assert heads[0].tobytes() == heads[1].tobytes() == heads[2].tobytes()


def test_a_strip_keeps_its_time_where_samples_were_lost(model, tmp_path, monkeypatch):
    """Glued together, the beats on both sides of a gap would be one that nobody has."""
    whole, *_ = _strip("V2", str(RECORDING))

    def lossy(options, replay):
        return source_of(options, Replay(speed=inf, drop=Drop.parse("20%:0.3s")))

    monkeypatch.setattr("mecg.app.learning.source_of", lossy)
    strip, *_ = _strip("V2", str(RECORDING))
    known = np.isfinite(strip)
    assert 0.7 < known.mean() < 0.9
    assert np.array_equal(strip[known], whole[: len(strip)][known])


def test_learning_takes_less_than_a_second_in_a_fresh_process_with_nothing_compiled(tmp_path):
    """What is printed is the learning, not numba's compiler; the machine may be busy once, or twice."""
    took_s = []
    for attempt in range(3):
        place = {"NUMBA_CACHE_DIR": str(tmp_path / f"numba-{attempt}")}
        out = str(tmp_path / f"{attempt}.npz")
        done = subprocess.run(
            [sys.executable, "-m", "mecg", "calibrate", str(RECORDING), "--out", out],
            env=os.environ | place,
            capture_output=True,
            text=True,
            check=True,
        )
        took_s.append(float(re.search(r"learned in ([\d.]+) s", done.stdout)[1]))
        if took_s[-1] < 1:
            break
    assert min(took_s) < 1, took_s


def test_electrodes_on_the_chest_are_said_to_be_why_a_reference_is_refused(model, tmp_path, capsys):
    given = ["--out", str(tmp_path / "p.npz"), "--model", str(model), "--placement", "chest"]
    assert main(["calibrate", str(RECORDING), *given]) == 2
    line = capsys.readouterr().err
    assert "electrodes on the chest" in line
    assert "no Lead I but I" not in line


@pytest.mark.parametrize("off", ["V3", "I"])
def test_an_electrode_that_was_off_teaches_nothing(off, model, tmp_path, capsys):
    first, _ = halves(tmp_path)
    path = Path(first).with_suffix(".dat")
    steps = np.frombuffer(path.read_bytes(), "<i2").reshape(-1, 12).copy()
    steps[:, Record(first).names.index(off)] = 0
    if off == "I":
        steps[:, 1] = steps[:, 2]  # and the law holds
    path.write_bytes(steps.tobytes())
    out = tmp_path / "p.npz"
    code = main(["calibrate", first, "--out", str(out), "--model", str(model)])
    said = capsys.readouterr().err
    if off == "I":
        assert code == 2 and "Lead I of the reference is flat" in said
    else:
        assert code == 0 and "V3: not measured" in said
        _, (visit,) = read_with_visits(out)
        assert visit.moments.steps[SEVEN.index("V3")] == 0


def test_mislabelled_limb_leads_are_refused(model, tmp_path, capsys):
    wrong = tmp_path / "wrong.hea"
    text = RECORDING.with_suffix(".hea").read_text().splitlines()
    names = {line.split()[-1]: i for i, line in enumerate(text) if line.startswith("00010")}
    rows = [i for i, line in enumerate(text) if line.endswith((" II", " III"))]
    assert len(rows) == 2, names
    a, b = rows
    text[a], text[b] = text[a].removesuffix(" II") + " III", text[b].removesuffix(" III") + " II"
    wrong.write_text("\n".join(text).replace("00010_hr", "wrong") + "\n")
    (tmp_path / "wrong.dat").write_bytes(RECORDING.with_suffix(".dat").read_bytes())
    out = tmp_path / "p.npz"
    assert main(["calibrate", str(tmp_path / "wrong"), "--out", str(out), "--model", str(model)]) == 2
    assert "Einthoven" in capsys.readouterr().err
    assert not out.exists()


def test_exchanged_chest_leads_are_told_in_one_line(tmp_path, capsys):
    """With the shipped model; what is written has them inferred from the others."""
    text = RECORDING.with_suffix(".hea").read_text().replace("00010_hr", "wrong").splitlines()
    a, b = (next(i for i, line in enumerate(text) if line.endswith(name)) for name in (" V1", " V6"))
    text[a], text[b] = text[a].removesuffix("V1") + "V6", text[b].removesuffix("V6") + "V1"
    (tmp_path / "wrong.hea").write_text("\n".join(text) + "\n")
    (tmp_path / "wrong.dat").write_bytes(RECORDING.with_suffix(".dat").read_bytes())
    out = tmp_path / "p.npz"
    assert main(["calibrate", str(tmp_path / "wrong"), "--out", str(out)]) == 0
    told = [line for line in capsys.readouterr().err.splitlines() if "look exchanged" in line]
    assert len(told) == 1
    assert told[0].startswith("V1 and V6 look exchanged: check")
    kept = read_calibration(out)
    assert told[0] in kept.notes
    assert np.isnan(kept.rmse_mv[:, [1, 6]]).all()
    assert np.isfinite(kept.rmse_mv[:, [0, 2, 3, 4, 5]]).all()


def test_the_page_of_a_report_says_that_st_of_calibrated_leads_is_not_to_be_read(
    model, person, tmp_path, monkeypatch
):
    pages = []
    monkeypatch.setattr("mecg.cli.report.render_pdf", lambda page: pages.append(page) or b"")
    for name, whose in (("generic", ()), ("personal", ("--calibration", str(person)))):
        args = ["report", str(RECORDING), "--out", str(tmp_path / name), "--model", str(model), *whose]
        assert main(args) == 0
    assert [page.caution for page in pages] == ["", ST_NOT_TO_BE_READ]


def test_a_session_says_whose_it_is(model, person, capsys):
    args = ["stream", str(RECORDING), "--seconds", "3", "--speed", "max", "--json", "--model", str(model)]
    assert main([*args, "--calibration", str(person)]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out.splitlines()[0])["calibration"].startswith("personal: 00010_hr")
    assert "personal: 00010_hr" in said.err
    assert main(args) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[0])["calibration"] == "generic"


def test_another_model_or_polarity_is_refused_in_one_line(model, person, tmp_path, capsys):
    other = tmp_path / "other.onnx"
    other.write_bytes(person_model(prior(), version="2"))
    for more in (["--model", str(other)], ["--model", str(model), "--invert"]):
        assert main(["stream", str(RECORDING), "--seconds", "1", "--calibration", str(person), *more]) == 2
        error = capsys.readouterr().err.splitlines()
        assert "calibrat" in error[-1]


def test_reconstruct_takes_a_calibration(model, person, tmp_path):
    for name, more in (("a", []), ("b", ["--calibration", str(person)])):
        args = ["reconstruct", str(RECORDING), "--out", str(tmp_path / name), "--model", str(model)]
        assert main([*args, *more]) == 0
    a, b = (tmp_path / name / "00010_hr.dat" for name in "ab")
    assert a.read_bytes() != b.read_bytes()
    assert "personal: 00010_hr" in (tmp_path / "b" / "00010_hr.hea").read_text()


def test_evaluate_takes_one_persons_calibration(model, person, tmp_path):
    """For a folder of that person's records."""
    scores = {}
    folder = dataset(tmp_path, dated=False)
    for name, more in (("generic", []), ("personal", ["--calibration", str(person)])):
        report = tmp_path / f"{name}.json"
        args = ["evaluate", str(folder), "--rate", "500", "--model", str(model), "--report", str(report)]
        assert main([*args, *more]) == 0
        scores[name] = json.loads(report.read_text())
    assert scores["generic"]["calibration"] == "generic"
    assert scores["personal"]["calibration"].startswith("personal: 00010_hr")
    assert scores["personal"]["seven"] != scores["generic"]["seven"]
    assert main([*args, "--personal", "--calibration", str(person), "--force"]) == 2
