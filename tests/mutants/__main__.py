"""`make mutants`: does any test notice when a rule is broken?"""

import sys
import time

from tests.mutants.breaking import break_all
from tests.mutants.rules import RULES


def main() -> int:
    started, problems = time.monotonic(), 0
    for rule, problem in break_all(RULES):
        if problem is not None:
            problems += 1
            say(f"{rule.name}: {problem}\n  {rule.rule}")
    say(
        f"{len(RULES)} broken rules: {len(RULES) - problems} caught, {problems} not,"
        f" in {time.monotonic() - started:.0f} s"
    )
    return int(problems > 0)


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
