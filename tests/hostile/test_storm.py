"""Storms of requests and bodies of 50 MB, and what is left of the daemon after them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from time import monotonic

from tests.fakes.processes import KEY, PATIENCE_SECONDS
from tests.fakes.retrying import retry
from tests.hostile.emulated import Emulated, emulated
from tests.hostile.faults import LOOK, RETRY, fault
from tests.hostile.rows import NO_LIMITS, NO_RATE_LIMITS, model
from tests.hostile.seen import READY, holds, metric, until
from tests.hostile.stage import make_stage
from watchdog.baseten_api import HttpBasetenApi, KeySource
from watchdog.clock import SystemClock
from watchdog.engine.ports import AnswerLost

MODELS = [f"model{number}" for number in range(10)]
MOST_MEGABYTES = 200


@asynccontextmanager
async def client(api: Emulated) -> AsyncIterator[HttpBasetenApi]:
    made = HttpBasetenApi(
        api.url,
        KeySource(value=KEY),
        timeout=timedelta(seconds=3),
        max_requests_per_second=1000,
        concurrency=10,
        user_agent="storm",
        clock=SystemClock(),
        listener=lambda _: None,
    )
    try:
        yield made
    finally:
        await made.close()


async def arrived(api: Emulated, requests: int) -> None:
    deadline = monotonic() + PATIENCE_SECONDS
    while sum(map(api.looks, MODELS[:1])) < requests:
        assert monotonic() < deadline
        await asyncio.sleep(0.01)


async def test_after_storms_of_cancelled_and_timed_out_requests_100_of_100_succeed() -> None:
    with emulated([model(model_id) for model_id in MODELS], **NO_RATE_LIMITS) as api:
        async with client(api) as asked:
            api.set_faults(fault("hang"))
            for storm in range(1, 4):
                looks = [asyncio.create_task(asked.get_deployment(MODELS[0])) for _ in range(30)]
                retries = [asyncio.create_task(retry(asked, MODELS[1])) for _ in range(5)]
                # All places are taken; those ten time out, and what follows them is cancelled.
                await arrived(api, storm * 10)
                for task in (*looks[10:], *retries):
                    task.cancel()
                ended = await asyncio.gather(*looks, *retries, return_exceptions=True)
                assert {type(each) for each in ended} == {AnswerLost, asyncio.CancelledError}
            api.set_faults()
            found = await asyncio.gather(
                *(asked.get_deployment(model_id) for model_id in MODELS * 10)
            )
            assert [each.status for each in found] == ["ACTIVE"] * 100


def peak_megabytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) // 1024
    raise AssertionError("no VmHWM")


def test_bodies_of_50_mb_leave_the_peak_of_memory_below_200_mb(tmp_path: Path) -> None:
    # Enough models are well, or the API would count as down and be asked less often.
    watched = [*MODELS, *(f"well{number}" for number in range(20))]
    with (
        emulated([model(model_id) for model_id in watched], **NO_RATE_LIMITS) as api,
        make_stage(tmp_path, api, watched, **NO_LIMITS) as stage,
    ):
        stage.run()
        until(stage, READY)
        api.set_faults(fault("huge", RETRY), fault("huge", LOOK, models=MODELS[:9]))
        api.set_status(MODELS[9], "BUILD_FAILED")
        looks = 'api_requests_total{code="invalid_body",operation="get_deployment"}'
        retries = 'api_requests_total{code="invalid_body",operation="retry"}'
        until(
            stage,
            holds("18 looks", lambda stage: stage.metrics().get(looks, 0) >= 18),
            metric(retries, 1),
        )
        assert peak_megabytes(stage.daemon.pid) < MOST_MEGABYTES
        assert stage.daemon.stop() == 0
