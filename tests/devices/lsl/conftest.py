"""What LSL's tests share."""

import pytest


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shorter look than a model takes to load: the tests have none."""
    monkeypatch.setattr("devices.lsl.placing.LOOK_S", 0.5)
    monkeypatch.setattr("devices.lsl.look.RATE_LOOK_S", 1.5)
    monkeypatch.setattr("devices.lsl.search.SECOND_S", 0.2)
