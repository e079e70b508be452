"""The emulated workspace over HTTP: routes, the key, the request log, broken connections."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from email.utils import format_datetime
from http import HTTPStatus
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints, TypeAdapter, ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from watchdog.emulator import bodies
from watchdog.emulator.faults import Fault, Faults, InjectedFaults, Operation
from watchdog.emulator.limits import RateCounter, RateLimits
from watchdog.emulator.operations import Call
from watchdog.emulator.replies import Ending, Reply, denied, over_the_limit, reply
from watchdog.emulator.values import Deployment, NotFound, RequestRecord
from watchdog.emulator.wire import Wire
from watchdog.emulator.workspace import Workspace

Now = Callable[[], datetime]
"""The present time, aware: a system clock that never steps, or a virtual one."""

_SCHEMES = frozenset({"api-key", "bearer"})
_CHUNK = b"x" * 1_000_000
_FAULTS = TypeAdapter(tuple[Fault, ...])


def build_app(
    workspace: Workspace, *, api_key: str, now: Now, limits: RateLimits, faults: Faults, wire: Wire
) -> Starlette:
    """The management API over `workspace`, for requests with `api_key`. Under `/_emulator`, without
    the key, are the routes with which a test observes and controls it."""
    api = _Api(workspace, api_key, now, RateCounter(limits), faults, wire)
    model, development = "/v1/models/{model_id}", "/v1/models/{model_id}/deployments/development"
    app = Starlette(
        routes=[
            api.route("GET", "/v1/models", Operation.LIST_MODELS),
            api.route("GET", model, Operation.GET_MODEL),
            api.route("GET", f"{model}/deployments", Operation.LIST_DEPLOYMENTS),
            api.route("GET", development, Operation.GET_DEPLOYMENT),
            api.route("POST", f"{development}/retry", Operation.RETRY),
            api.route("GET", f"{model}/deployments/{{deployment_id}}/logs", Operation.GET_LOGS),
            api.route(
                "GET", f"{model}/deployments/{{deployment_id}}/startups", Operation.LIST_STARTUPS
            ),
            api.route("GET", f"{model}/audit_logs", Operation.LIST_AUDIT_LOGS),
            Route("/_emulator/requests", api.requests, methods=["GET"]),
            Route("/_emulator/faults", api.put_faults, methods=["PUT"]),
            Route("/_emulator/models/{model_id}/status", api.set_status, methods=["POST"]),
        ],
        exception_handlers={HTTPException: api.no_such_operation},
    )
    # A client that asks for a path which the API does not have should see that.
    app.router.redirect_slashes = False
    return app


class _Api:
    def __init__(
        self,
        workspace: Workspace,
        api_key: str,
        now: Now,
        counter: RateCounter,
        faults: Faults,
        wire: Wire,
    ) -> None:
        self._workspace = workspace
        self._api_key = api_key.encode()
        self._now = now
        self._counter = counter
        self._faults = faults
        self._faults_since = timedelta(0)
        self._wire = wire

    def route(self, method: str, path: str, operation: Operation) -> Route:
        async def endpoint(request: Request) -> Response:
            answer = self._answer(request, operation)
            date = format_datetime(self._now(), usegmt=True)
            response = await self._carry_out(request, answer)
            response.headers["Date"] = date
            return response

        return Route(path, endpoint, methods=[method], name=operation)

    def _answer(self, request: Request, operation: Operation) -> Reply:
        """Answer one request and remember it, all at one moment."""
        now = self._now()
        model_id = request.path_params.get("model_id")
        before = self._development(model_id, now)
        answer, faults = self._judge(request, operation, now)
        after = self._development(model_id, now)
        self._workspace.requests.append(
            RequestRecord(
                at=now,
                method=request.method,
                path=request.url.path,
                operation=operation,
                model_id=model_id,
                code=answer.code if answer.ending is Ending.ANSWERED else None,
                status=before.status if before else None,
                status_after=after.status if after else None,
                deployment=after,
                executed=answer.executed,
                retried=answer.retried,
                faults=faults.names,
                client=_client(request),
            )
        )
        return answer

    def _judge(
        self, request: Request, operation: Operation, now: datetime
    ) -> tuple[Reply, InjectedFaults]:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() not in _SCHEMES:
            return denied(None), InjectedFaults()
        if not secrets.compare_digest(key.encode("latin-1"), self._api_key):
            return denied(key), InjectedFaults()
        if (seconds := self._counter.wait(operation, now)) is not None:
            return over_the_limit(seconds), InjectedFaults()
        model_id = request.path_params.get("model_id")
        elapsed = self._workspace.elapsed(now) - self._faults_since
        faults = self._faults.take(operation, model_id, elapsed)
        deployment_id = request.path_params.get("deployment_id")
        parameters = request.query_params
        query = {name: parameters.getlist(name) for name in parameters}
        call = Call(operation, model_id, key, deployment_id, query)
        return reply(self._workspace, call, faults, now), faults

    async def _carry_out(self, request: Request, answer: Reply) -> Response:
        if answer.ending is Ending.HANG:
            await self._wire.hang(request)
            return Response()
        if answer.delay:
            await asyncio.sleep(answer.delay.total_seconds())
        if answer.ending is Ending.RESET:
            await self._wire.reset(request)
            return Response()
        if answer.padding:
            length = {"Content-Length": str(len(answer.body) + answer.padding)}
            return StreamingResponse(
                _padded(answer), answer.code, headers=length, media_type=answer.media_type
            )
        return Response(answer.body, answer.code, media_type=answer.media_type)

    def _development(self, model_id: str | None, now: datetime) -> Deployment | None:
        try:
            return None if model_id is None else self._workspace.development(model_id, now)
        except NotFound:
            return None

    async def no_such_operation(self, request: Request, error: Exception) -> Response:
        code = error.status_code if isinstance(error, HTTPException) else 500
        path = request.url.path
        client = _client(request)
        record = RequestRecord(self._now(), request.method, path, None, None, code, client=client)
        self._workspace.requests.append(record)
        body = bodies.error(HTTPStatus(code).name, "The emulator has no such operation.")
        return JSONResponse(body, status_code=code)

    async def requests(self, request: Request) -> Response:
        return JSONResponse({"requests": [bodies.request(r) for r in self._workspace.requests]})

    async def put_faults(self, request: Request) -> Response:
        """A list of faults as in a scenario. They replace the earlier faults, and their times count
        from now."""
        try:
            faults = _FAULTS.validate_json(await request.body())
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = "".join(f"[{part}]" for part in first["loc"])
            body = bodies.error("VALIDATION_ERROR", f"faults{where}: {first['msg']}")
            return JSONResponse(body, status_code=400)
        self._faults, self._faults_since = Faults(faults), self._workspace.elapsed(self._now())
        return JSONResponse({"faults": len(faults)})

    async def set_status(self, request: Request) -> Response:
        """`{"status": "BUILD_FAILED"}`; null takes the deployment away."""
        try:
            wanted = _Status.model_validate_json(await request.body())
            self._workspace.set_status(request.path_params["model_id"], wanted.status, self._now())
        except ValidationError:
            body = bodies.error("VALIDATION_ERROR", 'The body must be {"status": TEXT or null}.')
            return JSONResponse(body, status_code=400)
        except NotFound as error:
            return JSONResponse(bodies.error("NOT_FOUND", str(error)), status_code=404)
        return JSONResponse(wanted.model_dump())


def _client(request: Request) -> str | None:
    return f"{request.client.host}:{request.client.port}" if request.client else None


async def _padded(answer: Reply) -> AsyncIterator[bytes]:
    """The body with its filler inside the last text of it."""
    yield answer.body[:-2]
    for _ in range(answer.padding // len(_CHUNK)):
        yield _CHUNK
    yield answer.body[-2:]


class _Status(BaseModel):
    model_config = ConfigDict(extra="forbid")

    status: Annotated[str, StringConstraints(min_length=1)] | None
