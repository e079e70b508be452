"""The HTTP face of the emulated workspace: operations, key check, error shapes, request log."""

import secrets
from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from watchdog.emulator import bodies
from watchdog.emulator.world import NotFound, RequestRecord, World

Now = Callable[[], datetime]
"""The present time, aware: a system clock that never steps, or a virtual one."""

_Operation = Callable[[World, Request, datetime], bodies.Body]

_SCHEMES = frozenset({"api-key", "bearer"})


def build_app(world: World, *, api_key: str, now: Now) -> Starlette:
    """The management API over `world`, for requests with `api_key`; under `/_emulator`, without
    the key, what a test needs to look on and to interfere."""
    api = _Api(world, api_key, now)
    model, development = "/v1/models/{model_id}", "/v1/models/{model_id}/deployments/development"
    app = Starlette(
        routes=[
            api.route("GET", "/v1/models", _list_models),
            api.route("GET", model, _get_model),
            api.route("GET", f"{model}/deployments", _list_deployments),
            api.route("GET", development, _get_development),
            api.route("POST", f"{development}/retry", _retry_development),
            Route("/_emulator/requests", api.requests, methods=["GET"]),
            Route("/_emulator/models/{model_id}/status", api.set_status, methods=["POST"]),
        ],
        exception_handlers={HTTPException: api.no_such_operation},
    )
    # A client that asks for a path which the API does not have should see that.
    app.router.redirect_slashes = False
    return app


def _list_models(world: World, request: Request, now: datetime) -> bodies.Body:
    name = request.query_params.get("name")
    return bodies.models([m for m in world.models(now) if name is None or m.name == name])


def _get_model(world: World, request: Request, now: datetime) -> bodies.Body:
    return bodies.model(world.model(request.path_params["model_id"], now))


def _list_deployments(world: World, request: Request, now: datetime) -> bodies.Body:
    return bodies.deployments(world.model(request.path_params["model_id"], now))


def _get_development(world: World, request: Request, now: datetime) -> bodies.Body:
    return bodies.deployment(world.development(request.path_params["model_id"], now))


def _retry_development(world: World, request: Request, now: datetime) -> bodies.Body:
    return bodies.retry(world.retry(request.path_params["model_id"], now))


class _Api:
    def __init__(self, world: World, api_key: str, now: Now) -> None:
        self._world = world
        self._api_key = api_key.encode()
        self._now = now

    def route(self, method: str, path: str, operation: _Operation) -> Route:
        name = operation.__name__.removeprefix("_")

        async def endpoint(request: Request) -> Response:
            return self._respond(request, name, operation)

        return Route(path, endpoint, methods=[method], name=name)

    def _respond(self, request: Request, name: str, operation: _Operation) -> Response:
        """Answer one request and remember it, all at one moment."""
        now = self._now()
        status = self._status(request, now)
        code, body = self._denial(request) or self._answer(request, operation, now)
        self._remember(
            request, now, code, operation=name, status=status, retried=body.get("retried")
        )
        return JSONResponse(body, status_code=code)

    def _remember(
        self,
        request: Request,
        now: datetime,
        code: int,
        *,
        operation: str | None = None,
        status: str | None = None,
        retried: bool | None = None,
    ) -> None:
        self._world.requests.append(
            RequestRecord(
                at=now,
                method=request.method,
                path=request.url.path,
                operation=operation,
                model_id=request.path_params.get("model_id"),
                code=code,
                status=status,
                retried=retried,
            )
        )

    def _status(self, request: Request, now: datetime) -> str | None:
        try:
            return self._world.development(request.path_params["model_id"], now).status
        except (KeyError, NotFound):
            return None

    def _denial(self, request: Request) -> tuple[int, bodies.Body] | None:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() not in _SCHEMES:
            message = "Authentication credentials were not provided."
            return 401, bodies.error("UNAUTHENTICATED", message)
        if not secrets.compare_digest(key.encode("latin-1"), self._api_key):
            return 403, bodies.error("PERMISSION_DENIED", "Invalid API key.")
        return None

    def _answer(
        self, request: Request, operation: _Operation, now: datetime
    ) -> tuple[int, bodies.Body]:
        try:
            return 200, operation(self._world, request, now)
        except NotFound as error:
            return 404, bodies.error("NOT_FOUND", str(error))

    async def no_such_operation(self, request: Request, error: Exception) -> Response:
        code = error.status_code if isinstance(error, HTTPException) else 500
        self._remember(request, self._now(), code)
        body = bodies.error(HTTPStatus(code).name, "The emulator has no such operation.")
        return JSONResponse(body, status_code=code)

    async def requests(self, request: Request) -> Response:
        return JSONResponse({"requests": [bodies.request(r) for r in self._world.requests]})

    async def set_status(self, request: Request) -> Response:
        """`{"status": "BUILD_FAILED"}`; null takes the deployment away."""
        try:
            wanted = _Status.model_validate_json(await request.body())
            self._world.set_status(request.path_params["model_id"], wanted.status, self._now())
        except ValidationError:
            body = bodies.error("VALIDATION_ERROR", 'The body must be {"status": TEXT or null}.')
            return JSONResponse(body, status_code=400)
        except NotFound as error:
            return JSONResponse(bodies.error("NOT_FOUND", str(error)), status_code=404)
        return JSONResponse(wanted.model_dump())


class _Status(BaseModel):
    model_config = ConfigDict(extra="forbid")

    status: Annotated[str, StringConstraints(min_length=1)] | None
