"""The JSON API over a real socket, and its description."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.fleet import a_fleet
from tests.fakes.records import NOW
from tests.fakes.site import Site
from watchdog.domain.records import Action, ActionKind
from watchdog.engine.fleet.shapes import fleet_json, target_json
from watchdog.engine.ports import LedgerUnavailable
from watchdog.text.json_text import json_text

DESCRIPTION = Path(__file__).parents[2] / "docs" / "api.md"
PATHS = ("/api/v1/targets", "/api/v1/targets/7hs2v0yb", "/api/v1/fleet")


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    made = Site(a_fleet(10), app_url="https://app.example.com")
    await made.start()
    until = NOW + timedelta(hours=1)
    pause = Action(NOW, ActionKind.PAUSE, None, "ann@desk", "incident", until=until)
    await made.ledger.transact(lambda tx: tx.actions.add(pause))
    yield made
    await made.stop()


async def read(site: Site, path: str) -> Any:
    answer = await site.get(path)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    return answer.json()


async def test_the_shapes_are_those_of_the_command(site: Site) -> None:
    seen = await site.view.fleet()
    targets = (await site.get("/api/v1/targets")).text
    shapes = [target_json(each, seen.now, "https://app.example.com") for each in seen.targets]
    assert targets == json_text({"targets": shapes})
    assert (await site.get("/api/v1/fleet")).text == json_text(fleet_json(seen))


async def test_a_target_is_the_same_alone_and_among_all(site: Site) -> None:
    every = (await read(site, "/api/v1/targets"))["targets"]
    assert len(every) == 10
    for each in every:
        assert await read(site, f"/api/v1/targets/{each['model_id']}") == each


async def test_a_target_leads_to_its_model_and_its_logs_in_baseten(site: Site) -> None:
    assert (await read(site, "/api/v1/targets/7hs2v0yb"))["links"] == {
        "model": "https://app.example.com/models/7hs2v0yb",
        "logs": "https://app.example.com/models/7hs2v0yb/logs/d1",
    }


async def test_a_target_that_left_the_configuration_is_answered_alone(site: Site) -> None:
    def leave(tx: Any) -> None:
        tx.targets.save(replace(tx.targets.get("7hs2v0yb"), watched=False))

    settings = site.live.current
    models = {key: model for key, model in settings.models.items() if key != "7hs2v0yb"}
    site.live.current = replace(settings, models=models)
    await site.ledger.transact(leave)
    ids = [each["model_id"] for each in (await read(site, "/api/v1/targets"))["targets"]]
    assert len(ids) == 9
    assert "7hs2v0yb" not in ids
    alone = await read(site, "/api/v1/targets/7hs2v0yb")
    assert (alone["watched"], alone["attempts_allowed"]) == (False, None)


@pytest.mark.parametrize("model_id", ["none", "%00", "%E2%80%AE", "x" * 101, "%3Cscript%3E"])
async def test_an_unknown_id_is_a_404_in_json(model_id: str, site: Site) -> None:
    answer = await site.get(f"/api/v1/targets/{model_id}")
    assert answer.status_code == 404
    assert answer.json()["error"].startswith("the ledger knows no model")


@pytest.mark.parametrize("path", PATHS)
async def test_a_ledger_that_is_away_is_a_503_in_json(path: str, site: Site) -> None:
    site.ledger.fail_with = LedgerUnavailable("postgresql://secret@host is gone")
    answer = await site.get(path)
    assert answer.status_code == 503
    assert answer.json() == {"error": "the ledger does not answer"}


@pytest.mark.parametrize("path", PATHS)
async def test_it_is_for_reading_only_and_no_client_may_cache_it(path: str, site: Site) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert (await site.get(path, method)).status_code == 405
    headers = (await site.get(path, "HEAD")).headers
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"


async def test_it_has_its_turns_together_with_the_page(site: Site) -> None:
    site.ledger.opens_with = asyncio.Event()
    paths = ["/targets/7hs2v0yb", "/api/v1/targets/7hs2v0yb"] * 8 + ["/api/v1/fleet"]
    asked = [asyncio.ensure_future(site.get(path)) for path in paths]
    (first,), waiting = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
    refused = first.result()
    assert refused.status_code == 503
    assert "too many pages at once" in refused.text
    assert int(refused.headers["Retry-After"]) > 0
    site.ledger.opens_with.set()
    assert {each.status_code for each in await asyncio.gather(*waiting)} == {200}


def described(heading: str) -> dict[str, str]:
    """The fields in the table under a heading of the description, each with its type."""
    sections = re.split(r"(?m)^#{2,3} ", DESCRIPTION.read_text())
    (section,) = (each for each in sections if each.startswith(f"{heading}\n"))
    return dict(re.findall(r"(?m)^\| `(\w+)` \| ([a-z ]+) \|", section))


def is_time(value: object) -> bool:
    return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None


TYPES: Mapping[str, Callable[[object], bool]] = {
    "text": lambda value: isinstance(value, str),
    "time": is_time,
    "number": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "true": lambda value: value is True,
    "false": lambda value: value is False,
    "null": lambda value: value is None,
    "list": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}


def hold(heading: str, answers: Iterable[Mapping[str, object]]) -> None:
    """Each answer has the described fields and no other, each of a described type."""
    fields, count = described(heading), 0
    for count, answer in enumerate(answers, start=1):  # noqa: B007 - how many there were
        assert list(answer) == list(fields)
        for name, value in answer.items():
            assert any(TYPES[each](value) for each in fields[name].split(" or ")), (name, value)
    assert count > 0


async def test_each_field_is_described_with_its_type(site: Site) -> None:
    targets = (await read(site, "/api/v1/targets"))["targets"]
    hold("A target", targets)
    hold("`links`", [each["links"] for each in targets])
    fleet = await read(site, "/api/v1/fleet")
    hold("The fleet", [fleet])
    hold("Each of `pauses`", fleet["pauses"])
    hold("Each of `replicas`", fleet["replicas"])
    for name in ("summary", "fleet", "api"):
        hold(f"`{name}`", [fleet[name]])


def test_each_path_is_described() -> None:
    rows = re.findall(r"(?m)^\| `(/api/\S+)` \|", DESCRIPTION.read_text())
    assert rows == ["/api/v1/targets", "/api/v1/targets/{id}", "/api/v1/fleet"]


@pytest.mark.parametrize("path", ["/api", "/api/", "/api/v1", "/api/v1/targets/", "/api/v2/fleet"])
async def test_a_path_that_there_is_not_is_a_404_in_json(path: str, site: Site) -> None:
    answer = await site.get(path)
    assert answer.status_code == 404
    assert answer.json()["error"].startswith("there is no such path: ")
