"""`python -m tests.chaos [--seconds N] [--seed SEED]`: see `make chaos`."""

import argparse
import asyncio
import os
import random
import sys

from tests.chaos.running import Run

_MANY = 1_000_000


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos")
    parser.add_argument("--seconds", type=float, default=600, help="of trouble, before the calm")
    parser.add_argument("--seed", type=int, help="the same trouble as then; else a new one")
    options = parser.parse_args()
    seed = random.randrange(_MANY) if options.seed is None else options.seed
    _tell(f"seed {seed}, {options.seconds:g} s")
    _forget_the_developers_settings()
    run = Run(seed, options.seconds)
    asyncio.run(run.run())
    _tell(run.broken or run.summary)
    return 1 if run.broken else 0


def _forget_the_developers_settings() -> None:
    """The replicas must not get these signals."""
    for name in list(os.environ):
        if name.startswith("BASETEN_") or name.lower().endswith("_proxy"):
            del os.environ[name]


def _tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
