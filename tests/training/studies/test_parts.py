"""What a model's parts give stands beside what the whole gives, on the same records."""

import base64
import csv
import json
from pathlib import Path

import onnx
import pytest

pytest.importorskip("torch", reason="the extra `train` is not installed")

from streamer.core.errors import InputError
from streamer.core.network.spec import PARTS_KEY
from tests.streamer.known_network import scaled_identity
from training.studies.parts import markdown, study

RECORDINGS = Path(__file__).parents[3] / "recordings" / "ptb-xl"
NAMES = ("00010_hr", "00155_hr", "00414_hr")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for name in NAMES:
        for suffix in (".hea", ".dat"):
            (tmp_path / f"{name}{suffix}").write_bytes((RECORDINGS / f"{name}{suffix}").read_bytes())
    with (tmp_path / "ptbxl_database.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["patient_id", "strat_fold", "filename_lr", "super_class"])
        table.writerows([i, 9, name, "NORM"] for i, name in enumerate(NAMES))
    return tmp_path


def with_parts(**parts: bytes) -> bytes:
    model = onnx.load_from_string(scaled_identity())
    kept = {p.key: p.value for p in model.metadata_props}
    inside = {name: base64.b64encode(part).decode() for name, part in parts.items()}
    onnx.helper.set_model_props(model, kept | {PARTS_KEY: json.dumps(inside)})
    return bytes(model.SerializeToString())


def test_every_part_has_a_row_and_one_that_is_the_whole_is_as_good(data: Path) -> None:
    model = with_parts(low=scaled_identity(name="other", about={"weights": 7}), mid=scaled_identity())
    result = json.loads(json.dumps(study(model, data, [9], 1, 1)))
    assert [row["bands"] for row in result["parts"]] == ["low", "mid", "all"]
    assert (result["records"], result["patients"]) == (3, 3)
    low, mid, _ = result["parts"]
    assert low["weights"] == 7
    assert mid["over_all"] == pytest.approx(1)
    assert mid["over_all_ci95"] == [1.0, 1.0]
    text = markdown(result).splitlines()
    assert len(text) == 2 + 3
    assert text[2].startswith("| low | 7 |")


def test_a_model_without_parts_is_refused_in_one_line(data: Path) -> None:
    with pytest.raises(InputError, match="has no parts that run alone"):
        study(scaled_identity(), data, [9], 1, 1)
