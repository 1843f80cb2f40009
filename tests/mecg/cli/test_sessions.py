# SPDX-License-Identifier: GPL-3.0-or-later
"""Recording, listing, repairing and replaying sessions from the command line; and `kill -9`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import pyxdf

from devices.replay.synthetic import Synthetic
from mecg.__main__ import main
from streamer.core.events import State, StateChanged
from streamer.recording.folder import summary
from streamer.recording.reader import Recording
from streamer.recording.repair import repair

ROOT = Path(__file__).parents[3]


def recorded(folder: Path, *options: str) -> Path:
    before = set(folder.glob("*")) if folder.exists() else set()
    assert main(["stream", *options, "--speed", "max", "--record", str(folder)]) == 0
    (path,) = set(folder.iterdir()) - before
    return path


def test_the_same_input_and_settings_give_the_same_twelve_leads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # The bundled model, in its live form; half a minute with stretches left out.
    first = recorded(tmp_path, "synthetic:?rate=500", "--seconds", "30", "--drop", "10%:2.5s")
    assert f"recording into {first}" in capsys.readouterr().err
    again = recorded(tmp_path, f"session:{first}")
    assert main(["stream", f"session:{first}", "--speed", "max", "--as-recorded", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    with Recording.open(first) as one, Recording.open(again) as other:
        assert one.complete and other.complete and one.gaps == other.gaps != ()
        assert one.raw_mv(0, one.raw_stop).tobytes() == other.raw_mv(0, other.raw_stop).tobytes()
        whole = one.twelve(0, one.stop)
        assert whole.leads_mv.tobytes() == other.twelve(0, other.stop).leads_mv.tobytes()
        assert one.facts["model_sha256"] == other.facts["model_sha256"]
        assert one.facts["--drop"] == "10%:2.5s" and "--drop" not in other.facts
        assert [event.state for event in one.events if isinstance(event, StateChanged)][-1] is State.ENDED
    shown = np.concatenate(
        [np.array(line["leads_mv"]["V3"], float) for line in lines if line["type"] == "frame"]
    )
    assert np.allclose(shown, whole.leads_mv[8], atol=6e-5, equal_nan=True)
    assert lines[0]["model"] == one.description.model and lines[0]["source"] == f"session:{first}"


def test_sessions_are_listed(tmp_path: Path, model_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = recorded(
        tmp_path / "s", "synthetic:", "--seconds", "9", "--drop", "20%", "--model", str(model_file)
    )
    (tmp_path / "s" / "zz.xdf").write_bytes(b"XDF:")
    capsys.readouterr()
    assert main(["sessions", str(tmp_path / "s"), "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["sessions"]
    assert [each["state"] for each in listed] == ["complete", "unreadable"]
    assert listed[0]["file"] == str(path) and listed[0]["bytes"] == path.stat().st_size
    assert listed[0]["source"] == "synthetic:" and listed[0]["lost"] > 0 < listed[0]["gaps"]
    assert listed[0]["lost"] + listed[0]["samples"] == listed[0]["seconds"] * 500
    assert main(["sessions", str(tmp_path / "s")]) == 0
    text = capsys.readouterr().out
    assert path.name in text and "complete" in text and "0:00:09" in text


def test_the_user_s_own_folder_is_the_default(
    tmp_path: Path, model_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("platformdirs.user_data_path", lambda *_, **__: tmp_path / "data" / "mecg")
    assert main(["sessions"]) == 0  # nothing yet is no error
    assert not (tmp_path / "data").exists()
    options = ["--seconds", "2", "--speed", "max", "--model", str(model_file)]
    assert main(["stream", "synthetic:", *options, "--record"]) == 0
    (path,) = (tmp_path / "data" / "mecg" / "sessions").iterdir()
    assert path.parent.stat().st_mode & 0o777 == 0o700 and path.stat().st_mode & 0o777 == 0o600
    assert main(["sessions", "--json"]) == 0
    assert str(path) in capsys.readouterr().out


def test_repair_says_what_it_did(
    tmp_path: Path, model_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = recorded(tmp_path, "synthetic:", "--seconds", "5", "--model", str(model_file))
    capsys.readouterr()
    assert main(["repair", str(path)]) == 0
    assert "is complete: nothing to repair" in capsys.readouterr().err
    path.write_bytes(path.read_bytes()[:-9000])
    assert main(["repair", str(path)]) == 0
    said = capsys.readouterr().err
    assert f"kept as {path}.damaged" in said and said.count("\n") == 1
    assert summary(path).state == "complete"


def test_repair_says_it_as_json(tmp_path: Path, model_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = recorded(tmp_path, "synthetic:", "--seconds", "5", "--model", str(model_file))
    path.write_bytes(path.read_bytes()[:-9000])
    capsys.readouterr()
    done = []
    for _ in range(2):
        assert main(["repair", str(path), "--json"]) == 0
        done.append(json.loads(capsys.readouterr().out))
    assert [each["repaired"] for each in done] == [True, False]
    assert done[0]["dropped_bytes"] > 0 and done[0]["kept"] == f"{path}.damaged"
    assert done[0]["seconds"] == pytest.approx(summary(path).seconds)
    assert done[1] == {
        "file": str(path),
        "repaired": False,
        "seconds": None,
        "dropped_bytes": 0,
        "kept": None,
    }


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["stream", "--record", "synthetic:"], "put it before --record"),
        (["stream", "--record", "recordings/ptb/s0010_re"], "put it before --record"),
        (["stream", "synthetic:", "--record", "/dev/null/x"], "is no folder: name another"),
        (["stream", "synthetic:", "--as-recorded"], "name it as session:FILE"),
        (["stream", "session:none.xdf"], "there is no session file none.xdf"),
        (["review", "none.xdf"], "there is no session file none.xdf"),
        (["repair", "none.xdf"], "there is no session file none.xdf"),
        (["repair", "pyproject.toml"], "is no recording of this program"),
        (["sessions", "none"], "none cannot be listed"),
    ],
)
def test_what_cannot_be_is_one_line(
    arguments: list[str], says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    assert main(arguments) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert says in error


@pytest.mark.parametrize("option", [["--loop"], ["--drop", "5%"], ["--invert"], ["--record", "x"]])
def test_as_recorded_is_nothing_else(
    tmp_path: Path, model_file: Path, option: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    path = recorded(tmp_path, "synthetic:", "--seconds", "1", "--model", str(model_file))
    assert main(["stream", f"session:{path}", "--as-recorded", *option]) == 2
    assert "leave out" in capsys.readouterr().err.splitlines()[-1]


def test_the_window_records_and_shows_it_again(tmp_path: Path) -> None:
    def window(*arguments: str) -> None:
        picture = tmp_path / "p.png"
        picture.unlink(missing_ok=True)
        command = [sys.executable, "-m", "mecg", *arguments, "--screenshot", str(picture)]
        done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True)
        assert done.returncode == 0, done.stderr
        assert picture.read_bytes().startswith(b"\x89PNG")

    window("monitor", "synthetic:", "--seconds", "1.5", "--record", str(tmp_path / "s"))
    (path,) = (tmp_path / "s").iterdir()
    assert summary(path).state == "complete" and summary(path).seconds > 1
    window("review", str(path), "--speed", "4", "--seconds", "1")


def kill_while_recording(folder: Path, model_file: Path, after_s: list[float]) -> list[float]:
    """Real processes that record a live pace, each killed so long after its file appeared; returns how
    many seconds before that the newest sample came that is in the file.
    """
    command = [sys.executable, "-m", "mecg", "stream", "synthetic:", "--model", str(model_file), "--record"]
    folders = [folder / str(number) for number in range(len(after_s))]
    running = [
        subprocess.Popen([*command, str(each)], stderr=subprocess.DEVNULL, cwd=ROOT) for each in folders
    ]
    due_s: dict[int, float] = {}
    killed_s: dict[int, float] = {}
    try:
        while len(killed_s) < len(running):
            for number, process in enumerate(running):
                if number not in due_s and list(folders[number].glob("*.xdf")):
                    due_s[number] = time.monotonic() + after_s[number]
                if number not in killed_s and due_s.get(number, np.inf) <= time.monotonic():
                    process.kill()
                    killed_s[number] = time.monotonic()
                assert number in killed_s or process.poll() is None
            time.sleep(0.005)
    finally:
        for process in running:
            process.kill()
            process.wait()
    return [
        looks_after_itself(next(each.glob("*.xdf")), killed_s[number], after_s[number])
        for number, each in enumerate(folders)
    ]


def looks_after_itself(path: Path, killed_s: float, after_s: float) -> float:
    with Recording.open(path) as recording:
        chunks = list(recording.chunks())
        # One clock for all processes: what came more than a second before the end is there.
        newest_s = max((chunk.arrival_s for chunk in chunks), default=recording.began_host_s)
        lost_s = killed_s - max(newest_s, recording.began_host_s)
        assert lost_s <= 1.0, f"{lost_s:.2f} s lost after {after_s:.2f} s"
        assert not recording.closed
        raw = recording.raw_mv(0, recording.raw_stop)
    assert summary(path).state in ("open", "damaged")
    streams, _ = pyxdf.load_xdf(path)
    assert np.concatenate([streams[0]["time_series"].ravel()]).tobytes() == raw.tobytes()
    repair(path)
    assert summary(path).state == "complete"
    with Recording.open(path) as recording:
        assert recording.complete
        assert recording.raw_mv(0, recording.raw_stop).tobytes() == raw.tobytes()
    pyxdf.load_xdf(path)
    return lost_s


def test_kill_9_at_a_random_moment_costs_a_second_at_the_most(tmp_path: Path, model_file: Path) -> None:
    kill_while_recording(tmp_path, model_file, np.random.default_rng().uniform(0.05, 3, 5).tolist())


@pytest.mark.long
@pytest.mark.timeout(900)
def test_kill_9_fifty_times(tmp_path: Path, model_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lost_s: list[float] = []
    for turn in range(10):
        moments = np.random.default_rng().uniform(0.05, 14, 5).tolist()
        lost_s += kill_while_recording(tmp_path / str(turn), model_file, moments)
    with capsys.disabled():
        print(f"50 kills: {np.median(lost_s):.2f} s lost in the median, {max(lost_s):.2f} s at the most")


@pytest.mark.long
@pytest.mark.timeout(900)
def test_an_hour_through_the_whole_path_is_recorded_bit_for_bit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cpu_s = time.process_time()
    path = recorded(tmp_path, "synthetic:?rate=500&seconds=3600")
    cpu_s = time.process_time() - cpu_s
    source = Synthetic("?rate=500")
    with Recording.open(path) as recording:
        assert recording.complete and recording.raw_stop == 3600 * 500 and recording.stop == 3600 * 250
        for start in range(0, recording.raw_stop, 100_000):
            assert recording.raw_mv(start, start + 100_000).tobytes() == (
                source.lead_mv(start, start + 100_000).tobytes()
            )
    # The bound is that of a model without a scale; twelve scales a sample and their framing come on top.
    assert path.stat().st_size < 100e6 + 3600 * 250 * (12 * 4 + 4)
    with capsys.disabled():
        print(f"an hour: {path.stat().st_size / 1e6:.1f} MB, {cpu_s:.0f} s of CPU for all of it")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has another way to end a process")
@pytest.mark.parametrize(
    ("command", "number"), [("stream", "SIGTERM"), ("stream", "SIGHUP"), ("monitor", "SIGTERM")]
)
def test_who_is_asked_to_end_closes_the_recording(
    command: str, number: str, tmp_path: Path, model_file: Path
) -> None:
    asked = getattr(signal, number)
    program = [sys.executable, "-m", "mecg", command, "synthetic:", "--record", str(tmp_path)]
    environment = os.environ | {"QT_QPA_PLATFORM": "offscreen"}
    with subprocess.Popen(
        [*program, "--model", str(model_file)], stderr=subprocess.PIPE, text=True, env=environment
    ) as run:
        deadline_s = time.monotonic() + 40
        while not any(path.stat().st_size > 100_000 for path in tmp_path.glob("*.xdf")):
            assert run.poll() is None and time.monotonic() < deadline_s
            time.sleep(0.05)
        run.send_signal(asked)
        began_s = time.monotonic()
        _, err = run.communicate(timeout=20)
    assert time.monotonic() - began_s < 4
    assert run.returncode == 128 + asked
    assert "Traceback" not in err
    (path,) = tmp_path.glob("*.xdf")
    with Recording.open(path) as recording:
        assert recording.complete
        assert recording.raw_stop == pytest.approx(recording.stop * 2, abs=4)  # what came was reconstructed


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has another way to end a process")
def test_a_shells_background_job_ends_when_asked(tmp_path: Path, model_file: Path) -> None:
    """It is started with Ctrl-C ignored."""
    program = [sys.executable, "-m", "mecg", "stream", "synthetic:", "--record", str(tmp_path)]
    job = ["sh", "-c", 'trap "" INT; exec "$@"', "sh", *program, "--model", str(model_file)]
    with subprocess.Popen(job, stderr=subprocess.DEVNULL) as run:
        deadline_s = time.monotonic() + 40
        while not any(path.stat().st_size > 20_000 for path in tmp_path.glob("*.xdf")):
            assert run.poll() is None and time.monotonic() < deadline_s
            time.sleep(0.05)
        run.terminate()
        try:
            assert run.wait(20) == 128 + signal.SIGTERM
        finally:
            run.kill()
    (path,) = tmp_path.glob("*.xdf")
    with Recording.open(path) as recording:
        assert recording.complete
