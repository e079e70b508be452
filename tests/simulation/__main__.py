"""`python -m tests.simulation [--seeds N] [--first SEED] [--seed SEED]`: see `make seeds`."""

import argparse
import os
import sys
import time
import traceback
from concurrent.futures import ProcessPoolExecutor

from tests.simulation.running import digest, run, verdict
from tests.simulation.seeds import make

_TOLD = 20
"""If more seeds fail than this, only their numbers are printed."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("--seeds", type=int, default=10_000, help="how many seeds")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--seed", type=int, help="run this one alone, and print its whole log")
    options = parser.parse_args()
    if options.seed is not None:
        return _replay(options.seed)
    return _all(range(options.first, options.first + options.seeds))


def _replay(seed: int) -> int:
    result, broken = run(seed), verdict(seed)
    _tell(
        str(make(seed)),
        result.log.lines(),
        broken or f"seed {seed}: nothing broken",
        f"digest {digest(result)}",
    )
    return 1 if broken else 0


def _all(seeds: range) -> int:
    began, failing = time.monotonic(), []
    with ProcessPoolExecutor(max_workers=os.cpu_count()) as workers:
        for seed, broken in zip(seeds, workers.map(_safely, seeds, chunksize=20), strict=True):
            if broken is None:
                continue
            failing.append(seed)
            if len(failing) <= _TOLD:
                _tell(broken, "")
    seconds = time.monotonic() - began
    _tell(f"{len(seeds)} seeds in {seconds:.0f} s, {len(failing)} failing: {failing or 'none'}")
    return 1 if failing else 0


def _tell(*lines: str) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)
    sys.stdout.flush()


def _safely(seed: int) -> str | None:
    try:
        return verdict(seed)
    except Exception:  # noqa: BLE001 - one seed must not end the night
        return f"seed {seed}: the simulation itself failed\n{traceback.format_exc()}"


if __name__ == "__main__":
    sys.exit(main())
