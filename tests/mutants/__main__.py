"""`python -m tests.mutants [WORD]`: is every broken watchdog caught, or those with a word in their
names?"""

import sys

from tests.mutants.accounts import ACCOUNTS
from tests.mutants.brakes import BROKEN_BREAKERS, HOLDING, OPERATORS, WHO_JUDGES
from tests.mutants.breaking import break_all
from tests.mutants.limits import CLOCKS, LIMITED
from tests.mutants.looks import LOOKING, OBSERVING
from tests.mutants.order import FENCES, LAST_MOMENT, ORDER

MUTANTS = (
    *LIMITED,
    *CLOCKS,
    *ACCOUNTS,
    *ORDER,
    *LAST_MOMENT,
    *FENCES,
    *OPERATORS,
    *BROKEN_BREAKERS,
    *WHO_JUDGES,
    *HOLDING,
    *LOOKING,
    *OBSERVING,
)


def main() -> int:
    word = sys.argv[1] if len(sys.argv) > 1 else ""
    mutants = [mutant for mutant in MUTANTS if word in mutant.name]
    problems = break_all(mutants)
    for mutant in mutants:
        if mutant.name in problems:
            say(f"{mutant.name}: {problems[mutant.name]}\n  {mutant.rule}")
    say(f"{len(mutants)} broken watchdogs: {len(mutants) - len(problems)} caught")
    return int(bool(problems))


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    sys.exit(main())
