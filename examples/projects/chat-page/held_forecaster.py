"""The forecaster for the check: its model answers after SIGUSR2, and waits again after SIGUSR1."""

import asyncio, signal, sys
from typing import Any

import forecaster
from autogen_core.models import ChatCompletionClient, CreateResult
from autogen_ext.models.replay import ReplayChatCompletionClient

released = asyncio.Event()
model_for = forecaster.model_for


class HeldModel(ReplayChatCompletionClient):
    def __init__(self, city: str) -> None:
        super().__init__([])
        self._model: ChatCompletionClient = model_for(city)

    async def create(self, *args: Any, **options: Any) -> CreateResult:
        await released.wait()
        return await self._model.create(*args, **options)


async def main() -> None:
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, released.clear)
    loop.add_signal_handler(signal.SIGUSR2, released.set)
    await forecaster.main(*sys.argv[1:])


forecaster.model_for = HeldModel
asyncio.run(main())
