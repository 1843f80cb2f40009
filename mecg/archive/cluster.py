# SPDX-License-Identifier: GPL-3.0-or-later
"""Records done by the workers of a Dask scheduler, on one machine or on many that share a file system."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from mecg import __version__
from mecg.app.models import model_bytes
from mecg.archive.naming import Item
from mecg.archive.record import Job, Outcome, outcome_of
from mecg.archive.workers import TICK_S, ClusterGoneError, Told, Work
from streamer.core.errors import InputError
from streamer.core.network.network import Network
from streamer.formats.calibration_file import read_calibration

try:
    from distributed import Client, WorkerPlugin
except ImportError as error:
    raise InputError(
        "a scheduler needs Dask distributed, which is not installed: pip install 'mecg-streamer[cluster]'"
    ) from error

CONNECT_S = 10.0
"""So long a scheduler may take to answer."""
AHEAD = 3
"""Tasks for each thread of the workers that the scheduler has at a time: none of them waits for us."""
LOOK_S = 2.0
"""So often the workers are counted, which come and go."""

_networks: dict[str, Network] = {}
_loading = threading.Lock()


@dataclass(frozen=True, slots=True)
class Order:
    """What every task of a run needs: each worker gets it once, also one that comes later."""

    key: str
    model: bytes
    bands: str
    job: Job
    version: str = __version__


class OrderPlugin(WorkerPlugin):  # type: ignore[misc]
    """Hands the order to a worker."""

    def __init__(self, order: Order) -> None:
        self.name = order.key
        self.order = order

    def setup(self, worker: Any) -> None:
        """Called by Dask for each worker."""
        worker.mecg_orders = getattr(worker, "mecg_orders", {}) | {self.order.key: self.order}

    def teardown(self, worker: Any) -> None:
        """Called by Dask when the run is over."""
        worker.mecg_orders = {k: o for k, o in worker.mecg_orders.items() if k != self.order.key}
        _networks.pop(self.order.key, None)


def on_cluster(
    address: str, work: Iterator[Work], model: Path | None, bands: str, job: Job
) -> Iterator[Told]:
    """Do records on the workers of a scheduler.

    A worker that dies costs what it was at: Dask gives it to another, and names it after so many deaths as
    its ``allowed-failures`` says.

    Yields
    ------
    Outcome or None
        In the order in which they are done.

    Raises
    ------
    InputError
        The scheduler cannot be reached.
    ClusterGoneError
        It went away.
    """
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what it would say is said in our lines
    calibration = job.calibration
    if isinstance(calibration, Path):
        calibration = read_calibration(calibration)
    # Workers have other current folders.
    here = replace(job, out=job.out.absolute(), calibration=calibration)
    order = Order(f"mecg-{uuid4().hex}", model_bytes(model), bands, here)
    client = _connected(address)
    try:
        yield from _Tasks(client, order, work, address).run()
    finally:
        with suppress(Exception):  # it may be gone
            client.unregister_worker_plugin(order.key)
        with suppress(Exception):
            client.close(timeout=CONNECT_S)


def _connected(address: str) -> Any:
    try:
        return Client(address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"no scheduler answers at {address} ({reason}): start one, or correct --scheduler"
        ) from error


class _Tasks:
    """The tasks of a run: as many with the scheduler as keep its workers busy."""

    def __init__(self, client: Any, order: Order, work: Iterator[Work], address: str) -> None:
        self._client, self._order, self._work, self._address = client, order, work, address
        self._done: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._at: dict[str, Work] = {}
        self._futures: dict[str, Any] = {}
        self._given = 0
        self._most = 0
        self._looked_s = -LOOK_S

    def run(self) -> Iterator[Told]:
        with self._reaching():
            self._client.register_plugin(OrderPlugin(self._order))
        while True:
            self._feed()
            if not self._at:
                return
            try:
                future = self._done.get(timeout=TICK_S)
            except queue.Empty:
                yield None
                continue
            yield self._outcome(future)

    def _feed(self) -> None:
        if time.monotonic() - self._looked_s > LOOK_S:
            with self._reaching():
                self._most = AHEAD * sum(self._client.nthreads().values()) + AHEAD
            self._looked_s = time.monotonic()
        while len(self._at) < self._most and (work := next(self._work, None)) is not None:
            self._given += 1
            key = f"{self._order.key}-{self._given}"
            item = replace(work.item, record=str(Path(work.item.record).absolute()))
            with self._reaching():
                future = self._client.submit(_do, self._order.key, item, key=key, pure=False)
            self._at[key], self._futures[key] = work, future
            future.add_done_callback(self._done.put)

    def _outcome(self, future: Any) -> Outcome:
        work = self._at.pop(future.key)
        del self._futures[future.key]
        if future.status == "finished":
            outcome: Outcome = future.result()
            return replace(outcome, item=work.item)
        if future.status in ("cancelled", "lost"):
            raise self._gone()
        error = future.exception()
        why = " ".join(str(error).split())
        if type(error).__name__ == "KilledWorker":
            why = "the workers that did it died, one after the other: left out"
        return Outcome.failed(work.item, f"{work.item.record}: {why}")

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        """A call of the scheduler: if it fails, that is gone."""
        try:
            yield
        except (OSError, RuntimeError) as error:
            raise self._gone() from error

    def _gone(self) -> ClusterGoneError:
        return ClusterGoneError(f"the scheduler at {self._address} went away, start it again")


def _do(key: str, item: Item) -> Outcome:
    """On a worker.  It may be the second try: what the first left under the name is overwritten."""
    from distributed import get_worker

    order: Order = get_worker().mecg_orders[key]
    if order.version != __version__:
        why = f"the worker has mecg {__version__}, not {order.version}: install the same"
        return Outcome.failed(item, f"{item.record}: {why}")
    with _loading:
        network = _networks.get(key)
        if network is None:
            network = _networks[key] = Network(order.model).part(order.bands)
    return outcome_of(item, network, order.job, force=True)
