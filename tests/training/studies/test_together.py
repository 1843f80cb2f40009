"""Several models are scored beside their mean, on records that none of them knows."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra `train` is not installed")

from streamer.core.errors import InputError
from streamer.core.network.network import Network
from tests.streamer.known_network import scaled_identity
from training.data import Records
from training.studies import together
from training.studies.together import markdown, study


@pytest.fixture
def model() -> Network:
    return Network(scaled_identity(about={"folds": [1, 2]}))


def test_the_mean_lies_between_models_whose_errors_are_opposite(
    monkeypatch: pytest.MonkeyPatch, records: Records, model: Network, tmp_path: Path
) -> None:
    """Two models off by the same, in opposite directions: their mean is right to the microvolt."""
    monkeypatch.setattr(together, "load", lambda *_: records)
    offsets = iter([50, 100, -100])

    def said_of(models: object, records: Records, truth_uv: np.ndarray, *_: object) -> np.ndarray:
        return truth_uv + np.int16(next(offsets))

    monkeypatch.setattr(together, "said_of", said_of)
    result = study([model] * 3, tmp_path, 9, 2, tmp_path)
    assert (result["records"], result["patients"]) == (3, 3)
    assert [row["rmse_mv"] for row in result["rows"]] == pytest.approx([0.05, 0.1, 0.1, 0.0], abs=1e-6)
    assert result["rows"][1]["rmse_over_ours_ci95"] == pytest.approx([2, 2])
    text = markdown(result).splitlines()
    assert text[0].startswith("3 records of fold 9")
    assert text[-1].startswith("| the mean of 2 | 0.0000 |")


def test_one_other_model_is_its_own_mean(
    monkeypatch: pytest.MonkeyPatch, records: Records, model: Network, tmp_path: Path
) -> None:
    """As they speak in the live path, not by a stand-in."""
    monkeypatch.setattr(together, "load", lambda *_: records)
    first, other, mean = study([model, model], tmp_path, 9, 1, tmp_path)["rows"]
    assert other["rmse_mv"] == mean["rmse_mv"] == first["rmse_mv"] > 0


@pytest.mark.parametrize("about", [{}, {"folds": [8, 9]}])
def test_a_model_that_may_know_the_records_is_refused(
    about: dict[str, list[int]], model: Network, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="learned from fold 9, or does not say"):
        study([model, Network(scaled_identity(about=about))], tmp_path, 9, 1, tmp_path)
