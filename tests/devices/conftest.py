"""LSL senders."""

from collections.abc import Callable, Iterator

import pytest

from tests.devices.lsl.lsl_rig import Sender


@pytest.fixture(scope="session")
def spare_senders(lsl_loopback: object) -> Iterator[list[Sender]]:
    """Processes that have imported what they need before a test waits for it."""
    spare = [Sender(), Sender()]
    yield spare
    for sender in spare:
        sender.kill()


@pytest.fixture
def send(spare_senders: list[Sender]) -> Iterator[Callable[..., Sender]]:
    """Start LSL senders in processes of their own; none survives the test."""
    senders: list[Sender] = []

    def start(*, wait: bool = True, **how: object) -> Sender:
        spare_senders.append(Sender())
        sender = spare_senders.pop(0)
        senders.append(sender)
        sender.begin(**how)
        return sender.ready() if wait else sender

    yield start
    for sender in senders:
        if sender.alive:
            sender.kill()
