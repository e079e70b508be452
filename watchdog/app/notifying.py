"""A sample message to each receiver, for `notify test`."""

import asyncio
from collections.abc import Collection
from datetime import UTC, datetime, timedelta

from watchdog.app.parts import addresses_of, links_of
from watchdog.config import Config
from watchdog.domain.causes import Cause
from watchdog.domain.notices import Notice, NoticeEvent, Try
from watchdog.domain.reasons import DecisionReason
from watchdog.domain.records import Outcome, Resolution
from watchdog.engine.ports import Delivery
from watchdog.notify import Receivers


async def send_samples(config: Config, to: Collection[str]) -> list[tuple[str, Delivery]]:
    """Send a sample to the receivers with these names; if there are none, to all. A problem of
    one receiver does not keep a sample from the others."""
    names = [each.name for each in config.notify if not to or each.name in to]
    notifier = Receivers(addresses_of(config), links_of(config), check=False)
    notices = [sample(datetime.now(UTC))]
    answers = await asyncio.gather(*(notifier.send(name, notices) for name in names))
    return list(zip(names, answers, strict=True))


def sample(now: datetime) -> Notice:
    """A notice about a model that does not exist, to show what a message looks like."""
    sent = now - timedelta(minutes=8)
    return Notice(
        NoticeEvent.GAVE_UP,
        now,
        detail="This is a sample, sent by `baseten-watchdog notify test`: nothing has failed.",
        model_id="abc12345",
        name="sample-model",
        team="sample-team",
        status="BUILD_FAILED",
        deployment_id="def67890",
        since=now - timedelta(minutes=10),
        cause=Cause.DEPENDENCY,
        reason=DecisionReason.CAUSE_PERMANENT,
        tries=(Try(sent, Outcome.ACCEPTED, None, Resolution.REFAILED),),
        max_attempts=4,
    )
