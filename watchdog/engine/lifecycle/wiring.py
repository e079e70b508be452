"""Puts the parts of the engine together, and passes the events between them."""

import uuid
from collections.abc import Callable, Iterable

from watchdog.engine.events import Event
from watchdog.engine.fleet.api_watch import ApiWatch
from watchdog.engine.fleet.breaker_keeper import BreakerKeeper
from watchdog.engine.fleet.condition import Condition
from watchdog.engine.fleet.listing import SharedListing
from watchdog.engine.fleet.states import States
from watchdog.engine.lifecycle.ledger_watch import WatchedLedger
from watchdog.engine.lifecycle.sender import Sender
from watchdog.engine.lifecycle.sweep import Sweep
from watchdog.engine.ports import BasetenApi, Clock, Ledger, Listener, Notifier
from watchdog.engine.settings import LiveSettings, Settings
from watchdog.engine.target.attempt import Retrier
from watchdog.engine.target.check import Checker
from watchdog.engine.target.diagnosis import Diagnosis


class Fanout:
    """Passes each event on to every listener, in order."""

    def __init__(self, listeners: Iterable[Listener] = ()) -> None:
        self._listeners = list(listeners)

    def add(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def __call__(self, event: Event) -> None:
        for listener in self._listeners:
            listener(event)


def _new_id() -> str:
    return uuid.uuid4().hex


class Engine:
    """The parts that check and retry. Parts that listen receive each event after all listeners that
    were added to `listener` earlier."""

    def __init__(
        self,
        api: BasetenApi,
        ledger: Ledger,
        clock: Clock,
        listener: Fanout,
        settings: Settings,
        *,
        new_id: Callable[[], str] = _new_id,
        notifier: Notifier | None = None,
        condition: Condition | None = None,
    ) -> None:
        """`new_id` names each attempt. Without a `notifier`, as in a command, notices are written
        down and not sent. `condition` has to listen already."""
        self.clock = clock
        self.listener = listener
        self.live = LiveSettings(settings)
        self.ledger = WatchedLedger(ledger, clock, listener)
        self.retrier = Retrier(api, self.ledger, clock, listener, self.live, new_id=new_id)
        self.breaker = BreakerKeeper(self.ledger, self.live, listener)
        self.api_watch = ApiWatch(clock, listener, self.live)
        self.listing = SharedListing(api, clock, listener, self.live)
        self.checker = Checker(
            api,
            self.ledger,
            clock,
            listener,
            self.live,
            self.retrier,
            self.api_watch,
            self.listing,
        )
        self.diagnosis = Diagnosis(api, self.ledger, clock, listener, self.live)
        states = States(condition or Condition(), clock)
        self.sender = (
            Sender(self.ledger, clock, listener, self.live, notifier, states) if notifier else None
        )
        for each in (self.ledger.sent, self.breaker, self.diagnosis):
            listener.add(each)

    @property
    def settings(self) -> Settings:
        return self.live.current

    def new_sweep(self) -> Sweep:
        """A sweep that watches nothing yet."""
        return Sweep(
            self.ledger, self.checker, self.clock, self.listener, self.live, self.api_watch
        )
