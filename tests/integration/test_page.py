"""The page without JavaScript: what is in its HTML, and how it is sent."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import TypeVar

import httpx
import pytest

from tests.fakes.events import LOGGED
from tests.fakes.fleet import HOSTILE, a_fleet
from tests.fakes.records import NOW
from tests.fakes.site import Site
from tests.fakes.sqlite import listening
from watchdog.domain.causes import Cause, Explanation
from watchdog.domain.records import Health
from watchdog.engine.events import BecameStandby
from watchdog.engine.fleet import teams
from watchdog.engine.fleet.overview import overview
from watchdog.engine.ports import LedgerTransaction, LedgerUnavailable
from watchdog.ledger import Role, SqlLedger
from watchdog.text.untrusted import clean

T = TypeVar("T")

_VOID = ("meta", "link", "input", "path")


class Html(HTMLParser):
    """Fails on what is not nested; knows the tags, their attributes and the text within."""

    def __init__(self, answer: httpx.Response) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.cells: list[list[str]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(answer.text)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self.cells.append([])
        elif tag in ("td", "th") and self.cells:
            self.cells[-1].append("")
        if tag not in _VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID:
            assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.cells and self.cells[-1] and {"td", "th"} & set(self._open):
            self.cells[-1][-1] += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def names(self) -> list[str]:
        """Of the models that the table shows, without their ids."""
        return [
            (attributes["id"] or "").removeprefix("model-")
            for attributes in self.all("a")
            if (attributes.get("id") or "").startswith("model-")
        ]

    def row(self, start: str) -> list[str]:
        return next(row for row in self.cells if row and row[0].startswith(start))


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    made = Site(a_fleet(10, hostile=True))
    await made.start()
    yield made
    await made.stop()


async def test_a_target_is_a_row_with_all_that_matters(site: Site) -> None:
    page = Html(await site.get("/"))
    model, state, status, day, used, window, following, why = page.row("llama-dev")
    assert model == "llama-devq81xw5rl"
    assert state == "waiting"
    assert status == "BUILD_FAILED 24m ago"
    assert day == "Last 24 hours: failing 24m, healthy 23h36m, 1 retry"
    assert (used, window) == ("1 of 4", "1 of 6")
    assert following == "in 7m"
    assert why == "The last retry did not help: the next one waits longer. backoff logs"


async def test_a_cause_is_shown_with_the_command_that_shows_its_lines() -> None:
    fleet = a_fleet(8)
    index = next(i for i, each in enumerate(fleet.targets) if each.model_id == "q81xw5rl")
    target = fleet.targets[index]
    assert target.episode is not None
    explained = replace(target.episode, explanation=Explanation(Cause.DEPENDENCY, "m", NOW))
    fleet.targets[index] = replace(target, episode=explained)
    site = Site(fleet)
    await site.start()
    try:
        assert "Cause: dependency" in Html(await site.get("/")).row("llama-dev")[-1]
        page = Html(await site.get("/targets/q81xw5rl"))
        assert f"Cause: {Cause.DEPENDENCY.sentence} dependency" in page.text
        assert "baseten-watchdog history q81xw5rl" in page.text
        assert "Cause:" not in Html(await site.get("/targets/7hs2v0yb")).text
    finally:
        await site.stop()


async def test_a_model_leads_to_its_page_and_its_logs_in_baseten() -> None:
    site = Site(a_fleet(8), app_url="https://app.example.com")
    await site.start()
    try:
        links = {each["href"] for each in Html(await site.get("/targets/7hs2v0yb")).all("a")}
        model = "https://app.example.com/models/7hs2v0yb"
        assert {model, f"{model}/logs/d1"} <= links
        assert f"{model}/logs/d1" in {each["href"] for each in Html(await site.get("/")).all("a")}
    finally:
        await site.stop()


async def test_the_commands_of_a_model_are_ready_to_copy(site: Site) -> None:
    text = Html(await site.get("/targets/7hs2v0yb")).text
    for command in ("history 7hs2v0yb", "pause 7hs2v0yb --for 2h", "reset 7hs2v0yb"):
        assert f"baseten-watchdog {command}" in text
    assert "baseten-watchdog retry" not in text


async def test_what_happened_lately_is_below_it(site: Site) -> None:
    page = Html(await site.get("/"))
    assert page.row("2026-03-01 09:00:00") == [
        "2026-03-01 09:00:00",
        "mistral-dev",
        "reset its attempts",
        "weights uploaded anew",
        "ann@desk",
    ]
    assert page.row("2026-03-01 10:48:00")[1:3] == ["sdxl-dev", "retry 4: accepted"]


async def test_an_empty_fleet_says_what_to_do() -> None:
    fleet = a_fleet(0)
    fleet.targets.clear()
    fleet.attempts.clear()
    site = Site(fleet)
    await site.start()
    try:
        text = Html(await site.get("/")).text
        for part in ("No model is watched", "models:", "discovery:", "baseten-watchdog init"):
            assert part in text
    finally:
        await site.stop()


async def test_the_state_of_the_fleet_is_above_it(site: Site) -> None:
    page = Html(await site.get("/"))
    for text in (
        "2 models need you",
        "As of 2026-03-01 12:00:00 UTC",
        "answers key accepted",
        "answers SQLite",
        "9 of 10 left",
        "41 of 50 left",
        "watchdog-1/99aa00",
        "0.1.0",
    ):
        assert text in page.text


async def test_every_answer_has_the_strict_headers(site: Site) -> None:
    for path in ("/", "/targets/7hs2v0yb", "/targets/none", "/static/page.css", "/static/none"):
        headers = (await site.get(path)).headers
        policy = headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; style-src 'self'; script-src 'self';")
        assert "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
    assert (await site.get("/")).headers["Cache-Control"] == "no-store"


async def test_it_loads_what_it_names_and_nothing_from_elsewhere(site: Site) -> None:
    for path in ("/", "/targets/7hs2v0yb"):
        page = Html(await site.get(path))
        assert not any(
            "style" in attributes or "onclick" in attributes for _, attributes in page.tags
        )
        for attributes in (*page.all("link"), *page.all("script")):
            url = attributes.get("href") or attributes.get("src") or ""
            assert url.startswith(".")
            answer = await site.get(str(httpx.URL(f"http://x{path}").join(url).raw_path, "ascii"))
            assert answer.status_code == 200
            assert "immutable" in answer.headers["Cache-Control"]


@pytest.mark.parametrize("path", ["/", "/targets/7hs2v0yb", "/static/page.js"])
async def test_it_is_for_reading_only(path: str, site: Site) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert (await site.get(path, method)).status_code == 405
    assert (await site.get(path, "HEAD")).status_code == 200


@pytest.mark.parametrize(
    ("query", "names"),
    [
        pytest.param("?q=LLAMA", ["q81xw5rl"], id="by-name"),
        pytest.param("?q=z3p", ["m6z3p9td"], id="by-id"),
        pytest.param("?state=paused", ["j5c8g1uf"], id="by-state"),
        pytest.param("?q=llama&state=paused", [], id="by-both"),
        pytest.param("?state=exhausted", ["h0st1le0", "7hs2v0yb"], id="by-name-within-a-state"),
        pytest.param("?q=a-dev&sort=model&order=desc", ["q81xw5rl", "b8r4c6tz"], id="turned"),
        pytest.param(
            "?state=rubbish&q=llama&sort=rubbish&order=rubbish", ["q81xw5rl"], id="rubbish"
        ),
    ],
)
async def test_it_is_filtered_by_its_address(query: str, names: list[str], site: Site) -> None:
    page = Html(await site.get(f"/{query}"))
    assert page.names == names
    assert f"{len(names)} of 10 models" in page.text
    assert ("No model matches" in page.text) is not bool(names)


async def test_a_team_is_shown_and_is_filtered_by(site: Site) -> None:
    await site.ledger.transact(lambda tx: teams.save(tx, {"q81xw5rl": "Chat <b>"}))
    page = Html(await site.get("/?q=chat"))
    assert page.names == ["q81xw5rl"]
    assert "Chat <b>" in page.text
    assert "TeamChat <b>" in Html(await site.get("/targets/q81xw5rl")).text
    assert "Team-" in Html(await site.get("/targets/m6z3p9td")).text


@pytest.mark.parametrize(
    ("sort", "first", "last"),
    [
        ("model", "h0st1le0", "m6z3p9td"),
        ("state", "h0st1le0", "m0000009"),
        ("status", "m0000008", "x3f7h1qn"),
        ("since", "m6z3p9td", "m0000009"),
        ("attempts", "7hs2v0yb", "m0000009"),
        ("day", "7hs2v0yb", "m0000009"),
        ("next", "q81xw5rl", "m6z3p9td"),
        ("why", "m6z3p9td", "h0st1le0"),
    ],
)
async def test_it_is_sorted_by_each_column(sort: str, first: str, last: str, site: Site) -> None:
    links = {each.get("id"): each.get("href") for each in Html(await site.get("/")).all("a")}
    query = "?sort=state" if sort == "state" else links[f"sort-{sort}"]
    page = Html(await site.get(f"/{query}"))
    assert (page.names[0], page.names[-1], len(page.names)) == (first, last, 10)
    (heading,) = [each for each in page.all("th") if "aria-sort" in each]
    assert heading["aria-sort"] == "ascending"


async def test_the_form_keeps_what_the_links_chose(site: Site) -> None:
    page = Html(await site.get("/?q=dev&state=healthy&sort=next&order=desc"))
    sent = {each.get("name"): each.get("value") for each in page.all("input")}
    assert sent == {"q": "dev", "state": "healthy", "sort": "next", "order": "desc"}
    link = next(each for each in page.all("a") if each.get("id") == "state-paused")
    assert link["href"] == "?q=dev&state=paused&sort=next&order=desc"


async def test_one_target_has_a_page_of_its_own(site: Site) -> None:
    page = Html(await site.get("/targets/7hs2v0yb"))
    for text in (
        "sdxl-dev 7hs2v0yb",
        "All retries of this failure are used up: a person is needed. episode_spent",
        "4 of 4",
        "4 of 6 in 1d",
        "Last 24 hours: failing 5h24m, in progress 6m, healthy 18h30m, 4 retries",
    ):
        assert text in page.text
    assert page.row("2026-03-01 10:48:00")[1:] == [
        "4",
        "accepted",
        "it failed again refailed",
        "CUDA 12.4 is not available on this accelerator",
        "watchdog-0/5f3a2c",
    ]
    assert page.row("2026-03-01 06:30:00")[1:] == ["BUILD_FAILED", "not yet", "goes on"]
    assert page.row("before") == ["before", "ACTIVE", "18h30m"]
    reset = Html(await site.get("/targets/j5c8g1uf")).row("2026-03-01 09:00:00")
    assert reset[1:] == ["ann@desk", "reset its attempts", "-", "weights uploaded anew"]
    assert "It was never retried." in Html(await site.get("/targets/b8r4c6tz")).text


async def test_a_target_that_left_the_configuration_is_shown_as_it_was_left(site: Site) -> None:
    settings = site.live.current
    models = {key: model for key, model in settings.models.items() if key != "7hs2v0yb"}
    site.live.current = replace(settings, models=models)
    page = Html(await site.get("/targets/7hs2v0yb"))
    assert "Retries, in its window-" in page.text.replace("\n", "")
    assert "sdxl-dev" in Html(await site.get("/")).text


async def test_a_target_that_nobody_watches_has_no_next_retry_and_was_seen(site: Site) -> None:
    settings = site.live.current
    models = {key: model for key, model in settings.models.items() if key != "q81xw5rl"}
    site.live.current = replace(settings, models=models)
    waits = (await site.get("/targets/q81xw5rl")).text
    assert "Next retry" in waits

    def leave(tx: LedgerTransaction) -> None:
        target = tx.targets.get("q81xw5rl")
        assert target is not None
        assert target.decision.until is not None
        tx.targets.save_all([replace(target, watched=False, health=None, status=None)])

    await site.ledger.transact(leave)
    left = Html(await site.get("/targets/q81xw5rl")).text
    assert "not watched It is not watched any more. This is what was recorded last." in left
    for text in ("Next retry", "not seen yet", "unknown"):
        assert text not in left


@pytest.mark.parametrize("model_id", ["none", "%3Cscript%3E", "..%2F..%2Fetc", "%00"])
async def test_an_unknown_target_is_a_404(model_id: str, site: Site) -> None:
    answer = await site.get(f"/targets/{model_id}")
    assert answer.status_code == 404
    assert "<script>" not in answer.text
    assert "\0" not in answer.text


@pytest.mark.parametrize("model_id", ["%00", "%0A", "%E2%80%AE", "x" * 101])
async def test_what_can_be_no_id_is_not_asked_for(model_id: str, site: Site) -> None:
    before = site.ledger.transactions
    assert (await site.get(f"/targets/{model_id}")).status_code == 404
    assert site.ledger.transactions == before


async def test_hostile_text_is_printed_and_nothing_else(site: Site) -> None:
    for path in ("/", "/targets/h0st1le0"):
        answer = await site.get(path)
        page = Html(answer)
        assert clean(HOSTILE) in page.text
        assert "\x1b" not in answer.text
        assert "\u202e" not in answer.text
        assert all(each.get("src") for each in page.all("script"))
    script = "%22%3E%3Cscript%3Ealert(1)%3C/script%3E"
    asked = Html(await site.get(f"/?q={script}"))
    assert len(asked.all("script")) == 1
    assert '"><script>alert(1)</script>' in [each.get("value") for each in asked.all("input")]


async def test_a_standby_says_so_and_shows_what_the_ledger_has(site: Site) -> None:
    site.condition(BecameStandby())
    page = Html(await site.get("/"))
    assert "This replica stands by: watchdog-0/5f3a2c watches." in page.text
    assert len(page.names) == 10


@pytest.mark.parametrize("path", ["/", "/targets/7hs2v0yb"])
async def test_a_ledger_that_is_away_is_reported_in_one_sentence(path: str, site: Site) -> None:
    site.ledger.fail_with = LedgerUnavailable("postgresql://secret@host is gone")
    answer = await site.get(path)
    page = Html(answer)
    assert answer.status_code == 503
    assert "The ledger does not answer" in page.text
    assert "Nothing is retried until it does" in page.text
    assert "secret" not in answer.text
    assert page.all("main")[0]["data-page"] == "away"


async def test_many_readers_are_one_reading(site: Site) -> None:
    before = site.ledger.transactions
    await asyncio.gather(*(site.get(f"/?q={number}") for number in range(8)))
    assert site.ledger.transactions == before + 1
    site.clock.seconds = 0.9
    await site.get("/")
    assert site.ledger.transactions == before + 1
    site.clock.seconds = 1.0
    await site.get("/")
    assert site.ledger.transactions == before + 2


@pytest.fixture
async def large() -> AsyncIterator[Site]:
    made = Site(a_fleet(250))
    await made.start()
    yield made
    await made.stop()


async def test_a_large_fleet_is_shown_in_pages_the_most_urgent_first(large: Site) -> None:
    pages = [Html(await large.get(f"/?page={number}")) for number in (1, 2, 3)]
    assert [len(page.names) for page in pages] == [100, 100, 50]
    assert pages[0].names[0] == "7hs2v0yb"
    names = [name for page in pages for name in page.names]
    assert sorted(names) == sorted(each.model_id for each in large.fleet.targets)
    for page, shown in zip(pages, ("1 to 100", "101 to 200", "201 to 250"), strict=True):
        assert f"{shown} of 250 models" in page.text
        assert "1 model needs you" in page.text
        assert "all 250" in page.text


async def test_each_page_leads_to_the_one_before_and_after_it(large: Site) -> None:
    path, seen = "/?sort=model&state=healthy", []
    while path:
        page = Html(await large.get(path))
        seen.append(page.names)
        links = {each.get("rel"): each["href"] for each in page.all("a") if "rel" in each}
        assert ("prev" in links) == (len(seen) > 1)
        path = f"/{links['next']}".partition("#")[0] if "next" in links else ""
    assert len(seen) == 3
    shown = [name for names in seen for name in names]
    assert shown == sorted(set(shown), key=shown.index)
    assert len(shown) == sum(each.health is Health.HEALTHY for each in large.fleet.targets)


async def test_another_order_or_filter_begins_with_its_first_page(large: Site) -> None:
    page = Html(await large.get("/?page=3"))
    soft = [each["href"] or "" for each in page.all("a") if "data-soft" in each]
    assert soft
    assert not any("page=" in href for href in soft)


@pytest.mark.parametrize(
    ("number", "first"),
    [("4", 201), ("999999999", 201), ("0", 1), ("-1", 1), ("x", 1), ("9" * 5000, 1), ("", 1)],
)
async def test_a_page_that_does_not_exist_is_the_nearest(
    number: str, first: int, large: Site
) -> None:
    assert f"{first} to " in Html(await large.get(f"/?page={number}")).text


async def test_a_page_is_as_large_however_large_the_fleet_is(large: Site) -> None:
    twice = Site(a_fleet(500))
    await twice.start()
    try:
        sizes = [len((await each.get("/?sort=model")).content) for each in (large, twice)]
    finally:
        await twice.stop()
    assert sizes[1] < 1.05 * sizes[0]


async def test_what_is_shown_is_new_though_the_reading_is_kept(site: Site) -> None:
    assert "answers key accepted" in Html(await site.get("/")).text
    assert [len(Html(await site.get("/?q=llama")).names) for _ in range(2)] == [1, 1]
    site.condition(LOGGED["auth_failed"])
    page = Html(await site.get("/?q=llama"))
    assert "refuses the key" in page.text
    assert page.names == ["q81xw5rl"]


async def test_a_reading_that_took_long_is_kept_for_longer(tmp_path: Path) -> None:
    site = Site(cpu=iter([0.0, 0.5, 10.0, 10.5]).__next__)
    await site.start()
    try:
        before = site.ledger.transactions
        for seconds, readings in ((0.0, 1), (19.9, 1), (20.0, 2)):
            site.clock.seconds = seconds
            await site.get("/")
            assert site.ledger.transactions == before + readings
    finally:
        await site.stop()


async def test_more_requests_than_may_wait_are_refused_at_once(site: Site) -> None:
    path = "/targets/7hs2v0yb"
    site.ledger.opens_with = asyncio.Event()
    asked = [asyncio.ensure_future(site.get(path)) for _ in range(17)]
    (first,), waiting = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
    refused = first.result()
    assert (refused.status_code, refused.text) == (503, "too many pages at once\n")
    assert int(refused.headers["Retry-After"]) > 0
    assert (await site.get("/healthz")).status_code == 200
    site.ledger.opens_with.set()
    assert {each.status_code for each in await asyncio.gather(*waiting)} == {200}


async def test_the_number_of_queries_does_not_grow_with_the_fleet(tmp_path: Path) -> None:
    counts = []
    for size in (8, 40):
        fleet = a_fleet(size)
        site = Site(fleet)
        ledger = SqlLedger.open(
            f"sqlite:///{tmp_path}/{size}.db",
            clock=site.clock,
            base_url="https://api.example.com",
            role=Role.DAEMON,
        )
        try:
            await ledger.transact(fleet.write)
            settings = site.live.current
            read = _counting(lambda tx, s=settings: overview(tx, s.policies, s.limits))  # type: ignore[misc]
            counted, seen = await ledger.transact(read)
            counts.append(counted)
            assert len(seen.targets) == size
            in_memory = await _written(site)
            assert seen == in_memory
        finally:
            await ledger.close()
            await site.stop()
    assert counts[0] == counts[1] < 20


def _counting(
    work: Callable[[LedgerTransaction], T],
) -> Callable[[LedgerTransaction], tuple[int, T]]:
    def counted(tx: LedgerTransaction) -> tuple[int, T]:
        statements: list[str] = []

        def note(*arguments: object) -> None:
            statements.append(str(arguments[2]))

        with listening("before_cursor_execute", note):
            done = work(tx)
        return len(statements), done

    return counted


async def _written(site: Site) -> object:
    await site.ledger.transact(site.fleet.write)
    assert site.clock.now() == NOW
    return await site.view.fleet()
