"""The real engine and the simulation of `watchdog.simulate`, in the same world."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from tests.fakes.engine import START as LOOP_START
from tests.fakes.engine import World as RealWorld
from tests.fakes.simulated import Times
from watchdog.cli.replay import read_past
from watchdog.config import Config, only, policies
from watchdog.domain.causes import Cause, Pattern, Sureness
from watchdog.domain.records import DecisionReason
from watchdog.simulate import world as simulated
from watchdog.simulate.agenda import START, Agenda
from watchdog.simulate.draws import Draws
from watchdog.simulate.fleet import Fleet
from watchdog.simulate.past import Past, Replayed, Verdict
from watchdog.simulate.replay import Replay
from watchdog.simulate.run import Policy, simulate

pytestmark = pytest.mark.looptime(noop_cycles=0)

WARM_UP = timedelta(minutes=3)
"""By then the engine has seen every model healthy twice."""

TICK = 5
"""Seconds between two ticks. The daemon ticks each second, which would take five times as long
here."""

POLICY = {"jitter": 0, "first_delay": "2m"}
"""As the fake of the engine has it."""

NO_JITTER = Config.model_validate({"policy": POLICY})


def says(line: str) -> tuple[Pattern, ...]:
    return (Pattern(line, Cause(line), Sureness.LIKELY),)


async def play_real(fleet: Fleet, seed: int) -> tuple[Times, Past]:
    """The world of this seed with the real engine, which acts on a scripted API; and what its
    ledger knows then."""
    agenda, tally = Agenda(), Times()
    played = simulated.World(fleet, Draws(seed, 0), agenda, tally)
    ids = [slot.model_id for slot in played.slots]
    policy = policies(only(NO_JITTER, "any"))["any"]
    real = RealWorld(*ids, jitter=0.0, causes=policy.causes)
    real.diagnose, real.match = True, says

    def show(slot: simulated.Slot) -> None:
        api = real.api
        if api.model(slot.model_id).deployment.ref.created_at != slot.deployment.created_at:
            api.push(slot.model_id, slot.status)
        api.set_status(slot.model_id, slot.status)
        reason = slot.reason(agenda.now)
        api.logs[slot.deployment.id] = [reason.cause] if reason is not None else []

    def catch_up() -> None:
        agenda.run(START + (real.clock.now() - LOOP_START - WARM_UP))

    def retry(slot: simulated.Slot) -> None:
        catch_up()
        played.retry(slot)

    for slot in played.slots:
        slot.deployment = real.api.model(slot.model_id).deployment.ref
        real.api.model(slot.model_id).on_retry = partial(retry, slot)
    played.changed = show

    async with real.running():
        diagnosis = asyncio.create_task(real.diagnosing())
        await real.run_for(minutes=3)
        while agenda.now < START + timedelta(days=fleet.days):
            await real.run_for(seconds=TICK, every=timedelta(seconds=TICK))
            catch_up()
        diagnosis.cancel()
        with suppress(asyncio.CancelledError):
            await diagnosis
        past = await real.transact(lambda tx: read_past(tx, timedelta(days=30)))
    return tally, past


def play_simulated(fleet: Fleet, seed: int) -> Times:
    tally = Times()
    simulate(Policy("", NO_JITTER), fleet, seed, 0, tally=tally)
    return tally


FAULTS = {
    "models": 12,
    "days": 1,
    "build": "4m",
    "fails_after": "3m20s",
    "person": "9h",
    "faults": [
        {"every": "1d", "causes": {"network": 0.5, "unknown": 0.5}, "lasts": "20m"},
        {"at": "6h", "share": 0.5, "causes": {"platform": 1}, "lasts": "40m"},
        {"at": "14h", "share": 0.3, "causes": {"user_code": 1}, "lasts": "until_fixed"},
    ],
}


FLEET = Fleet.model_validate(FAULTS)

APART = timedelta(minutes=2)
"""The two look at different seconds of the same minute, and the fleet's limit of a minute may add
another one: the same retry is sent by both within this time."""


async def test_both_send_the_same_retries_and_come_to_the_same_end() -> None:
    """This world has every kind of fault, opens the breaker, and uses up the fleet's day."""
    (real, past), told = await play_real(FLEET, seed=3), play_simulated(FLEET, seed=3)
    assert real.sent == 50
    assert differing(told, real) == {}
    assert (told.recovered, told.to_person, told.failures) == (
        real.recovered,
        real.to_person,
        real.failures,
    )
    the_replay_of_the_same_policy_is_what_happened(past)
    the_replay_of_another_policy_ends_where_nothing_is_known(past)


async def test_they_differ_only_where_a_cause_ended_between_the_same_retry_of_both() -> None:
    """In this world a canary of `simulate` is sent 28 seconds before the cause of its model ends,
    and that of the engine 28 seconds after it. So `simulate` sends one more."""
    (real, _), told = await play_real(FLEET, seed=4), play_simulated(FLEET, seed=4)
    assert differing(told, real) == {"m08": 2}
    assert (told.sent, real.sent) == (39, 38)
    assert told.recovered == real.recovered


def differing(told: Times, real: Times) -> dict[str, int]:
    """The models for which a retry of the one helped, and the same retry of the other did not; and
    which retry that was. All retries before that are the same, and so are those of all others."""
    found = {}
    for model_id in told.retries | real.retries:
        ours, theirs = told.retries[model_id], real.retries[model_id]
        pairs = list(zip(ours, theirs, strict=False))
        helped = [one[1] != other[1] for one, other in pairs]
        if any(helped):
            found[model_id] = helped.index(True) + 1
            pairs = pairs[: found[model_id]]
        else:
            assert len(ours) == len(theirs), model_id
        assert [pair for pair in pairs if abs(pair[0][0] - pair[1][0]) > APART] == [], model_id
    return found


def the_replay_of_the_same_policy_is_what_happened(past: Past) -> None:
    found = replay(past, NO_JITTER)
    assert {each.verdict for each in found} == {Verdict.SAME, Verdict.LASTS}
    assert sum(len(each.sent) for each in found) == sum(each.was for each in found) == 50


def the_replay_of_another_policy_ends_where_nothing_is_known(past: Past) -> None:
    once = replay(past, changed(max_attempts=1))
    retried = [each for each in once if each.was]
    assert {len(each.sent) for each in retried} == {1}
    assert {each.verdict for each in retried if each.was > 1} == {Verdict.FEWER}
    assert {each.gave_up for each in retried if each.was > 1} == {DecisionReason.EPISODE_SPENT}
    early = replay(past, changed(first_delay="0s"))
    alone = [each for each in early if not each.held]
    assert {each.verdict for each in alone} == {Verdict.UNKNOWN}
    assert all(each.unknown_at == each.episode.opened_at and not each.sent for each in alone)


def changed(**policy: Any) -> Config:
    return Config.model_validate({"policy": POLICY | policy})


def replay(past: Past, config: Config) -> list[Replayed]:
    ids = {each.model_id for each in past.episodes}
    rules = {id_: policies(only(config, id_))[id_] for id_ in ids}
    return Replay(past, rules, config.fleet_limits(), timedelta(seconds=75)).run()
