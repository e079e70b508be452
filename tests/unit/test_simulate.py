"""The simulation of policies, in worlds that are simple enough to be calculated by hand."""

import math
import sys
from collections import Counter
from datetime import timedelta
from statistics import fmean
from typing import Any

import pytest

from tests import policies
from watchdog.config import Config
from watchdog.simulate.agenda import Agenda
from watchdog.simulate.compare import MEASURES, Comparison
from watchdog.simulate.draws import Draws, Times
from watchdog.simulate.estimates import estimate, student_t
from watchdog.simulate.fleet import PRESETS, Fleet, load_fleet
from watchdog.simulate.picture import svg
from watchdog.simulate.run import Policy, presets, simulate
from watchdog.simulate.tally import Durations, Tally
from watchdog.simulate.words import as_json, paragraph, rows
from watchdog.simulate.world import World

NEVER = "3000d"
"""No person comes."""


def a_fleet(*faults: dict[str, Any], **settings: Any) -> Fleet:
    common = {"models": 1, "days": 3, "build": "4m", "fails_after": "3m30s", "person": NEVER}
    return Fleet.model_validate(common | settings | {"faults": faults})


def for_ever(cause: str = "unknown", at: str = "1h", **settings: Any) -> dict[str, Any]:
    return {"at": at, "causes": {cause: 1}, "lasts": "until_fixed"} | settings


def passing(lasts: str, at: str = "1h") -> dict[str, Any]:
    return {"at": at, "causes": {"platform": 1}, "lasts": lasts}


def ours(*, breaker: dict[str, Any] | None = None, **policy: Any) -> Policy:
    fleet = {"breaker": breaker} if breaker else {}
    return Policy("ours", Config.model_validate({"policy": {"jitter": 0} | policy, "fleet": fleet}))


def play(policy: Policy | str, fleet: Fleet, seed: int = 1) -> Tally:
    policy = presets()[policy] if isinstance(policy, str) else policy
    return simulate(policy, fleet, seed, 0, tally=Tally())[0]


# One model that fails for ever.


def test_its_episode_has_max_attempts() -> None:
    done = play(ours(), a_fleet(for_ever())).result()
    assert (done.sent, done.hopeless, done.open) == (4, 4, 1)
    assert done.wasted == 4 * 3.5 * 60


def test_a_cause_that_no_retry_removes_is_retried_once() -> None:
    assert play(ours(), a_fleet(for_ever("dependency"))).sent == 1


def test_a_build_that_fails_before_the_first_look_is_seen_to_have_failed() -> None:
    """The status never changes for the watchdog, so the time alone shows it: a little later than
    `baseten.timeout`. The fourth retry is sent about 70 minutes after the first."""
    assert play(ours(), a_fleet(for_ever(), fails_after="1s", person="2h")).sent == 4


def test_the_window_bounds_an_endless_episode() -> None:
    policy = ours(max_attempts=50, max_attempts_per_window=6, backoff="10m", backoff_factor=1)
    done = play(policy, a_fleet(for_ever(at="0s"), days=3)).result()
    # The first attempts of a window come about 14 minutes apart, and the window is a day long.
    assert done.most_in_day == 6
    assert done.sent == 3 * 6


def test_the_day_of_the_fleet_bounds_all_models() -> None:
    never = {"min_failures": 1000, "max_failures": 1000}
    done = play(ours(breaker=never), a_fleet(for_ever(), models=40, days=1)).result()
    assert (done.sent, done.most_in_day) == (50, 50)
    assert done.most_in_minute == 4


def test_a_mass_failure_sends_one_canary_at_a_time() -> None:
    """A canary is sent, fails after 3m30s, is seen within 15 s, and the next one goes a cooldown of
    10 minutes later: each 13.5 to 14 minutes."""
    done = play(ours(), a_fleet(for_ever(at="12h", spread="1m"), models=100, days=1)).result()
    # The condition lasts for a window of 10 minutes, and then a cooldown passes.
    least, most = (12 * 60 - 22) / 14, (12 * 60 - 20) / 13.5
    assert least <= done.sent <= most + 1
    assert done.most_in_minute == 1


@pytest.mark.parametrize(
    ("policy", "retries"),
    [
        # A retry takes 3m30s, and the loop runs each minute.
        ("cron-loop", (24 * 60 - 60) // 4),
        ("fixed-10m", (24 * 60 - 60) // 10),
        # After 2, 4, 8, 16, 30 and 30 minutes, each after a build of 4 minutes until it is seen:
        # at 2, 10, 22, 42, 76 and 110 minutes. The seventh would come after 2 hours.
        ("doubling", 6),
    ],
)
def test_what_a_script_sends_to_a_model_that_fails_for_ever(policy: str, retries: int) -> None:
    assert play(policy, a_fleet(for_ever(), days=1)).sent == pytest.approx(retries, abs=1)


# One model whose cause passes.


def test_the_first_retry_after_the_cause_helps() -> None:
    """It is seen within a minute and retried 5 minutes later, and the build takes 4 minutes."""
    done = play(ours(), a_fleet(passing("1m"))).result()
    assert (done.sent, done.hopeless, done.recovered, done.to_person) == (1, 0, 1, 0)
    assert timedelta(minutes=9) <= timedelta(seconds=done.p50 * 1.01)
    assert timedelta(seconds=done.p50) <= timedelta(minutes=10, seconds=10)


def test_a_person_pushes_what_no_retry_brings_back() -> None:
    done = play(ours(), a_fleet(for_ever(), person="10h")).result()
    assert (done.recovered, done.to_person, done.open) == (0, 1, 0)
    assert done.p50 == pytest.approx((10 * 60 + 4) * 60, rel=0.01)


def test_a_failure_after_a_recovery_continues_the_episode() -> None:
    """Both failures together have max_attempts, because the model is not healthy for half an hour
    in between."""
    fleet = a_fleet(passing("1m"), for_ever(at="1h20m"))
    assert play(ours(), fleet).sent == 4
    later = a_fleet(passing("1m"), for_ever(at="2h"))
    assert play(ours(), later).sent == 1 + 4


def test_the_api_executes_ten_retries_a_minute() -> None:
    done = play("fixed-10m", a_fleet(passing("1m"), models=30, days=1)).result()
    assert done.most_in_minute == 30
    assert done.sent == 30 + 20 + 10
    assert done.hopeless == 20 + 10


def test_a_429_holds_the_retries_of_the_watchdog() -> None:
    loose = {"max_retries_per_minute": 100, "max_in_flight": 100, "max_attempts_per_window": 100}
    never = {"breaker": {"min_failures": 1000, "max_failures": 1000}}
    policy = Policy("loose", Config.model_validate({"fleet": loose | never}))
    done = play(policy, a_fleet(passing("1m") | {"spread": "1s"}, models=40, days=1)).result()
    assert done.recovered == 1
    # Without the hold, 30 models would be answered 429 again and again.
    assert done.hopeless <= 30


# Randomness.


def test_the_world_does_not_depend_on_what_a_policy_does() -> None:
    """Models that do not flap fail at the same times, whatever is retried."""
    fleet = load_fleet("platform-incident").sized(50, 3)
    tallies = [play(name, fleet) for name in presets()]
    assert len({tally.failures for tally in tallies}) == 1


@pytest.mark.parametrize("name", PRESETS)
def test_the_same_seed_gives_the_same_numbers(name: str) -> None:
    def once() -> dict[str, Any]:
        comparison = Comparison(list(presets().values()), load_fleet(name).sized(20, 2), 7)
        comparison.run(2, lambda: None)
        return as_json(comparison)

    assert once() == once()


def test_durations_have_the_median_and_the_95th_percentile_that_were_given() -> None:
    draws, times = Draws(1, 0), Times(timedelta(minutes=10), timedelta(hours=3))
    drawn = sorted(draws.duration(times, f"{number}") for number in range(20_000))
    assert drawn[10_000] / times.median == pytest.approx(1, rel=0.05)
    assert drawn[19_000] / times.p95 == pytest.approx(1, rel=0.1)


def test_gaps_have_the_mean_that_was_given() -> None:
    draws, mean = Draws(1, 0), timedelta(days=2)
    gaps = [draws.gap(mean, f"{number}") for number in range(20_000)]
    assert sum(gaps, timedelta()) / len(gaps) / mean == pytest.approx(1, rel=0.03)


def test_a_fault_concerns_the_share_of_models_that_was_given() -> None:
    world = World(
        a_fleet(for_ever(share=0.33), models=3000), Draws(1, 0), Agenda(), tally := Tally()
    )
    world.agenda.run(world.agenda.now + timedelta(days=1))
    assert tally.failures / 3000 == pytest.approx(0.33, abs=0.03)


# Statistics.


def test_percentiles_are_exact_to_one_percent() -> None:
    durations = Durations()
    for seconds in range(1, 1001):
        durations.add(timedelta(seconds=seconds))
    assert durations.percentile(0.5) == pytest.approx(500, rel=0.01)
    assert durations.percentile(0.95) == pytest.approx(950, rel=0.01)


@pytest.mark.parametrize(("freedom", "quantile"), [(19, 2.0930), (29, 2.0452), (99, 1.9842)])
def test_the_quantile_of_students_t(freedom: int, quantile: float) -> None:
    assert student_t(freedom) == pytest.approx(quantile, abs=0.0005)


def test_fewer_than_20_worlds_have_no_interval() -> None:
    assert estimate([1.0] * 19).within is None
    assert estimate([1.0, 3.0] * 10).within == pytest.approx(2.093 * 1.026 / 20**0.5, rel=0.001)


def test_a_world_without_failures_has_neither_a_share_nor_a_time() -> None:
    """Of 2 models that rarely fail, some worlds have no failure. A policy that retries nothing
    recovers nothing then."""
    fleet = load_fleet("quiet-week").sized(2, 7)
    comparison = Comparison([ours(retry_on=("FAILED",)), ours()], fleet, 1)
    comparison.run(20, lambda: None)
    by_name = {measure.name: measure for measure in MEASURES}
    failed = [row for row in comparison.results if row[0].failures]
    assert 0 < len(failed) < 20
    assert comparison.of(0, by_name["recovered"]).mean == 0
    times = [row[0].p50 for row in failed if not math.isnan(row[0].p50)]
    assert comparison.of(0, by_name["time_p50"]).mean == pytest.approx(fmean(times))
    assert paragraph(comparison)[1].startswith("Some of this may be chance")


def test_a_fleet_without_failures_has_no_numbers_for_them() -> None:
    comparison = Comparison([ours()], a_fleet(passing("1h")).model_copy(update={"faults": ()}), 1)
    comparison.run(2, lambda: None)
    assert rows(comparison)[0][1:5] == ("-", "-", "-", "0.0")
    (found,) = as_json(comparison)["policies"]
    assert found["time_p95"] == {"mean": None, "within": None}
    assert ">ours<" not in svg(comparison)


def test_no_difference_is_reported_where_there_is_none() -> None:
    policy = ours()
    comparison = Comparison([policy, policy], a_fleet(passing("1m"), models=3), 1)
    comparison.run(20, lambda: None)
    assert paragraph(comparison) == ["ours instead of ours: no difference is certain."]


def test_from_too_few_worlds_the_differences_are_said_to_be_uncertain() -> None:
    comparison = Comparison([ours(), ours(max_attempts=1)], a_fleet(for_ever()), 1)
    comparison.run(19, lambda: None)
    assert paragraph(comparison)[1].startswith("Some of this may be chance")


def test_the_picture_shows_each_policy() -> None:
    comparison = Comparison(list(presets().values()), a_fleet(passing("1h")), 1)
    comparison.run(1, lambda: None)
    drawn = svg(comparison)
    assert Counter(drawn.count(f">{name}<") for name in presets()) == {1: len(presets())}


# Size.


def test_the_memory_does_not_grow_with_the_days() -> None:
    """What is planned after a long time is not more than after a short one."""

    def planned(days: int) -> int:
        fleet = load_fleet("flapping").sized(60, days)
        agenda = Agenda()
        world = World(fleet, Draws(1, 0), agenda, Tally())
        presets()["ours"].play(world)
        agenda.run(agenda.now + timedelta(days=days))
        return agenda.planned + sum(sys.getsizeof(slot.reasons) for slot in world.slots) // 1000

    assert planned(120) <= planned(10) * 1.5


@pytest.mark.parametrize("name", PRESETS)
def test_the_tables_in_the_document_are_what_the_command_writes(name: str) -> None:
    """After a change of a rule, `make policies` writes them, which takes some minutes."""
    made, _, rest = part(policies.DOCUMENT.read_text(), name).partition("\n\n")
    assert rest == policies.seal(made, name)


def test_the_document_says_what_each_number_is() -> None:
    _, _, rest = policies.DOCUMENT.read_text().partition("| column | in `--json` | meaning |")
    table, _, _ = rest.partition("\n\n")
    told = [row.strip("| ").split(" | ") for row in table.splitlines()[2:]]
    titles = [title for row in told for title in row[0].split(", ")]
    names = [name.strip("`") for row in told for name in row[1].split(", ")]
    assert list(zip(titles, names, strict=True)) == [(each.title, each.name) for each in MEASURES]


def part(document: str, name: str) -> str:
    """What `make policies` has written for this fleet."""
    _, _, rest = document.partition(f"<!-- {name}: made by `make policies` -->")
    return rest.partition(f"<!-- end of {name} -->")[0].strip()
