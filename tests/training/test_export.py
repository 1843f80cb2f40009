"""What is exported says the truth of itself, and a ladder's parts run alone from the same file."""

import base64
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")

from streamer.core.errors import InputError
from streamer.core.network.network import Network
from streamer.core.network.spec import METADATA_KEY, PARTS_KEY
from streamer.core.pipeline import Pipeline
from streamer.core.stream import Chunk, StreamInfo
from training import config as configuration
from training.export import export
from training.network import MEcgNet
from training.train import Run, log
from training.unpack import unpack

pytestmark = pytest.mark.filterwarnings("ignore")  # torch's exporter warns of torch

CONFIGS = Path(__file__).parents[2] / "training" / "configs"
MODELS = Path(__file__).parents[2] / "streamer" / "models"
TOLD = (
    'about.data="Our ward, 300 records, 2026"',
    'about.licence="not to be passed on"',
    'model.name="ours"',
)
FACTORS = {"all": 2.0, "low": 2.5, "mid": 2.2}


def a_run(folder: Path, *changes: str) -> Path:
    """A run that has learnt nothing yet, as `training.train` and `training.fitted.scale` leave it."""
    facts = configuration.facts(CONFIGS / "ladder.toml", [*TOLD, *changes])
    for module in facts["modules"]:
        module |= {"channels": module["channels"] // 5 + 1, "dilations": module["dilations"][:2]}
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(facts))
    bands = {name: dict.fromkeys(("0.5", "0.8", "0.9"), [f] * 12) for name, f in FACTORS.items()}
    (folder / "bands.json").write_text(json.dumps(bands))
    run = Run(configuration.configured(facts), torch.device("cpu"))
    torch.manual_seed(4)
    for parameter in run.average.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    run.save(folder / "checkpoint.pt")
    scores = {"rmse_seven_mv": 0.2, "pearson_seven": 0.7, "rmse_one_mv": 0.03}
    log(folder / "log.csv", {"epoch": 1, **scores})
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def exported(run: Path) -> bytes:
    path = run / "ours.onnx"
    export(run, path)
    return path.read_bytes()


@pytest.fixture(scope="module")
def network(exported: bytes) -> Network:
    return Network(exported)


def trained(run: Path) -> MEcgNet:
    network = MEcgNet(configuration.configured(configuration.facts(run / "config.json")).shape)
    network.load_state_dict(torch.load(run / "checkpoint.pt", weights_only=True)["average"])
    return network.eval()


def some_bands(n: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.3, (3, n)).astype(np.float32)


def hop_by_hop(network: Network, bands: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    stepper = network.stepper_with_features()
    assert stepper is not None
    out, features = [], []
    for i in range(0, bands.shape[1], network.spec.hop):
        out.append(stepper.push(bands[:, i : i + network.spec.hop]))
        features.append(stepper.features)
    return np.concatenate(out, axis=1), np.concatenate(features, axis=1)


def test_a_model_says_whose_data_it_learnt_from_under_which_licence_and_its_own_name(
    network: Network, exported: bytes
) -> None:
    for part in map(network.part, network.bands):
        assert part.spec.about["data"] == "Our ward, 300 records, 2026"
        assert part.spec.about["licence"] == "not to be passed on"
        assert part.spec.name.startswith("ours")
    for said in (b"PTB-XL", b"CC BY"):
        assert said not in exported


@pytest.mark.parametrize("key", ["data", "licence"])
@pytest.mark.parametrize("value", [None, "", " ", 7])
def test_without_saying_whose_data_or_which_licence_nothing_is_trained_or_exported(
    key: str, value: Any, tmp_path: Path
) -> None:
    folder = a_run(tmp_path)
    facts = json.loads((folder / "config.json").read_text())
    facts["about"][key] = value
    (folder / "config.json").write_text(json.dumps(facts))
    with pytest.raises(InputError, match=f"about.{key}"):
        export(folder, tmp_path / "ours.onnx")
    assert not (tmp_path / "ours.onnx").exists()


@pytest.mark.parametrize(
    ("without", "told"),
    [
        ("config.json", "config.json is not there"),
        ("checkpoint.pt", "holds no checkpoint"),
        ("log.csv", "has no log"),
        ("bands.json", "training.fitted.scale"),
    ],
)
def test_a_folder_that_is_no_whole_run_is_refused_in_words(without: str, told: str, tmp_path: Path) -> None:
    folder = a_run(tmp_path)
    (folder / without).unlink()
    with pytest.raises(InputError, match=told):
        export(folder, tmp_path / "ours.onnx")


def test_a_ladders_parts_are_in_the_same_file_and_are_what_they_are_in_training(
    network: Network, run: Path
) -> None:
    assert network.bands == ("low", "mid", "all")
    assert network.part("all") is network
    bands, ours = some_bands(400), trained(run)
    for kept, name in enumerate(network.bands, start=1):
        part = network.part(name)
        with torch.no_grad():
            expected = ours(torch.from_numpy(bands[None]), kept)[0].numpy()
        np.testing.assert_allclose(part.run(bands), expected, atol=1e-5)
        stepped, _ = hop_by_hop(part, bands)
        late = part.spec.look_ahead
        np.testing.assert_allclose(stepped[:, late:], expected[:, :-late], atol=1e-5)


def test_a_part_runs_like_the_whole_and_states_its_own_bands_and_weights(network: Network) -> None:
    for name in ("low", "mid"):
        part = network.part(name)
        assert part.spec.runs_like(network.spec)
        assert part.spec.bands["0.9"] == (FACTORS[name],) * 12
        assert part.spec.about["bands"] == name
        assert part.spec.about["weights"] < network.spec.about["weights"]
        assert part.bands == ("all",)
    assert network.spec.bands["0.9"] == (FACTORS["all"],) * 12


def test_what_a_part_hears_and_makes_of_it_is_the_same_to_the_bit_in_the_whole(network: Network) -> None:
    bands, other = some_bands(400), some_bands(400, seed=2)
    for name, rows in (("low", 1), ("mid", 2)):
        _, alone = hop_by_hop(network.part(name), bands)
        _, whole = hop_by_hop(network, bands)
        disturbed = np.concatenate((bands[:rows], other[rows:]))
        _, beside_others = hop_by_hop(network, disturbed)
        np.testing.assert_array_equal(whole[: len(alone)], alone)
        np.testing.assert_array_equal(beside_others[: len(alone)], alone)


@pytest.mark.parametrize("way", [["all", "low"], ["low", "mid", "all"], ["mid", "low", "mid"]])
@pytest.mark.parametrize("hop", [None, 40])
def test_a_stream_that_changes_its_bands_goes_on_as_if_it_had_always_had_the_new_ones(
    way: list[str], hop: int | None, network: Network
) -> None:
    lead = np.random.default_rng(3).normal(0, 0.3, 3000).astype(np.float32)
    pieces = np.array_split(lead, len(way) * 10)

    def played(choices: list[str]) -> tuple[np.ndarray, list[int]]:
        pipeline = Pipeline(StreamInfo("test", 250), network.part(choices[0]), hop=hop)
        frames, changes, at = [], [], 0
        for i, piece in enumerate(pieces):
            if i % 10 == 0 and i:
                pipeline.use(network.part(choices[i // 10]))
                changes.append(frames[-1].stop)
            frames += pipeline.push(Chunk(at, piece))
            at += len(piece)
        frames += pipeline.finish()
        out = np.concatenate([np.concatenate((f.leads_mv, f.scale_mv)) for f in frames], axis=1)
        return out, [0, *changes, out.shape[1]]

    changing, edges = played(way)
    for name, begin, end in zip(way, edges[:-1], edges[1:], strict=True):
        always, _ = played([name] * len(way))
        np.testing.assert_array_equal(changing[:12, begin:end], always[:12, begin:end])
        # A sink knows the bands of the network that the stream began with: the 90 % band is what it would be.
        half_widths = always[12:, begin:end] * np.float32(FACTORS[name])
        np.testing.assert_allclose(changing[12:, begin:end] * FACTORS[way[0]], half_widths, rtol=1e-6)


def test_a_stream_takes_no_network_that_reads_otherwise(network: Network, exported: bytes) -> None:
    def longer(facts: dict[str, Any]) -> None:
        facts["look_ahead"] += 4

    other = Network(with_facts(exported, longer))
    pipeline = Pipeline(StreamInfo("test", 250), network)
    with pytest.raises(InputError, match="cannot take the place"):
        pipeline.use(other)


def with_facts(model: bytes, change: Callable[[dict[str, Any]], None]) -> bytes:
    loaded = onnx.load_from_string(model)
    kept = {p.key: p.value for p in loaded.metadata_props}
    facts = json.loads(kept[METADATA_KEY])
    change(facts)
    onnx.helper.set_model_props(loaded, kept | {METADATA_KEY: json.dumps(facts)})
    return bytes(loaded.SerializeToString())


def with_parts(model: bytes, parts: str) -> bytes:
    loaded = onnx.load_from_string(model)
    kept = {p.key: p.value for p in loaded.metadata_props}
    onnx.helper.set_model_props(loaded, kept | {PARTS_KEY: parts})
    return bytes(loaded.SerializeToString())


@pytest.mark.parametrize(
    "parts", ["", "[]", "7", '{"low": 7}', '{"low": "*"}', '{"all": ""}', "[" * 100_000], ids=range(7)
)
def test_damaged_parts_are_refused_in_one_line(parts: str, exported: bytes) -> None:
    with pytest.raises(InputError, match=r"^[^\n]*export it again$"):
        Network(with_parts(exported, parts))


def test_a_part_that_is_no_model_or_another_ones_is_refused_when_it_is_asked_for(
    exported: bytes, network: Network
) -> None:
    no_model = Network(with_parts(exported, json.dumps({"low": base64.b64encode(b"no model").decode()})))
    with pytest.raises(InputError, match="not an ONNX file"):
        no_model.part("low")

    def shifted(facts: dict[str, Any]) -> None:
        facts["look_ahead"] += 4

    part = base64.b64encode(with_facts(exported, shifted)).decode()
    with pytest.raises(InputError, match="does not fit the rest"):
        Network(with_parts(exported, json.dumps({"low": part}))).part("low")
    with pytest.raises(InputError, match="no part 'high' that runs alone: it has low, mid, all"):
        network.part("high")


def test_a_trunk_has_no_parts_and_says_so(shipped_trunk: Network) -> None:
    assert shipped_trunk.bands == ("all",)
    with pytest.raises(InputError, match="no part 'low'"):
        shipped_trunk.part("low")


@pytest.fixture(scope="module")
def shipped_trunk(exported: bytes) -> Network:
    loaded = onnx.load_from_string(exported)
    kept = {p.key: p.value for p in loaded.metadata_props if p.key != PARTS_KEY}
    del loaded.metadata_props[:]
    onnx.helper.set_model_props(loaded, kept)
    return Network(loaded.SerializeToString())


def test_a_model_unpacks_to_a_run_that_another_can_begin_with(
    run: Path, exported: bytes, tmp_path: Path
) -> None:
    facts = configuration.facts(run / "config.json")
    unpack(run / "ours.onnx", tmp_path / "unpacked", facts)
    kept = torch.load(tmp_path / "unpacked" / "checkpoint.pt", weights_only=True)["average"]
    for name, weight in trained(run).state_dict().items():
        torch.testing.assert_close(kept[name], weight)
    Run(configuration.configured(facts), torch.device("cpu")).start_from(tmp_path / "unpacked")


@pytest.mark.parametrize(("name", "look_ahead"), [("low", 14), ("balanced", 50), ("full", 200)])
def test_the_shipped_models_unpack_to_what_they_are(name: str, look_ahead: int, tmp_path: Path) -> None:
    model = MODELS / f"mecgnet-{name}.onnx"
    unpack(model, tmp_path, configuration.facts(CONFIGS / "ladder.toml", [f"model.look_ahead={look_ahead}"]))
    assert (tmp_path / "checkpoint.pt").exists()  # written where it agrees with the model


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("model.look_ahead=15", "looks 14 samples ahead"),
        (
            "modules=[{stride=4,channels=58,dilations=[1,2],inputs=[0,1,2],split=false}]",
            "another network",
        ),
        ("modules=[{stride=4,channels=3,dilations=[1,2,4],inputs=[0],split=false}]", "holds no"),
    ],
)
def test_a_model_is_not_unpacked_as_another_network(
    change: str, told: str, run: Path, exported: bytes, tmp_path: Path
) -> None:
    facts = configuration.facts(run / "config.json", [change])
    with pytest.raises(InputError, match=told):
        unpack(run / "ours.onnx", tmp_path / "unpacked", facts)
    assert not (tmp_path / "unpacked").exists()


def test_dilations_that_the_model_was_not_made_with_are_seen(
    run: Path, exported: bytes, tmp_path: Path
) -> None:
    facts = configuration.facts(run / "config.json")
    facts["modules"][1]["dilations"] = [1, 3]
    with pytest.raises(InputError, match="differ by"):
        unpack(run / "ours.onnx", tmp_path / "unpacked", facts)


def test_run_from_the_command_line_a_wrong_folder_ends_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from training import command
    from training import export as exporting

    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as end:
        patch.setattr(sys, "argv", ["training.export", str(tmp_path), str(tmp_path / "m.onnx")])
        command.ended_in_one_line(exporting.main)
    assert end.value.code == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "config.json is not there" in told


def test_the_run_itself_is_not_touched(run: Path, exported: bytes) -> None:
    assert {p.name for p in run.iterdir()} == {
        "config.json",
        "bands.json",
        "checkpoint.pt",
        "log.csv",
        "ours.onnx",
    }
