"""Messages through Apprise, which knows the services. It is loaded only if a receiver may be one of
them: it takes half a second of CPU and 20 MB of memory."""

import contextvars
import logging
import warnings
from datetime import UTC, datetime
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from watchdog.engine.ports import Delivery
from watchdog.notify.webhook import asked_wait

if TYPE_CHECKING:
    from apprise import Apprise, NotifyType

_Answer = tuple[int, str, str | None]
"""A status, the beginning of a body, and `Retry-After`."""

_ANSWERS: contextvars.ContextVar[list[_Answer] | None] = contextvars.ContextVar(
    "answers", default=None
)

_MOST_CHARACTERS = 200

SERVICES = frozenset(
    {
        "46elks",
        "appsplatform",
        "azure",
        "ciscospark",
        "discord",
        "discordapp",
        "firehydrant",
        "flock",
        "fluxer",
        "getnotifyapp",
        "googleapis",
        "guilded",
        "ifttt",
        "incident",
        "kookapp",
        "lametric",
        "larksuite",
        "lfg",
        "notica",
        "ntfy",
        "powerplatform",
        "pushplus",
        "ryver",
        "slack",
        "slack-gov",
        "spike",
        "spug",
        "squadcast",
        "stackfield",
        "t2bot",
        "tkte",
        "victorops",
        "webexapis",
        "weixin",
        "wpush",
        "xmatters",
        "youlmk",
        "zendee",
        "zoho",
        "zohocloud",
        "zoom",
    }
)
"""If the host of an https URL contains one of these, Apprise may know the URL as that of a service,
so Apprise is asked. Every other https URL is a plain webhook."""


class NoApprise(Exception):
    """The extra `notify` is not installed."""


def is_webhook(url: str) -> bool:
    """Whether the URL is that of a plain webhook for certain, so that Apprise need not be loaded to
    find out."""
    try:
        split = urlsplit(url)
    except ValueError:
        return False
    parts = (split.hostname or "").split(".")
    return split.scheme in ("https", "http") and SERVICES.isdisjoint(parts)


@cache
def _apprise() -> ModuleType:
    """Raises NoApprise."""
    with warnings.catch_warnings():
        # On Python 3.11 and 3.12 it imports a module that is deprecated.
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            import apprise
        except ImportError:
            raise NoApprise from None
        # Only now it loads its services.
        apprise.Apprise.instantiate("json://localhost")
    # Its messages may name parts of a URL, and would go to standard error.
    logger = logging.getLogger("apprise")
    logger.propagate = False
    logger.addHandler(logging.NullHandler())
    _note_answers()
    return apprise


def _note_answers() -> None:
    """Keep what the receivers answer, which is needed for `Retry-After` and for operators: Apprise
    says only whether a message was taken. Its services send with `requests`."""
    import requests

    class Session(requests.Session):
        def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
            response = super().send(request, **options)
            answers = _ANSWERS.get()
            if answers is not None:
                said = response.text[:_MOST_CHARACTERS].strip().partition("\n")[0]
                answers.append((response.status_code, said, response.headers.get("Retry-After")))
            return response

    requests.Session = requests.sessions.Session = Session  # type: ignore[misc]


def service_of(url: str) -> "Apprise | None":
    """What sends to this URL; None if no service of Apprise has such a URL. Raises NoApprise."""
    apprise = _apprise()
    asset = apprise.AppriseAsset(
        app_id="baseten-watchdog",
        app_desc="baseten-watchdog",
        # In this thread, one try, without a limit of its own: it would need threads that delay
        # the end of the process.
        async_mode=False,
        service_timeout=0,
        default_service_retry=0,
        http_redirects=False,
        storage_mode=apprise.PersistentStoreMode.MEMORY,
    )
    service = apprise.Apprise.instantiate(url, asset=asset)
    if service is None:
        return None
    sender = apprise.Apprise(asset=asset)
    sender.add(service)
    return sender  # type: ignore[no-any-return]


def scheme_of(url: str) -> str | None:
    """The scheme of this URL, if a service of Apprise has it. Raises NoApprise."""
    scheme, separator, _ = url.partition("://")
    known = separator and scheme.lower() in _apprise().plugins.N_MGR
    return scheme.lower() if known else None


def send(service: "Apprise", title: str, text: str, kind: str) -> Delivery:
    """Send one message and wait for the answer. `kind` is failure, warning, info or success."""
    apprise = _apprise()
    answers: list[_Answer] = []
    token = _ANSWERS.set(answers)
    try:
        notify_type: NotifyType = apprise.NotifyType(kind)
        result = service.notify(
            body=text, title=title, notify_type=notify_type, body_format=apprise.NotifyFormat.TEXT
        )
    finally:
        _ANSWERS.reset(token)
    sent = bool(result)
    if answers:
        status, said, retry_after = answers[-1]
        wait = None if sent else asked_wait(retry_after, datetime.now(UTC))
        return Delivery(sent, f"HTTP {status}" + (f": {said}" if said else ""), wait)
    logged = [entry.message for entry in result.logs()]
    return Delivery(sent, logged[-1] if logged and not sent else ("taken" if sent else "not taken"))
