# SPDX-License-Identifier: GPL-3.0-or-later
"""Records done by the workers of a Dask scheduler, on one machine or on many that share a file system."""

from __future__ import annotations

import json
import logging
import queue
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import uuid4
from weakref import WeakKeyDictionary

from mecg import __version__
from mecg.app.models import model_bytes
from mecg.archive.naming import Item
from mecg.archive.record import Facts, Job, Outcome, outcome_of
from mecg.archive.workers import TICK_S, TRIES, ClusterGoneError, Told, Work
from streamer.core.errors import InputError
from streamer.core.network.network import Network
from streamer.formats.calibration_file import read_calibration

try:
    from distributed import Client, get_worker
    from distributed.comm import get_address_host_port
except ImportError as error:
    raise InputError(
        "a scheduler needs Dask distributed, which is not installed: pip install 'mecg-streamer[cluster]'"
    ) from error

CONNECT_S = 10.0
"""So long a scheduler may take to answer."""
AHEAD = 3
"""Tasks that each thread of a worker has at a time: it does not wait for us, and no more stop with it."""
LOOK_S = 2.0
"""So often the workers are counted, which come and go."""


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Order:
    """What every task of a run needs.

    It is the result of a task for each worker, so Dask lets go of it when the run ends, also by a kill.
    """

    model: bytes
    bands: str
    job: Job
    version: str = __version__


_networks: WeakKeyDictionary[Order, Network] = WeakKeyDictionary()
"""On a worker, as long as Dask keeps the order there."""
_loading = threading.Lock()


def on_cluster(
    address: str, work: Iterator[Work], model: Path | None, bands: str, job: Job
) -> Iterator[Told]:
    """Do records on the workers of a scheduler.

    A worker that dies costs what it was at.  Of which of its records it died is not known: each is done once
    more, by a worker that has nothing else.

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
    for name in ("distributed", "distributed.client", "tornado.application"):  # each has a level of its own
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what it would say is said in our lines
    calibration = job.calibration
    if isinstance(calibration, Path):
        calibration = read_calibration(calibration)
    # Workers have other current folders.
    here = replace(job, out=job.out.absolute(), calibration=calibration)
    order = Order(model_bytes(model), bands, here)
    client = _connected(address)
    try:
        yield from _Tasks(client, order, work, address).run()
    finally:
        with suppress(Exception):  # it may be gone
            client.close(timeout=CONNECT_S)


def _connected(address: str) -> Any:
    try:
        get_address_host_port(address)  # a Client that refuses one is not closed, and complains at the end
        return Client(address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"no scheduler answers at {address} ({reason}): start one, or correct --scheduler"
        ) from error


@dataclass(slots=True)
class _Given:
    """A record that the scheduler has."""

    work: Work
    worker: str
    future: Any = None
    outcome: Outcome | None = None
    """As the worker said."""


class _Tasks:
    """The tasks of a run: as many with each worker as keep it busy.

    A task is of one worker.  Dask would give it to one that has the order already, and nothing would go on
    if that stood still; and a task that may go to another, too, is forgotten if no worker is there.
    """

    def __init__(self, client: Any, order: Order, work: Iterator[Work], address: str) -> None:
        self._client, self._work, self._address = client, work, address
        self._done: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._at: dict[str, _Given] = {}
        self._next: deque[Work] = deque()
        self._suspects: deque[Work] = deque()
        self._order = order
        self._orders: dict[str, Any] = {}
        self._threads: dict[str, int] = {}
        self._looked_s = -LOOK_S
        self._name = f"mecg-{uuid4().hex}"
        self._given = 0
        with self._reaching():
            client.subscribe_topic(client.id, self._listen)

    def run(self) -> Iterator[Told]:
        while True:
            yield from self._look()
            self._feed()
            if not (self._at or self._suspects or self._more()):
                return
            try:
                future = self._done.get(timeout=TICK_S)
            except queue.Empty:
                yield None
                continue
            yield self._outcome(future)

    def _look(self) -> Iterator[Told]:
        """Who is there; what a worker had that is not is done again."""
        # A suspect that is given to a worker that has gone would be named for its death.
        if time.monotonic() - self._looked_s < LOOK_S and self._threads and not self._suspects:
            return
        with self._reaching():
            self._threads = self._client.nthreads()
        self._looked_s = time.monotonic()
        self._orders = {worker: order for worker, order in self._orders.items() if worker in self._threads}
        for key in [key for key, given in self._at.items() if given.worker not in self._threads]:
            given = self._at.pop(key)
            given.future.release()
            yield self._died(given.work)

    def _feed(self) -> None:
        held = Counter(given.worker for given in self._at.values())
        for worker, threads in self._threads.items():
            for _ in range(AHEAD * threads - held[worker]):
                if not self._more():
                    break
                self._submit(self._next.popleft(), worker)
                held[worker] += 1
            # It has nothing else: if it dies now, it is known of which record.
            if self._suspects and not held[worker]:
                self._submit(self._suspects.popleft(), worker)

    def _more(self) -> bool:
        """Whether a record waits for a worker."""
        if not self._next:
            self._next.extend(islice(self._work, 1))
        return bool(self._next)

    def _submit(self, work: Work, worker: str) -> None:
        self._given += 1
        key = f"{self._name}-{self._given}"
        item = replace(work.item, record=str(Path(work.item.record).absolute()))
        with self._reaching():
            given = self._at[key] = _Given(work, worker)
            job = self._order_for(worker), item, key, self._client.id
            given.future = self._client.submit(_do, *job, key=key, pure=False, workers=[worker])
        given.future.add_done_callback(self._done.put)

    def _order_for(self, worker: str) -> Any:
        """Each has an order of its own: none waits until another that stands still hands it on."""
        if worker not in self._orders:
            key = f"{self._name}-order-{self._given}"
            self._orders[worker] = self._client.submit(_itself, self._order, key=key, workers=[worker])
        return self._orders[worker]

    def _outcome(self, future: Any) -> Outcome | None:
        """None if it is tried again, or was told already."""
        if future.key not in self._at:
            return None
        if future.status == "cancelled":
            raise self._gone()
        given = self._at.pop(future.key)
        if future.status == "error":
            error = future.exception()
            if type(error).__name__ == "KilledWorker":
                return self._died(given.work)
            why = " ".join(str(error).split())
            return Outcome.failed(given.work.item, f"{given.work.item.record}: {why}", given.work.tries)
        assert given.outcome is not None  # it was said before the task ended
        return given.outcome

    def _died(self, work: Work) -> Outcome | None:
        """What becomes of a record whose worker died."""
        if work.tries < TRIES:
            self._suspects.append(replace(work, tries=work.tries + 1))
            return None
        why = "the workers that did it died, one after the other: left out"
        return Outcome.failed(work.item, f"{work.item.record}: {why}", work.tries)

    def _listen(self, event: tuple[float, Any]) -> None:
        """What a worker says of a record; it comes before the news that the task is finished."""
        _, said = event
        given = self._at.get(said.get("key"))
        if "outcome" in said and given is not None:
            given.outcome = _outcome_from(said["outcome"], given.work)

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        """A call of the scheduler: if it fails, that is gone."""
        try:
            yield
        except Exception as error:
            if isinstance(error, OSError) or self._client.status != "running":
                raise self._gone() from error
            raise

    def _gone(self) -> ClusterGoneError:
        return ClusterGoneError(f"the scheduler at {self._address} went away, start it again")


def _itself(order: Order) -> Order:
    return order


def _do(order: Order, item: Item, key: str, topic: str) -> None:
    """On a worker.  It may be the second try: what the first left under the name is overwritten.

    The outcome is an event, not a result: that stays on the worker until it is asked for, and a worker that
    stands still or dies would be waited for.
    """
    outcome = _outcome_of(order, item)
    get_worker().log_event(topic, {"key": key, "outcome": _as_text(outcome)})


def _as_text(outcome: Outcome) -> str:
    plain = asdict(outcome)
    del plain["item"], plain["tries"]  # who asked has them
    return json.dumps(plain, default=lambda number: number.item())


def _outcome_from(text: str, work: Work) -> Outcome:
    plain = json.loads(text)
    facts = plain.pop("facts")
    facts = None if facts is None else Facts(**facts)
    return Outcome(work.item, facts=facts, tries=work.tries, **plain)


def _outcome_of(order: Order, item: Item) -> Outcome:
    if order.version != __version__:
        why = f"the worker has mecg {__version__}, not {order.version}: install the same"
        return Outcome.failed(item, f"{item.record}: {why}")
    with _loading:
        network = _networks.get(order)
        if network is None:
            network = _networks[order] = Network(order.model).part(order.bands)
    return outcome_of(item, network, order.job, force=True)
