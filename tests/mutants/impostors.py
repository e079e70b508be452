"""Mutants that break no rule: each must be found out, whatever its tests say of it."""

from typing import Any

from tests.mutants import seams
from tests.mutants.breaking import break_all
from tests.mutants.mutant import ENGINE, mutant

TEST = "tests/unit/test_policy.py::test_what_a_target_and_its_attempts_call_for[refused-twice]"


def _undefined(right: Any, *_: Any, **__: Any) -> Any:
    return right.no_such_thing


IMPOSTORS = {
    "not caught by": mutant(
        "it does what the right one does",
        "",
        seams.decide(lambda right, *args, **kwargs: right(*args, **kwargs)),
        caught_by=TEST,
    ),
    "is never used": mutant(
        "nobody calls it", "", seams.after_listing(lambda right, *_: {}), caught_by=TEST
    ),
    "broken in another way": mutant(
        "it fails by itself", "", seams.decide(_undefined), caught_by=TEST
    ),
    "no test of that name": mutant(
        "nothing tries it", "", seams.decide(_undefined), caught_by=f"{ENGINE}test_none"
    ),
}


if __name__ == "__main__":
    problems = break_all(list(IMPOSTORS.values()))
    for said, each in IMPOSTORS.items():
        assert said in problems[each.name], (said, problems)
