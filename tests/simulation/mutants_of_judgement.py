"""Broken watchdogs whose mistakes appear in the scenarios of `families.py`."""

from tests.simulation import families, wrong_turns
from tests.simulation.mutant import mutant
from tests.simulation.scenario import Scenario
from watchdog.baseten_api import requests
from watchdog.domain import backoff, effects, meaning, policy, queue, transition
from watchdog.domain.limits import FLEET_MINUTE
from watchdog.domain.records import Attempt
from watchdog.engine.fleet import breaker, forbidden
from watchdog.engine.fleet.listing import SharedListing
from watchdog.engine.target import check, written
from watchdog.ledger import usage_rows
from watchdog.ledger.queue_rows import QueueQueries


def _asleep(scenario: Scenario) -> Scenario:
    """A scenario with models that are scaled to zero and deactivated, for every seed."""
    return families.of(families.asleep, scenario.seed)


OF_JUDGEMENT = (
    mutant(
        "what is scaled to zero has recovered",
        (meaning, "_awaits_proof", lambda *_: False),
        caught_by="recovery",
        world=_asleep,
    ),
    mutant(
        "every deactivation is an operator's",
        (check, "who_deactivated", wrong_turns.an_operator),
        caught_by="standing",
        world=_asleep,
    ),
    mutant(
        "no deactivation is anybody's",
        (check, "who_deactivated", wrong_turns.nobody),
        caught_by="standing",
        world=_asleep,
    ),
    mutant(
        "what is broken is not written down",
        (written, "is_broken", lambda _: False),
        caught_by="standing",
        world=_asleep,
    ),
    mutant(
        "the breaker never opens",
        (breaker.Breaker, "_open_if_too_many", lambda *_: None),
        caught_by="breaker",
        first=7,
    ),
    mutant(
        "any command may judge the breaker",
        (breaker, "may_judge", lambda *_: True),
        caught_by="breaker",
        first=217,
    ),
    mutant(
        "commands of cron never judge the breaker",
        (breaker, "may_judge", wrong_turns.only_daemons_judge),
        caught_by="breaker",
        first=11,
    ),
    mutant(
        "a 404 removes without a listing",
        (SharedListing, "confirm", wrong_turns.believe_the_404),
        caught_by="episode, standing failure, breaker",
        first=71,
    ),
    mutant(
        "answers about others are believed",
        (requests, "DeploymentBody", wrong_turns.AnyDeployment),
        caught_by="look again, episode, delay",
        first=3,
    ),
    mutant(
        "a change that is seen late is a person's at once",
        (effects, "_may_still_show", wrong_turns.only_those_under_way),
        caught_by="episode, delay",
        first=1,
    ),
    mutant(
        "a presumed attempt holds no place",
        (transition, "_refailed", wrong_turns.free_the_place_at_once),
        caught_by="in flight",
        first=49,
    ),
    mutant(
        "a forbidden retry never gives up",
        (policy, "_forbidden_twice", lambda *_: False),
        caught_by="forbidden",
        first=5,
    ),
    mutant(
        "a key that may retry nothing is tried again each minute",
        (forbidden, "PROBE_INTERVAL", FLEET_MINUTE),
        caught_by="forbidden fleet",
        first=565,
    ),
    mutant(
        "a constant backoff for what is not charged",
        (backoff, "_uncharged_in_a_row", wrong_turns.one_uncharged_at_most),
        caught_by="growing backoff",
        first=37,
    ),
    mutant(
        "nobody waits for a turn",
        (QueueQueries, "ahead", lambda *_, **__: 0),
        caught_by="order",
        first=15,
    ),
    mutant(
        "later attempts go first",
        (queue, "FIRST_ATTEMPT", queue.LATER_ATTEMPT),
        (queue, "LATER_ATTEMPT", queue.FIRST_ATTEMPT),
        caught_by="order",
        first=15,
    ),
    mutant(
        "a place is freed by a look alone",
        (Attempt, "in_flight", wrong_turns.in_flight_until_seen),
        (usage_rows, "_holders", wrong_turns.rows_in_flight_until_seen),
        # Without its cache, or the query that an earlier test built would be used.
        (usage_rows, "_under_way", usage_rows._under_way.__wrapped__),  # noqa: SLF001
        caught_by="first attempt",
        first=573,
    ),
)
