"""The periodic work on an open breaker."""

from watchdog.engine.events import BreakerSeen, Event
from watchdog.engine.fleet.breaker import Breaker
from watchdog.engine.fleet.saying import say_news
from watchdog.engine.ports import Ledger, LedgerTransaction, LedgerUnavailable, Listener
from watchdog.engine.settings import LiveSettings


class BreakerKeeper:
    """Does the periodic work on an open breaker, once each tick. A closed breaker costs nothing."""

    def __init__(self, ledger: Ledger, live: LiveSettings, listener: Listener) -> None:
        self._ledger = ledger
        self._live = live
        self._listener = listener
        self._open = True  # until it has been read from the ledger
        self._asked_in: str | None = None

    def __call__(self, event: Event) -> None:
        if isinstance(event, BreakerSeen):
            self._open = event.open

    async def tick(self, *, naming: bool = True) -> None:
        """`naming` as in `Breaker.attend`."""
        settings = self._live.current
        # Each mode has a breaker of its own, and a reload may have changed the mode.
        if not self._open and self._asked_in == settings.mode:
            return

        def attend(tx: LedgerTransaction) -> list[Event]:
            breaker = Breaker(tx, settings)
            breaker.attend(naming=naming)
            say_news(tx, settings, breaker.news)
            return breaker.news

        try:
            news = await self._ledger.transact(attend)
        except LedgerUnavailable:
            return
        self._asked_in = settings.mode
        for event in news:
            self._listener(event)
