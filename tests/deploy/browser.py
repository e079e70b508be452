"""Headless Chromium from Debian, controlled through a pipe: one page and its complaints."""

import asyncio
import base64
import itertools
import json
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

from tests.deploy.servers import PATIENCE_SECONDS

_ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--no-first-run",
    "--remote-debugging-pipe",
)
_BIGGEST = 64 * 1024 * 1024
"""Of one message: a picture comes as one."""


def _complaint(event: str, said: Mapping[str, Any]) -> str | None:
    """The complaint in an event, if it has one."""
    match event:
        case "Runtime.exceptionThrown":
            return str(said["exceptionDetails"]["text"])
        case "Runtime.consoleAPICalled":
            return str([each.get("value") for each in said["args"]])
        case "Log.entryAdded":
            return f"{said['entry']['text']} {said['entry'].get('url', '')}"
    return None


class Tab:
    """A page. `complaints` are its console, its errors, and what its policy forbade; `asked` the
    addresses of what it loaded."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.WriteTransport) -> None:
        self.complaints: list[str] = []
        self.asked: list[str] = []
        self._reader = reader
        self._writer = writer
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._loaded = asyncio.Event()
        self._session: str | None = None
        self._listening = asyncio.create_task(self._listen())

    async def attach(self) -> None:
        made = await self.do("Target.createTarget", url="about:blank")
        target = {"targetId": made["targetId"], "flatten": True}
        self._session = (await self.do("Target.attachToTarget", **target))["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            await self.do(f"{domain}.enable")

    async def do(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command of Chrome's DevTools protocol."""
        message: dict[str, Any] = {"id": next(self._numbers), "method": method}
        message["params"] = parameters
        if self._session is not None:
            message["sessionId"] = self._session
        answer = self._waiting[message["id"]] = asyncio.get_running_loop().create_future()
        self._writer.write(json.dumps(message).encode() + b"\0")
        return await asyncio.wait_for(answer, PATIENCE_SECONDS)

    async def open(self, url: str) -> None:
        """Load a page to its end."""
        self._loaded.clear()
        await self.do("Page.navigate", url=url)
        await asyncio.wait_for(self._loaded.wait(), PATIENCE_SECONDS)

    async def value(self, expression: str) -> Any:
        """What a JavaScript expression comes to, promises included."""
        done = await self.do(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    async def until(self, expression: str) -> None:
        """Wait until an expression is true."""
        await self.value(
            f"""new Promise(done => {{
                const ask = () => ({expression}) ? done() : requestAnimationFrame(ask);
                ask();
            }})"""
        )

    async def follow(self, expression: str) -> None:
        """Do what loads another page, and wait for that."""
        self._loaded.clear()
        await self.value(expression)
        await asyncio.wait_for(self._loaded.wait(), PATIENCE_SECONDS)

    async def look(self, *, scheme: str = "light", width: int = 1280, height: int = 800) -> None:
        """A colour scheme, and the size of the window in CSS pixels."""
        scheme_asked = {"name": "prefers-color-scheme", "value": scheme}
        await self.do("Emulation.setEmulatedMedia", features=[scheme_asked])
        await self.do(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )

    async def type(self, text: str) -> None:
        await self.do("Input.insertText", text=text)

    async def picture(self) -> bytes:
        """A PNG of what is to be seen."""
        return base64.b64decode((await self.do("Page.captureScreenshot"))["data"])

    async def close(self) -> None:
        self._listening.cancel()
        with suppress(asyncio.CancelledError):
            await self._listening
        self._writer.close()

    async def _listen(self) -> None:
        while True:
            message = json.loads((await self._reader.readuntil(b"\0"))[:-1])
            if "id" in message:
                self._answered(self._waiting.pop(message["id"]), message)
            else:
                self._told(message["method"], message["params"])

    @staticmethod
    def _answered(waiting: "asyncio.Future[dict[str, Any]]", message: Mapping[str, Any]) -> None:
        if waiting.done():
            return
        if "error" in message:
            waiting.set_exception(AssertionError(message["error"]))
        else:
            waiting.set_result(message["result"])

    def _told(self, event: str, said: dict[str, Any]) -> None:
        if event == "Page.loadEventFired":
            self._loaded.set()
        elif event == "Network.requestWillBeSent":
            self.asked.append(said["request"]["url"])
        elif complaint := _complaint(event, said):
            self.complaints.append(complaint)


@asynccontextmanager
async def chromium() -> AsyncIterator[Tab]:
    """A separate browser with a temporary profile."""
    program = shutil.which("chromium")
    assert program, "Debian's package chromium is not installed"
    its_input, our_output = os.pipe()
    our_input, its_output = os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = await _started(program, profile, its_input, its_output)
        os.close(its_input)
        os.close(its_output)
        tab = Tab(*await _streams(our_input, our_output))
        try:
            await tab.attach()
            yield tab
        finally:
            await tab.close()
            process.kill()
            await process.wait()


async def _started(
    program: str, profile: str, its_input: int, its_output: int
) -> asyncio.subprocess.Process:
    """The protocol is spoken on the descriptors 3 and 4, which a shell puts where they belong."""
    moved = f'exec "$@" 3<&{its_input} 4>&{its_output}'
    return await asyncio.create_subprocess_exec(
        *("bash", "-c", moved, "bash", program, *_ARGUMENTS, f"--user-data-dir={profile}"),
        pass_fds=(its_input, its_output),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )


async def _streams(
    our_input: int, our_output: int
) -> tuple[asyncio.StreamReader, asyncio.WriteTransport]:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=_BIGGEST)
    await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(our_input, "rb", 0)
    )
    writer, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, os.fdopen(our_output, "wb", 0))
    return reader, writer
