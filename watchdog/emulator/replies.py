"""The result of one request: whether it is executed, and what is sent back. No I/O."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from watchdog.emulator import bodies
from watchdog.emulator.faults import NOT_EXECUTED, Fault, FaultKind, InjectedFaults
from watchdog.emulator.operations import Call, execute
from watchdog.emulator.queries import InvalidQuery
from watchdog.emulator.values import NotFound
from watchdog.emulator.workspace import Workspace

HUGE_BYTES = 50_000_000

_JSON, _HTML = "application/json", "text/html"

_HTML_PAGE = b"<html><head><title>%d %s</title></head><body><h1>%s</h1></body></html>\n"


class Ending(StrEnum):
    """How the connection goes on."""

    ANSWERED = "answered"
    RESET = "reset"
    HANG = "hang"


@dataclass(frozen=True, slots=True)
class Reply:
    """What is sent, after `delay` in real time; nothing, unless `ending` is `answered`.

    `padding` bytes of filler stand in the middle of the body, where `body` is cut in two.
    """

    code: int
    body: bytes
    media_type: str = _JSON
    executed: bool = False
    retried: bool | None = None
    ending: Ending = Ending.ANSWERED
    delay: timedelta = timedelta(0)
    padding: int = 0


def reply(workspace: Workspace, call: Call, faults: InjectedFaults, now: datetime) -> Reply:
    """Answer a call that is within the rate limits and has the right key, or apply a fault to
    it."""
    late = faults.beside_of(FaultKind.LATE)
    delay = timedelta(0) if late is None else late.delay
    main = faults.main
    if main is not None and main.fault in NOT_EXECUTED:
        return _not_executed(main, delay)
    try:
        code, body = 200, execute(workspace, call, faults, now)
    except NotFound as error:
        code, body = 404, bodies.error("NOT_FOUND", str(error))
    except InvalidQuery as error:
        code, body = 400, bodies.error("VALIDATION_ERROR", str(error))
    retried = body.get("retried")
    kind = main.fault if main is not None and code == 200 else None
    answer = Reply(code, b"", executed=code == 200, retried=retried, delay=delay)
    return _as_it_should_not_be(answer, body, kind, call)


def denied(key: str | None) -> Reply:
    """No key, or a wrong one."""
    if key is None:
        message = "Authentication credentials were not provided."
        return Reply(401, _json(bodies.error("UNAUTHENTICATED", message)))
    return Reply(403, _json(bodies.error("PERMISSION_DENIED", "Invalid API key.")))


def over_the_limit(seconds: int) -> Reply:
    """A 429 as it is documented: no header, and the seconds in the body."""
    return Reply(429, _json({"error": "Rate limit exceeded.", "retry_after": seconds}))


def _not_executed(fault: Fault, delay: timedelta) -> Reply:
    match fault.fault:
        case FaultKind.THROTTLED:
            body = {"error": "Rate limit exceeded."}
            if fault.retry_after is not None:
                body["retry_after"] = fault.retry_after
            return Reply(429, _json(body), delay=delay)
        case FaultKind.UNAUTHORIZED:
            return Reply(401, _json(bodies.error("UNAUTHENTICATED", "Bad key.")), delay=delay)
        case FaultKind.FORBIDDEN:
            body = bodies.error("PERMISSION_DENIED", "The key may not do this.")
            return Reply(403, _json(body), delay=delay)
        case FaultKind.UNAVAILABLE:
            return _page(503, b"Service Unavailable", delay)
        case FaultKind.NOT_FOUND:
            return _page(404, b"Not Found", delay)
        case FaultKind.RESET:
            return Reply(0, b"", ending=Ending.RESET, delay=delay)
    return Reply(0, b"", ending=Ending.HANG)


def _as_it_should_not_be(
    answer: Reply, body: bodies.Body, kind: FaultKind | None, call: Call
) -> Reply:
    match kind:
        case FaultKind.LOST_ANSWER:
            return replace(answer, ending=Ending.HANG)
        case FaultKind.RESET_AFTER:
            return replace(answer, ending=Ending.RESET)
        case FaultKind.GATEWAY_TIMEOUT:
            page = _page(504, b"Gateway Timeout", answer.delay)
            return replace(page, executed=answer.executed, retried=answer.retried)
        case FaultKind.TRUNCATED:
            text = _json(body)
            return replace(answer, body=text[: len(text) // 2])
        case FaultKind.HUGE:
            return replace(answer, body=_json({**body, "padding": ""}), padding=HUGE_BYTES)
    if kind is not None:
        body = _CHANGED[kind](body, call.key)
    return replace(answer, body=_json(body))


def _ill_typed(body: bodies.Body, _: str) -> bodies.Body:
    """The body with a number in place of each text, and a text in place of each other value."""
    return {name: 7 if isinstance(value, str) else "seven" for name, value in body.items()}


def _retried_text(body: bodies.Body, _: str) -> bodies.Body:
    return {**body, "retried": "yes"}


def _other_deployment(body: bodies.Body, _: str) -> bodies.Body:
    return {**body, "deployment": {**body["deployment"], "id": "another1"}}


def _other_model(body: bodies.Body, key: str) -> bodies.Body:
    """A complete deployment of another model, whose build failed."""
    if "deployment" in body:
        return {**body, "deployment": _other_model(body["deployment"], key)}
    return {**body, "id": "another1", "model_id": "another1", "status": "BUILD_FAILED"}


def _unreadable_entry(body: bodies.Body, key: str) -> bodies.Body:
    """The list, with values of wrong types in its first model."""
    models = body["models"]
    return {**body, "models": [*(_ill_typed(each, key) for each in models[:1]), *models[1:]]}


def _hostile_reason(body: bodies.Body, key: str) -> bodies.Body:
    """Text that attacks a terminal, a log or their readers: it must be made harmless before it is
    shown."""
    reason = f"\x1b[31mred\x1b[0m\x07\r\n\x00level=error \u202eevil {key} <script>[bold]"
    return {**body, "reason": reason}


_CHANGED: dict[FaultKind, Callable[[bodies.Body, str], bodies.Body]] = {
    FaultKind.ILL_TYPED: _ill_typed,
    FaultKind.RETRIED_TEXT: _retried_text,
    FaultKind.OTHER_DEPLOYMENT: _other_deployment,
    FaultKind.OTHER_MODEL: _other_model,
    FaultKind.UNREADABLE_ENTRY: _unreadable_entry,
    FaultKind.HOSTILE_REASON: _hostile_reason,
}


def _page(code: int, text: bytes, delay: timedelta) -> Reply:
    return Reply(code, _HTML_PAGE % (code, text, text), media_type=_HTML, delay=delay)


def _json(body: bodies.Body) -> bytes:
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()
