"""Watchdogs that believe what they should not, and that act where they should only look on."""

from dataclasses import replace
from typing import Any

from tests.mutants import seams
from tests.mutants.mutant import ENGINE, LEDGER, mutant
from watchdog.domain.discovery import Listing
from watchdog.domain.records import Health, Target
from watchdog.engine.ports import ApiError, NotFound


async def _errs_as_404(right: Any, *args: Any, **kwargs: Any) -> Any:
    try:
        return await right(*args, **kwargs)
    except ApiError as error:
        raise NotFound(str(error), code="404") from error


async def _believe(*_: Any, **__: Any) -> None:
    return None


def _unknown_is_failing(right: Any, *args: Any) -> Any:
    health = right(*args)
    return Health.FAILING if health is Health.NOT_RETRYABLE else health


def _at_once(right: Any, target: Target, attempts: Any, at: Any, timing: Any) -> Any:
    return right(replace(target, missing_since=at - timing.interval), attempts, at, timing)


LOOKING = (
    mutant(
        "a check that errs is a 404",
        "A check that errs is no observation: it changes no health, no episode, no dwell.",
        seams.get_deployment(_errs_as_404),
        caught_by=f"{ENGINE}test_a_check_that_errs_changes_nothing",
    ),
    mutant(
        "a 404 is believed whatever the list of models says",
        "A 404 is an error like any other until one shared, whole listing lacks the model.",
        seams.confirm_404(_believe),
        caught_by="tests/engine/test_not_found.py"
        "::test_an_outage_that_answers_404_removes_no_target_and_is_reported_as_an_outage",
    ),
    mutant(
        "the first 404 removes",
        "removed: two 404s at least an interval apart.",
        seams.missed(_at_once),
        caught_by=f"{ENGINE}test_two_404s_an_interval_apart_make_a_target_missing_and_one_does_not",
    ),
    mutant(
        "an unknown status is retried",
        "Not retryable: every other status, unknown ones included.",
        seams.health_of(_unknown_is_failing),
        caught_by="tests/unit/test_status.py",
    ),
    mutant(
        "an empty listing removes everything",
        "An empty or missing list means nothing, never everything.",
        seams.after_listing(
            lambda right, known, listing, rules: (
                right(known, listing, rules) if listing.models else {}
            )
        ),
        caught_by="tests/unit/test_discovery.py::test_an_empty_listing_means_nothing",
    ),
    mutant(
        "an entry that cannot be read is a model that is gone",
        "A model leaves when two whole, readable listings lack it.",
        seams.after_listing(
            lambda right, known, listing, rules: right(known, Listing(listing.models), rules)
        ),
        caught_by="tests/unit/test_incomplete_listings.py"
        "::test_a_model_whose_entry_cannot_be_read_stays",
    ),
)

OBSERVING = (
    mutant(
        "observe mode sends",
        "observe: everything, with dry_run in place of the POST.",
        seams.settings(lambda right: replace(right, observe=False)),
        caught_by=f"{ENGINE}test_observe_mode_decides_and_records_everything_and_sends_nothing",
    ),
    mutant(
        "going live retries what failed before",
        "Left alone when it was failing as the mode changed to retry.",
        seams.ledger("meta.get", lambda tx, key: None),
        caught_by=f"{ENGINE}test_retry_mode_leaves_standing_failures_alone_when_configured_so",
    ),
    mutant(
        "dry_run counts in retry mode",
        "dry_run rows count for nothing in retry mode.",
        seams.sql_transaction(
            lambda right, *args, observe, **more: right(*args, observe=True, **more)
        ),
        caught_by=f"{LEDGER}test_history_is_newest_first_and_has_the_dry_runs",
    ),
)
