"""A retry without the last checks."""

from watchdog.engine.ports import BasetenApi, RetryAnswer


async def retry(api: BasetenApi, model_id: str) -> RetryAnswer:
    async with api.retry_turn(model_id) as post:
        return await post()
