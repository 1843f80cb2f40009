"""Our reader of WFDB records agrees with the `wfdb` package, and refuses what it must in one line."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import wfdb
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamer.core.errors import InputError
from streamer.formats.wfdb_annotation_reader import BEATS, read_annotations
from streamer.formats.wfdb_header import read_header
from streamer.formats.wfdb_reader import Record

RECORDINGS = Path(__file__).parents[3] / "recordings"
FORMATS = ["8", "16", "24", "32", "61", "80", "160", "212", "310", "311"]
INVALID = {"16": -(1 << 15), "24": -(1 << 23), "32": -(1 << 31), "80": -(1 << 7), "212": -(1 << 11)}
# What the wfdb package's own use of pandas is told.
pytestmark = pytest.mark.filterwarnings("ignore:The inplace keyword")
QUIET = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def refusal(path: str | Path) -> str:
    """The one line with which a record is refused."""
    with pytest.raises(InputError) as caught:
        Record(path).read()
    line = str(caught.value)
    assert line and "\n" not in line and line.isprintable()
    return line


def write(folder: Path, header: str | bytes, dat: bytes = bytes(2000), name: str = "r") -> Path:
    path = folder / f"{name}.hea"
    path.write_bytes(header if isinstance(header, bytes) else header.encode())
    (folder / f"{name}.dat").write_bytes(dat)
    return path


def agrees(path: Path, start: int = 0, stop: int | None = None) -> None:
    ours = Record(path).read(start, stop)
    theirs = wfdb.rdrecord(str(path)[:-4], sampfrom=start, sampto=stop).p_signal.T
    assert ours.dtype == np.float32
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, rtol=2e-7, atol=1e-30)


@pytest.mark.parametrize("fmt", FORMATS)
@pytest.mark.parametrize("signals", [1, 2, 3, 5])
def test_any_bytes_decode_as_the_wfdb_package_decodes_them(tmp_path: Path, fmt: str, signals: int) -> None:
    frames, offset = 101, 16 if fmt != "8" else 0
    dat = np.random.default_rng(signals).integers(0, 256, offset + frames * signals * 4 + 8).astype(np.uint8)
    if fmt == "311":
        dat[offset + 3 :: 4] &= 0x3F  # two bits are unused; the wfdb package takes one for a sign
    lines = [f"r.dat {fmt}+{offset} {200 + i}({3 * i})/mV 12 0 {i} 0 0 L{i}" for i in range(signals)]
    path = write(tmp_path, "\n".join([f"r {signals} 360 {frames}", *lines]) + "\n", dat.tobytes())
    agrees(path)
    if fmt != "8":  # the wfdb package starts format 8 again wherever it is asked to
        agrees(path, 17, 64)


@pytest.mark.parametrize("fmt", sorted(INVALID))
@pytest.mark.parametrize("frames", [1, 2, 7, 30])
def test_records_that_the_wfdb_package_wrote_read_the_same(tmp_path: Path, fmt: str, frames: int) -> None:
    least = INVALID[fmt]
    rng = np.random.default_rng(frames)
    digital = rng.integers(least, -least, (frames, 3))
    digital[0] = least, least + 1, -least - 1
    wfdb.wrsamp(
        "r", 500, ["mV", "uV", "V"], ["I", "II", "V1"],
        d_signal=digital, fmt=[fmt] * 3, adc_gain=[1000, 1.0, 2e6], baseline=[0, 5, -7],
        write_dir=str(tmp_path),
    )  # fmt: skip
    ours = Record(tmp_path / "r").read()
    theirs = wfdb.rdrecord(str(tmp_path / "r")).p_signal.T * np.array([[1], [1e-3], [1e3]])
    np.testing.assert_allclose(ours, theirs, rtol=2e-7)
    assert np.isnan(ours[0, 0]) and np.isfinite(ours[:, 0]).sum() == 2


def test_first_differences_read_the_same_from_any_place(tmp_path: Path) -> None:
    dat = np.random.default_rng(0).integers(-128, 128, (200_000, 2)).astype(np.int8)
    path = write(tmp_path, "r 2 360\nr.dat 8 200 12 0 -30 0 0 I\nr.dat 8 200 12 0 7 0 0 II\n", dat.tobytes())
    whole = Record(path).read()
    np.testing.assert_allclose(whole[1], (7 + np.cumsum(dat[:, 1], dtype=int)) / 200, rtol=1e-6)
    record = Record(path)
    for start, stop in [(70_000, 70_010), (150_000, 199_999), (3, 5), (0, 200_000)]:
        assert np.array_equal(record.read(start, stop), whole[:, start:stop])


@given(
    cuts=st.lists(st.integers(0, 300), max_size=8), fmt=st.sampled_from(FORMATS), signals=st.integers(1, 4)
)
@QUIET
def test_reading_in_pieces_changes_no_sample(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int], fmt: str, signals: int
) -> None:
    folder = tmp_path_factory.mktemp("pieces")
    dat = np.random.default_rng(1).integers(0, 256, 300 * signals * 4).astype(np.uint8).tobytes()
    lines = [f"r.dat {fmt} 100 12 0 0 0 0 L{i}" for i in range(signals)]
    path = write(folder, "\n".join([f"r {signals} 100 300", *lines]), dat)
    record = Record(path)
    edges = [0, *sorted(cuts), 300]
    pieces = [record.read(a, b) for a, b in pairwise(edges)]
    assert np.array_equal(np.concatenate(pieces, axis=1), record.read(), equal_nan=True)


@pytest.mark.parametrize(("fmt", "per_frame"), [("16", 6), ("212", 4.5), ("310", 4), ("311", 4), ("24", 9)])
@pytest.mark.parametrize("torn", [0, 1, 2, 3])
def test_without_a_stated_length_the_file_gives_it_and_a_torn_last_frame_is_dropped(
    tmp_path: Path, fmt: str, per_frame: float, torn: int
) -> None:
    lines = "".join(f"r.dat {fmt} 200 12 0 0 0 0 L{i}\n" for i in range(3))
    dat = bytes(range(256))[: int(20 * per_frame) + torn]
    for first in ("r 3 360", "r 3 360 0"):
        assert Record(write(tmp_path, f"{first}\n{lines}", dat)).samples == 20
    with pytest.raises(InputError, match="truncated: 20 samples of the 21"):
        Record(write(tmp_path, f"r 3 360 21\n{lines}", dat))


def test_skewed_signals_are_put_back_in_line(tmp_path: Path) -> None:
    dat = np.arange(300, dtype="<i2").tobytes()
    path = write(tmp_path, "r 2 250 150\nr.dat 16:0 200 16 0 0 0 0 I\nr.dat 16:4 200 16 0 0 0 0 II\n", dat)
    agrees(path)
    agrees(path, 10, 20)
    assert np.isnan(Record(path).read()[1, -4:]).all()


def test_signals_in_several_files_are_read_together() -> None:
    record = Record(RECORDINGS / "ptb" / "s0010_re.dat")
    assert record.names[:3] == ("i", "ii", "iii") and record.names[-1] == "vz"
    assert [s.lead for s in record.signals[:6]] == ["I", "II", "III", "aVR", "aVL", "aVF"]
    assert (record.rate_hz, record.samples) == (1000, 38400)
    agrees(RECORDINGS / "ptb" / "s0010_re.hea", 1000, 1234)


@pytest.mark.parametrize(
    ("line", "rate_hz", "samples"),
    [
        ("r 1", 250, None),
        ("r 1 360", 360, None),
        ("r 1 129.91 50", 129.91, 50),
        ("r 1 3.6e2/1.5(10.5) 50 12:00:00 01/02/2003", 360, 50),
        ("r 1 128/125(-3) 50", 128, 50),
    ],
)
def test_the_first_line_may_leave_out_what_it_may(
    tmp_path: Path, line: str, rate_hz: float, samples: int | None
) -> None:
    path = write(tmp_path, f"# before\n{line}\r\n\r\nr.dat 16 200 16 0 0 0 0 I\n# age: 81\n")
    header = read_header(path)
    assert (header.rate_hz, header.samples, header.comments) == (rate_hz, samples, ("before", "age: 81"))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("", 0.5),
        (" 0 12", 0.5),
        (" 200", 0.5),
        (" 0(50)/uV", 0.00025),
        (" 1000/mV 16 0 0 0 0 II", 0.1),
        (" 1000(50)/mV", 0.05),
        (" 1000/mV 16 50 0 0 0 II", 0.05),
        (" 1000(0)/mV 16 50 0 0 0 II", 0.1),
        (" 1/uV 16 0 0 0 0 II", 0.1),
        (" 1e6/V", 0.1),
        (" 1/µV", 0.1),
        (" -200", -0.5),
        ("\t200\t12\t0\t0\t0\t0\tlead two", 0.5),
    ],
)
def test_gain_baseline_and_units_follow_the_rules_of_the_format(
    tmp_path: Path, fields: str, expected: float
) -> None:
    path = write(tmp_path, f"r 1 250\nr.dat 16{fields}\n", np.full(10, 100, "<i2").tobytes())
    np.testing.assert_allclose(Record(path).read(), expected, rtol=1e-6)


def test_a_signal_that_is_no_voltage_comes_as_nan(tmp_path: Path) -> None:
    path = write(tmp_path, "r 2 250\nr.dat 16 200/mmHg 12 0 0 0 0 ABP\nr.dat 16 200 12 0 0 0 0 I\n")
    values = Record(path).read()
    assert np.isnan(values[0]).all() and np.isfinite(values[1]).all()


def test_leads_are_found_by_any_of_their_spellings_then_by_label(tmp_path: Path) -> None:
    names = ["Lead II", "ECG abc", "MDC_ECG_LEAD_I", "AVR", "v1", "I"]
    lines = "".join(f"r.dat 16 200 16 0 0 0 0 {name}\n" for name in names)
    record = Record(write(tmp_path, f"r 6 250\n{lines}", bytes(120)))
    found = [record.row(lead) for lead in ("I", "i", "Lead I", "avr", "V1", "ecg ABC", "V2", "II ")]
    assert found == [2, 2, 2, 3, 4, 1, None, 0]


def test_segments_of_fixed_layout_follow_one_another_and_gaps_are_nan(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    parts = [rng.integers(-500, 500, (n, 2)) for n in (40, 25)]
    for i, part in enumerate(parts):
        wfdb.wrsamp(
            f"s{i}", 250, ["mV"] * 2, ["I", "II"],
            d_signal=part, fmt=["16"] * 2, adc_gain=[100 + i] * 2, baseline=[0] * 2, write_dir=str(tmp_path),
        )  # fmt: skip
    whole = write(tmp_path, "m/2 2 250 65\ns0 40\ns1 25\n", name="m")
    theirs = wfdb.rdrecord(str(tmp_path / "m"), m2s=True).p_signal.T
    np.testing.assert_allclose(Record(whole).read(), theirs, rtol=2e-7)
    gap = Record(write(tmp_path, "g/3 2 250 75\ns0 40\n~ 10\ns1 25\n", name="g"))
    assert gap.names == ("I", "II") and gap.samples == 75
    assert np.isnan(gap.read()[:, 40:50]).all()
    np.testing.assert_allclose(gap.read(30, 60)[:, 20:], theirs[:, 40:50], rtol=2e-7)


def test_segments_of_variable_layout_go_to_the_rows_of_their_names(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    for name, leads in (("s0", ["I", "V1"]), ("s1", ["V1"])):
        wfdb.wrsamp(
            name, 125, ["mV"] * len(leads), leads,
            d_signal=rng.integers(-500, 500, (30, len(leads))), fmt=["16"] * len(leads),
            adc_gain=[200] * len(leads), baseline=[0] * len(leads), write_dir=str(tmp_path),
        )  # fmt: skip
    layout = "".join(f"~ 0 200/mV 12 0 0 0 0 {lead}\n" for lead in ("V1", "II", "I"))
    write(tmp_path, f"lay 3 125 0\n{layout}", name="lay")
    path = write(tmp_path, "m/4 3 125 70\nlay 0\ns0 30\n~ 10\ns1 30\n", name="m")
    ours = Record(path)
    assert ours.names == ("V1", "II", "I")
    theirs = wfdb.rdrecord(str(tmp_path / "m"), m2s=True)
    rows = [theirs.sig_name.index(name) for name in ("V1", "I")]
    np.testing.assert_allclose(ours.read()[[0, 2]], theirs.p_signal.T[rows], rtol=2e-7)
    assert np.isnan(ours.read()[1]).all()
    assert "layout" in refusal(tmp_path / "lay")


RATES = {"I": 4, "II": 4, "V1": 2, "Pleth": 2, "Resp": 1}


@given(
    held=st.lists(st.sets(st.sampled_from(sorted(RATES)), min_size=1), min_size=1, max_size=5),
    lead=st.sampled_from([None, "I", "V1"]),
)
@QUIET
def test_a_segment_of_variable_layout_without_a_signal_of_the_rate_is_a_gap(
    held: list[set[str]], lead: str | None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder, frames = tmp_path_factory.mktemp("rates"), 10
    rng = np.random.default_rng(1)
    layout = "".join(f"~ 0x{n} 100/mV 16 0 0 0 0 {name}\n" for name, n in RATES.items())
    write(folder, f"lay {len(RATES)} 62.5 0\n{layout}", name="lay")
    many = RATES[lead or "I"]
    wanted = [name for name, n in RATES.items() if n == many]
    right = np.full((len(wanted), len(held) * frames * many), np.nan)
    for i, names in enumerate(held):
        each = {name: rng.integers(-500, 500, (frames, RATES[name])) for name in sorted(names)}
        lines = "".join(f"s{i}.dat 16x{RATES[name]} 100/mV 16 0 0 0 0 {name}\n" for name in each)
        data = np.concatenate(list(each.values()), axis=1).astype("<i2").tobytes()
        write(folder, f"s{i} {len(each)} 62.5 {frames}\n{lines}", data, f"s{i}")
        for row, name in enumerate(wanted):
            if name in each:
                right[row, i * frames * many :][: frames * many] = each[name].ravel() / 100
    body = "".join(f"s{i} {frames}\n" for i in range(len(held)))
    first = f"m/{len(held) + 1} {len(RATES)} 62.5 {len(held) * frames}\nlay 0\n"
    path = write(folder, first + body, name="m")
    if np.isnan(right).all():
        with pytest.raises(InputError, match="no segment with samples"):
            Record(path, lead)
        return
    record = Record(path, lead)
    assert record.names == tuple(wanted) and record.rate_hz == 62.5 * many
    np.testing.assert_allclose(record.read(), right, rtol=2e-7)
    others = {name for name in RATES if name not in wanted}
    assert others == set(record.left_out)
    gaps = sum(not names & set(wanted) for names in held) * frames * many
    said = [int(note.split()[0]) for note in record.notes if "missing" in note]
    assert said == ([gaps] if gaps else [])


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("m/2 1 250 30\ns0 30\n", "promises 2 segments"),
        ("m/1 1 250 99\ns0 30\n", "states 99 samples"),
        ("m/1 1 250 31\ns0 31\n", "30 samples of the 31"),
        ("m/1 1 500 30\ns0 30\n", "500 Hz"),
        ("m/1 1 250 30\n../s0 30\n", "outside its folder"),
        ("m/1 1 250 30\nm 30\n", "made of segments"),
        ("m/1 1 250 30\n~ 30\n", "no segment with samples"),
        ("m/0 1 250 30\n", "0 segments"),
        ("m/1 1 250 30\ns0 many\n", "without a length"),
    ],
)
def test_broken_segments_are_refused(tmp_path: Path, body: str, said: str) -> None:
    write(tmp_path, "s0 1 250\ns0.dat 16 200 16 0 0 0 0 I\n", bytes(60), "s0")
    assert said in refusal(write(tmp_path, body, name="m"))


SIGNAL = "r.dat 16 200 16 0 0 0 0 I\n"


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("", "empty header"),
        ("# only a comment\n", "empty header"),
        ("r\n", "no WFDB header"),
        ("what is this\n", "no WFDB header"),
        ("r -1 250\n", "no WFDB header"),
        (b"r 1 250\x00\n", "binary"),
        (bytes(range(255, 0, -1)), "binary"),
        ("r 0 250 100\n", "without signals"),
        ("r 99999 250 100\n", "more than"),
        (f"r 2 250 100\n{SIGNAL}", "promises 2 signals but describes 1"),
        (f"r 1 0 100\n{SIGNAL}", "impossible sampling rate"),
        (f"r 1 -250 100\n{SIGNAL}", "impossible sampling rate"),
        (f"r 1 nan 100\n{SIGNAL}", "impossible sampling rate"),
        (f"r 1 inf 100\n{SIGNAL}", "impossible sampling rate"),
        (f"r 1 250 -5\n{SIGNAL}", "impossible length"),
        (f"r 1 250 9999999999999999\n{SIGNAL}", "impossible length"),
        (f"r 1 250 1001\n{SIGNAL}", "truncated: 1000 samples of the 1001"),
        ("r 1 250 100\nr.dat\n", "describes no signal"),
        ("r 1 250 100\nr.dat sixteen\n", "describes no signal"),
        ("r 1 250 100\nr.dat 516 200\n", "FLAC"),
        ("r 1 250 100\nr.dat 8x4 200\n", "several samples per frame"),
        ("r 1 250 100\nr.dat 0 200\n", "layout"),
        ("r 1 250 100\nr.dat 16 1e-30\n", "impossible gain"),
        ("r 1 250 100\nr.dat 16 200(9999999999)\n", "impossible baseline"),
        ("r 2 250 100\nr.dat 16 200\nr.dat 212 200\n", "two formats"),
        ("r 1 250 100\nmissing.dat 16 200\n", "not there"),
        ("r 1 250 100\n- 16 200\n", "not a file beside it"),
        ("r 1 250 100\n../outside.dat 16 200\n", "outside its folder"),
        ("r 1 250 100\nsub/../../outside.dat 16 200\n", "outside its folder"),
        ("r 1 250 100\n/etc/hostname 16 200\n", "not a file beside it"),
        ("r 1 250 100\nhttp://example.org/r.dat 16 200\n", "not a file beside it"),
        ("r 1 250 100\nC:\\r.dat 16 200\n", "not a file beside it"),
        ("r 1 250 100\nlink.dat 16 200\n", "outside its folder"),
        ("r 1 250 100\nloop.dat 16 200\n", "link"),
        ("r 1 250 100\nfolder 16 200\n", "not there"),
        (f"r 1 250 100\n{'x' * 5000} 16 200\n", "cannot be opened"),
    ],
)
def test_a_broken_or_hostile_header_is_refused_in_one_line(
    tmp_path: Path, header: str | bytes, said: str
) -> None:
    (tmp_path / "outside.dat").write_bytes(bytes(2000))
    folder = tmp_path / "records"
    (folder / "folder").mkdir(parents=True)
    (folder / "link.dat").symlink_to(tmp_path / "outside.dat")
    (folder / "loop.dat").symlink_to(folder / "loop.dat")
    assert said in refusal(write(folder, header))


def test_an_empty_signal_file_is_refused(tmp_path: Path) -> None:
    for length in ("", " 100"):
        assert "is empty" in refusal(write(tmp_path, f"r 1 250{length}\n{SIGNAL}", b""))


def test_a_file_that_shrinks_while_it_is_read_is_an_input_error(tmp_path: Path) -> None:
    record = Record(write(tmp_path, f"r 1 250\n{SIGNAL}"))
    (tmp_path / "r.dat").write_bytes(bytes(100))
    with pytest.raises(InputError, match="shorter"):
        record.read()
    (tmp_path / "r.dat").unlink()
    with pytest.raises(InputError, match="cannot be read"):
        record.read()


def test_a_header_too_large_is_refused(tmp_path: Path) -> None:
    assert "over 1 MB" in refusal(write(tmp_path, b"#" * (1 << 20) + b"\nr 1 250\n"))


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("nothing/here", "no record"),
        ("nothing/here.hea", "no record"),
        ("nothing/here.dat", "no record"),
        ("", "not the name of a record"),
        (".hea", "no record"),
        ("a\nb", "not the name"),
        ("a\0b", "not the name"),
        ("x" * 6000, "no record"),
        ("https://physionet.org/r.hea", "web address"),
        (".", "a folder"),
    ],
)
def test_a_path_that_is_no_record_is_refused_in_one_line(path: str, said: str) -> None:
    assert said in refusal(path)


def test_all_three_ways_to_name_a_record_open_it_dots_and_spaces_included(tmp_path: Path) -> None:
    (tmp_path / "r.dat").write_bytes(bytes(2000))
    write(tmp_path, f"r 1 250\n{SIGNAL}", name="odd name v1.2")
    for end in ("", ".hea", ".dat"):
        assert Record(f"{tmp_path}/odd name v1.2{end}").header.name == "odd name v1.2"


HEADER_LIKE = st.text(alphabet="r.dat 0123456789/()+-:xe~#mVuIi\n\tµ", max_size=200)


@given(header=st.one_of(st.binary(max_size=300), HEADER_LIKE.map(str.encode)), dat=st.binary(max_size=400))
@settings(QUIET, max_examples=300)
def test_noise_raises_nothing_but_an_input_error(
    tmp_path_factory: pytest.TempPathFactory, header: bytes, dat: bytes
) -> None:
    path = write(_folder(tmp_path_factory), header, dat)
    try:
        values = Record(path).read()
    except InputError as error:
        assert str(error).isprintable()
    else:
        assert values.dtype == np.float32 and not np.isinf(values).any()


@given(
    changes=st.lists(
        st.tuples(st.integers(0, 300), st.binary(min_size=1, max_size=3)), min_size=1, max_size=4
    ),
    dat=st.binary(max_size=400),
)
@settings(QUIET, max_examples=300)
def test_a_damaged_header_raises_nothing_but_an_input_error(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, bytes]], dat: bytes
) -> None:
    header = bytearray(
        b"r/1 2 360/1.5(2) 20 1:2:3\nr.dat 212x1:2+3 200.5(7)/uV 12 1 -5 6 0 I\nr.dat 16 0 II\n"
    )
    for place, new in changes:
        header[place % len(header) : place % len(header) + len(new)] = new
    path = write(_folder(tmp_path_factory), bytes(header), dat)
    try:
        Record(path).read()
    except InputError as error:
        assert str(error).isprintable()


def _folder(factory: pytest.TempPathFactory) -> Path:
    folder = factory.getbasetemp() / "fuzz"
    folder.mkdir(exist_ok=True)
    return folder


def test_reference_annotations_read_as_the_wfdb_package_reads_them() -> None:
    path = RECORDINGS / "mitdb" / "100"
    theirs = wfdb.rdann(str(path), "atr")
    for name in (path, f"{path}.hea", f"{path}.atr"):
        samples, symbols = read_annotations(name)
        assert np.array_equal(samples, theirs.sample) and list(symbols) == theirs.symbol
    assert sum(symbol in BEATS for symbol in symbols) == 2273


def test_annotations_with_notes_and_long_pauses_read_the_same(tmp_path: Path) -> None:
    samples = np.array([5, 900, 5000, 70_000_000, 70_000_001])
    wfdb.wrann(
        "r", "qrs", samples, ["N", "+", '"', "V", "~"], fs=360, chan=np.array([0, 1, 0, 0, 2]),
        subtype=np.array([0, 1, 0, 0, -1]), num=np.array([0, 3, 0, 0, 0]),
        aux_note=["", "(AFIB", "odd", "", ""], write_dir=str(tmp_path),
    )  # fmt: skip
    ours, symbols = read_annotations(tmp_path / "r", "qrs")
    assert np.array_equal(ours, samples) and "".join(symbols) == 'N+"V~'


@pytest.mark.parametrize("kept", [0, 1, 2, 3, 9])
def test_annotations_cut_short_are_refused(tmp_path: Path, kept: int) -> None:
    raw = (RECORDINGS / "mitdb" / "100.atr").read_bytes()
    (tmp_path / "r.atr").write_bytes(raw[:kept])
    with pytest.raises(InputError, match="middle of an annotation"):
        read_annotations(tmp_path / "r")


@given(raw=st.binary(max_size=200))
@settings(QUIET, max_examples=200)
def test_noise_as_annotations_raises_nothing_but_an_input_error(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes
) -> None:
    (_folder(tmp_path_factory) / "r.atr").write_bytes(raw + bytes(2))
    try:
        samples, symbols = read_annotations(_folder(tmp_path_factory) / "r")
    except InputError:
        return
    assert len(samples) == len(symbols)


def test_there_being_no_annotations_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no annotation file"):
        read_annotations(tmp_path / "r")


@pytest.mark.parametrize("gain", ["nan(0)/mV", "inf/mV", "1e308(0)/V", "1000(99999999999)/mV", "-nan(0)"])
def test_a_gain_that_cannot_be_is_refused_and_not_taken_for_the_usual_one(gain: str, tmp_path: Path) -> None:
    (tmp_path / "r.hea").write_text(f"r 1 250 10\nr.dat 16 {gain} 16 0 0 0 0 I\n")
    (tmp_path / "r.dat").write_bytes(bytes(20))
    with pytest.raises(InputError, match="gain"):
        Record(tmp_path / "r")
