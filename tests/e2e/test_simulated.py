"""The daemon on the emulator and `simulate` play the same scenario, with the same configuration."""

import itertools
import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from tests.fakes.processes import (
    Process,
    config_file,
    daemon,
    emulator,
    eventually,
    posts,
    requests,
    running,
    set_status,
    targets,
)
from tests.fakes.simulated import Times
from watchdog.config import load_config
from watchdog.config.causes import Catalogue
from watchdog.domain.cause_search import find_cause
from watchdog.domain.causes import Evidence
from watchdog.domain.records import DeploymentRef
from watchdog.emulator.scenario import Deploy, Scenario, Step
from watchdog.emulator.workspace import Workspace
from watchdog.simulate.agenda import START, Agenda
from watchdog.simulate.draws import Draws
from watchdog.simulate.fleet import Fleet
from watchdog.simulate.run import Policy
from watchdog.simulate.world import ACTIVE, FAILED, Reason, Slot, World

TIME_SCALE = 60
"""A minute of the scenario takes a second. The configuration has seconds for its minutes."""

WELL = ["ACTIVE"]
WORKS = [{"BUILDING": "2m"}, {"LOADING_MODEL": "1m"}, "ACTIVE"]
FAILS = [{"BUILDING": "3m"}, "BUILD_FAILED"]
NO_PACKAGE = {
    "steps": FAILS,
    "log": ["ERROR: No matching distribution found for torch==99.0"],
}


def _model(model_id: str, *retries: object) -> dict[str, Any]:
    """A model that is healthy until the test lets it fail, and what its retries bring in turn."""
    return {"id": model_id, "name": model_id, "deploys": [WELL, *retries]}


MODELS: Sequence[Mapping[str, Any]] = (
    _model("at-first", WORKS),
    _model("at-third", FAILS, FAILS, WORKS),
    _model("never", FAILS),
    _model("package", NO_PACKAGE),
    _model("two-ways", FAILS, NO_PACKAGE),
    _model("hangs", [{"BUILDING": "10000h"}, "ACTIVE"]),
    # These fail twice. The first recovers in between, the second is brought back by an operator.
    _model("flaps", WORKS, FAILS),
    _model("by-hand", FAILS),
    _model("well-1"),
    _model("well-2"),
)
"""What a retry brings depends on how many there were before, not on when it is sent. So the numbers
of retries are certain, however slow the machine is."""

ALL = [model["id"] for model in MODELS]
FAIL = [model_id for model_id in ALL if not model_id.startswith("well")]
FAIL_AGAIN = ["flaps", "by-hand"]

STUCK_AFTER_SECONDS = 12

SETTINGS: dict[str, Any] = {
    "baseten": {"timeout": "10s"},
    "policy": {
        "backoff": "2s",
        "max_attempts": 4,
        "stuck_after": f"{STUCK_AFTER_SECONDS}s",
        "settle": "5s",
    },
    "fleet": {
        "max_retries_per_minute": 40,
        "breaker": {"window": "5s", "cooldown": "1s"},
    },
}


def test_both_send_the_same_retries_and_come_to_the_same_end(tmp_path: Path) -> None:
    with emulator(tmp_path, MODELS, time_scale=TIME_SCALE) as api:
        config = config_file(tmp_path, api, ALL, **SETTINGS)
        with running(daemon(config)) as process:
            play_real(api, config, process)
            process.stop()
        sent = Counter(post["model_id"] for post in posts(api))
        shown = targets(config)
    told = play_simulated(config)
    assert sent == {id_: len(times) for id_, times in told.times.retries.items()}
    assert sent == {
        "at-first": 1,
        "at-third": 3,
        "never": 4,
        "package": 2,
        "two-ways": 3,
        "hangs": 1,
        "flaps": 4,
        "by-hand": 6,
    }
    # `hangs` is built for ever, and the others that do not work fail.
    assert {id_: each["status"] for id_, each in shown.items()} == {
        slot.model_id: slot.status for slot in told.slots
    }
    assert recovered(process) == told.recovered == {"at-first": 1, "at-third": 1, "flaps": 1}
    assert told.tally.failures == len(FAIL) + len(FAIL_AGAIN)


def play_real(api: str, config: Path, process: Process) -> None:
    """Every model was seen healthy twice, as in `simulate`, before some of them fail."""
    eventually(lambda: len(_looked_at_twice(api)) == len(ALL))
    for model_id in FAIL:
        set_status(api, model_id, FAILED)
    process.said("recovered", "flaps")
    process.said("gave_up", "by-hand")
    # A retry whose build was over before a look saw it may show an effect until `stuck_after`.
    time.sleep(STUCK_AFTER_SECONDS)
    set_status(api, "by-hand", "ACTIVE")
    process.said("episode_superseded", "by-hand")
    for model_id in FAIL_AGAIN:
        set_status(api, model_id, FAILED)
    for model_id in ("never", "package", "two-ways", "flaps"):
        process.said("gave_up", model_id)
    process.said("recovered", "at-third")
    process.said("deployment_stuck", "hangs")
    if not any('"window_spent"' in line for line in process.lines):
        process.until('"window_spent"')


def _looked_at_twice(api: str) -> list[str]:
    looks = Counter(each["model_id"] for each in requests(api) if each["status"] is not None)
    return [model_id for model_id, count in looks.items() if count >= 2]


def recovered(process: Process) -> Counter[str]:
    said = (json.loads(line) for line in process.lines if '"event": "recovered"' in line)
    return Counter(line["model_id"] for line in said)


def play_simulated(config: Path) -> "EmulatedWorld":
    """The same in virtual time. What the test does comes so late that all has come to rest."""
    world = EmulatedWorld()
    Policy("", load_config(config).config).play(world)
    minute = timedelta(minutes=1)
    for model_id in FAIL:
        world.set_status_at(minute, model_id, FAILED)
    world.set_status_at(30 * minute, "by-hand", "ACTIVE")
    for model_id in FAIL_AGAIN:
        world.set_status_at(40 * minute, model_id, FAILED)
    world.agenda.run(START + 90 * minute)
    return world


class EmulatedWorld(World):
    """The emulator's workspace as the world of a simulation. `recovered` counts the failures of
    each model that a retry ended."""

    def __init__(self) -> None:
        self.recovered: Counter[str] = Counter()
        self._match = Catalogue()
        self._scenario = Scenario.model_validate({"models": MODELS})
        self._deploys = {model.id: model.deploys for model in self._scenario.models}
        self._workspace = Workspace(self._scenario, started_at=START, time_scale=TIME_SCALE)
        self.times = Times()
        super().__init__(_NO_FAULTS, Draws(1, 0), Agenda(), self.times)
        self.slots = [self._slot(model.id) for model in self._scenario.models]

    def _slot(self, model_id: str) -> Slot:
        found = self._workspace.development(model_id, START)
        return Slot(model_id, found.status, DeploymentRef(found.id, found.created_at))

    def set_status_at(self, after: timedelta, model_id: str, status: str) -> None:
        def set_status() -> None:
            self._workspace.set_status(model_id, status, self.agenda.now)
            self._follow(slot, Deploy(steps=(Step(status),)), by_person=True)

        slot = next(slot for slot in self.slots if slot.model_id == model_id)
        self.agenda.at(START + after, set_status)

    def retry(self, slot: Slot) -> bool:
        now, deploys = self.agenda.now, self._deploys[slot.model_id]
        done = self._workspace.retry(slot.model_id, now)
        self.tally.retried(slot.model_id, now, hopeless=not done.retried)
        if done.retried:
            slot.deploys += 1
            deploy = deploys[min(slot.deploys, len(deploys) - 1)]
            for ends in itertools.accumulate(step.lasts or timedelta(0) for step in deploy.steps):
                follow = partial(self._follow, slot, deploy, by_person=False)
                self.agenda.at(now + ends / TIME_SCALE, follow)
            self._follow(slot, deploy, by_person=False)
        return done.retried

    def _follow(self, slot: Slot, deploy: Deploy, *, by_person: bool) -> None:
        """Show the status that the workspace has now."""
        status = self._workspace.development(slot.model_id, self.agenda.now).status
        if status == slot.status:
            return
        slot.status, slot.reasons = status, []
        if status == FAILED:
            found = find_cause(
                Evidence(tuple(each.message for each in deploy.log), ()), self._match
            )
            slot.reasons = [Reason(found.cause, None)]
            if slot.broke_at is None:
                slot.broke_at = self.agenda.now
                self.tally.failures += 1
        if status == ACTIVE and slot.broke_at is not None:
            self.tally.ended(self.agenda.now - slot.broke_at, by_person=by_person)
            if not by_person:
                self.recovered[slot.model_id] += 1
            slot.broke_at = None
        self.changed(slot)


_NO_FAULTS = Fleet.model_validate(
    {"models": 1, "build": "1m", "fails_after": "1m", "person": "1m", "faults": []}
)
"""What the emulator has instead."""
