"""The page in a real browser: Debian's Chromium."""

import re
import statistics
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.deploy.browser import Tab, chromium
from tests.deploy.grafana_schema import installed
from tests.fakes.events import LOGGED
from tests.fakes.fleet import HOSTILE, OTHER, Seeded, a_fleet
from tests.fakes.records import NOW, ago, refailed
from tests.fakes.site import Site
from watchdog.domain.breaker import Opening
from watchdog.domain.records import Action, ActionKind
from watchdog.engine.events import Event
from watchdog.engine.ports import LedgerTransaction, LedgerUnavailable
from watchdog.text.untrusted import clean

ROWS = "document.querySelectorAll('.targets tbody tr').length"
NAMES = "[...document.querySelectorAll('.targets tbody th a')].map(a => a.textContent)"
REFRESH = "document.dispatchEvent(new Event('visibilitychange'))"
"""The event that a tab gets when it becomes visible again."""


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    made = Site(a_fleet(18, hostile=True))
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def tab() -> AsyncIterator[Tab]:
    async with chromium() as opened:
        await opened.look()
        yield opened
        assert opened.complaints == []


def empty() -> Seeded:
    """A fleet without a model, whose settings watch none."""
    fleet = a_fleet(0)
    fleet.targets.clear()
    fleet.attempts.clear()
    return fleet


async def rename(site: Site, model_id: str, name: str) -> None:
    """As after a change of the configuration, some time later."""

    def work(tx: LedgerTransaction) -> None:
        target = tx.targets.get(model_id)
        assert target is not None
        tx.targets.save(replace(target, name=name))

    await site.ledger.transact(work)
    site.later()


async def test_the_page_renders_and_loads_nothing_from_other_hosts(site: Site, tab: Tab) -> None:
    await tab.open(f"{site.server.url}/")
    assert await tab.value("document.querySelector('h1').textContent") == "2 models need you"
    assert await tab.value(ROWS) == 18
    paint = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
    await tab.until(paint)
    painted = await tab.value(paint)
    assert painted > 0
    assert len(tab.asked) >= 4
    assert all(url.startswith(site.server.url) for url in tab.asked)


async def test_the_table_is_filtered_while_typing_and_the_caret_stays(site: Site, tab: Tab) -> None:
    await tab.open(f"{site.server.url}/?state=healthy")
    await tab.value("document.getElementById('q').focus()")
    await tab.type("emb")
    await tab.until(f"{ROWS} === 2")
    assert await tab.value("document.getElementById('shown').textContent") == "2 of 18 models"
    assert await tab.value("document.activeElement.id") == "q"
    assert await tab.value("location.search") == "?q=emb&state=healthy"
    await tab.type("eddings-1")
    await tab.until(f"{ROWS} === 1")
    assert await tab.value("document.getElementById('q').value") == "embeddings-1"


async def test_it_is_sorted_in_place_and_back_again(site: Site, tab: Tab) -> None:
    await tab.open(f"{site.server.url}/")
    first = await tab.value(NAMES)
    await tab.value("window.same = true; document.getElementById('sort-model').focus()")
    await tab.value("document.getElementById('sort-model').click()")
    await tab.until("document.querySelector('th[aria-sort] a').id === 'sort-model'")
    by_name = await tab.value(NAMES)
    assert by_name == sorted(by_name, key=str.casefold) != first
    assert await tab.value("document.activeElement.id") == "sort-model"
    await tab.value("document.getElementById('sort-model').click()")
    await tab.until("document.querySelector('th[aria-sort=descending]')")
    assert await tab.value(NAMES) == by_name[::-1]
    await tab.value("document.getElementById('state-paused').click()")
    await tab.until(f"{ROWS} === 1")
    await tab.value("history.back()")
    await tab.until(f"{ROWS} === 18")
    assert await tab.value("window.same"), "it was loaded anew"


async def test_it_is_refreshed_in_place(site: Site, tab: Tab) -> None:
    await tab.look(height=300)
    await tab.open(f"{site.server.url}/?sort=model")
    await tab.value(
        "window.same = true; window.scrollTo(0, 250);"
        "document.getElementById('model-7hs2v0yb').focus({preventScroll: true})"
    )
    await rename(site, "q81xw5rl", "llama-renamed")
    await tab.value(REFRESH)
    await tab.until(f"{NAMES}.includes('llama-renamed')")
    assert await tab.value("window.same")
    assert await tab.value("window.scrollY") == 250
    assert await tab.value("document.activeElement.id") == "model-7hs2v0yb"
    assert await tab.value("document.querySelector('th[aria-sort] a').id") == "sort-model"


async def test_a_replica_that_joins_or_leaves_is_seen_without_a_reload(
    site: Site, tab: Tab
) -> None:
    await tab.open(f"{site.server.url}/")
    assert await tab.value("document.getElementById('replicas').innerText.includes('standby')")
    await site.ledger.transact(lambda tx: tx.replicas.remove(OTHER))
    site.later()
    await tab.value(REFRESH)
    await tab.until("!document.getElementById('replicas-table')")


async def test_it_refreshes_by_itself_and_rests_while_hidden(site: Site, tab: Tab) -> None:
    wait = "window.waits = []; const set = window.setTimeout; const clear = window.clearTimeout;"
    kept = "window.setTimeout = (f, ms, ...more) => (waits.push(ms), set(f, ms, ...more));"
    rests = "window.rests = 0; window.clearTimeout = (id) => (window.rests++, clear(id));"
    await tab.do("Page.addScriptToEvaluateOnNewDocument", source=wait + kept + rests)
    await tab.open(f"{site.server.url}/")
    assert await tab.value("waits") == [10_000]
    await tab.value("Object.defineProperty(document, 'hidden', {value: true, writable: true})")
    rested, asked = await tab.value("rests"), len(tab.asked)
    await tab.value(REFRESH)
    assert await tab.value("rests") == rested + 1
    assert await tab.value("waits.length") == 1
    assert len(tab.asked) == asked
    await tab.value(f"document.hidden = false; {REFRESH}")
    await tab.until("waits.filter(each => each === 10_000).length === 2")


async def test_it_says_when_the_ledger_or_the_daemon_is_away(site: Site, tab: Tab) -> None:
    await tab.open(f"{site.server.url}/?q=llama")
    site.ledger.fail_with = LedgerUnavailable("gone")
    site.later()
    await tab.value(REFRESH)
    await tab.until("document.querySelector('h1').textContent === 'The ledger does not answer'")
    site.ledger.fail_with = None
    await tab.value(REFRESH)
    await tab.until(f"{ROWS} === 1")
    assert await tab.value("document.getElementById('q').value") == "llama"
    await site.stop()
    await tab.value(REFRESH)
    await tab.until("!document.getElementById('lost').hidden")
    assert await tab.value(ROWS) == 1
    # The browser notes in its console what did not answer, as it should.
    assert all(re.search("503|ERR_CONNECTION", each) for each in tab.complaints)
    tab.complaints.clear()


async def test_a_page_that_has_lost_the_daemon_does_not_look_healthy(site: Site, tab: Tab) -> None:
    await tab.open(f"{site.server.url}/")
    await site.stop()
    await tab.value(REFRESH)
    await tab.until("!document.getElementById('lost').hidden")
    lost = "The watchdog does not answer"
    assert await tab.value("document.querySelector('h1').textContent") == lost
    assert (await tab.value("document.title")).startswith(lost)
    shade = "getComputedStyle(document.querySelector('main')).filter"
    assert await tab.value(shade) == "grayscale(1)"
    tab.complaints.clear()


async def test_the_first_model_brings_the_filter(tab: Tab) -> None:
    fleet = a_fleet(8)
    site = Site(empty())
    await site.start()
    try:
        await tab.open(f"{site.server.url}/")
        assert await tab.value("document.querySelector('h1').textContent") == "No model is watched"
        assert not await tab.value("document.getElementById('filter')")
        await site.ledger.transact(lambda tx: tx.targets.add(fleet.targets[0]))
        site.later()
        await tab.value(REFRESH)
        await tab.until(f"{ROWS} === 1 && document.getElementById('filter')")
    finally:
        await site.stop()


TIMES = (
    "[...document.querySelectorAll('#activity time')].map(each => [each.textContent, each.title])"
)


async def test_times_are_in_the_zone_of_the_reader_and_in_utc_without_javascript(
    site: Site, tab: Tab
) -> None:
    await tab.do("Emulation.setTimezoneOverride", timezoneId="Asia/Tokyo")
    await tab.open(f"{site.server.url}/")
    here, utc = "2026-03-01 18:00:00", "2026-03-01 09:00:00 UTC"
    assert [here, f"{here} Asia/Tokyo, {utc}"] in await tab.value(TIMES)
    named = "2026-03-01 21:00:00 Asia/Tokyo"
    assert (await tab.value("document.getElementById('asof').innerText")).endswith(named)
    assert "Times are in Asia/Tokyo." in await tab.value("document.body.innerText")
    site.later()
    await tab.value(f"window.old = document.getElementById('activity'); {REFRESH}")
    await tab.until("document.getElementById('activity') !== window.old")
    assert [here, f"{here} Asia/Tokyo, {utc}"] in await tab.value(TIMES)
    await tab.do("Emulation.setScriptExecutionDisabled", value=True)
    await tab.open(f"{site.server.url}/")
    assert ["2026-03-01 09:00:00", utc] in await tab.value(TIMES)
    assert "Times are in UTC." in await tab.value("document.body.innerText")


async def test_a_command_is_copied(site: Site, tab: Tab) -> None:
    await tab.do("Browser.grantPermissions", permissions=["clipboardReadWrite"])
    await tab.open(f"{site.server.url}/targets/7hs2v0yb")
    await tab.value("document.getElementById('copy-command-pause').click()")
    await tab.until("document.getElementById('copy-command-pause').textContent === 'copied'")
    command = "baseten-watchdog pause 7hs2v0yb --for 2h"
    assert await tab.value("navigator.clipboard.readText()") == command
    # As where the page came by plain http from another machine.
    await tab.value("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    await tab.value("document.getElementById('copy-command-reset').click()")
    assert await tab.value("getSelection().toString()") == "baseten-watchdog reset 7hs2v0yb"


async def test_no_name_takes_more_than_three_lines(site: Site, tab: Tab) -> None:
    await tab.look(width=1400)
    await rename(site, "q81xw5rl", "llama-3.1-405b-instruct-fp8-" * 7)
    await tab.open(f"{site.server.url}/")
    name = "document.getElementById('model-q81xw5rl')"
    lines = f"{name}.clientHeight / parseFloat(getComputedStyle({name}).lineHeight)"
    assert await tab.value(lines) <= 3.1
    assert await tab.value(f"{name}.title") == "llama-3.1-405b-instruct-fp8-" * 7


async def test_the_page_is_dark_when_the_browser_prefers_dark(site: Site, tab: Tab) -> None:
    grounds = []
    for scheme in ("light", "dark"):
        await tab.look(scheme=scheme)
        await tab.open(f"{site.server.url}/")
        ground = await tab.value("getComputedStyle(document.body).backgroundColor")
        grounds.append(statistics.mean(map(int, re.findall(r"\d+", ground))))
    assert grounds[0] > 230
    assert grounds[1] < 40


async def test_it_needs_no_javascript(site: Site, tab: Tab) -> None:
    await tab.do("Emulation.setScriptExecutionDisabled", value=True)
    await tab.open(f"{site.server.url}/?q=dev&state=healthy")
    assert await tab.value(ROWS) == 12
    href = await tab.value("document.getElementById('sort-model').href")
    await tab.open(href)
    assert "sort=model" in href
    assert await tab.value(ROWS) == 12
    await tab.value("document.getElementById('q').focus()")
    await tab.type("-1")  # After "dev", which matches nothing.
    await tab.follow("document.getElementById('filter').submit()")
    shown = await tab.value("document.getElementById('list').innerText")
    assert shown.startswith("No model matches")
    assert "state=healthy" in await tab.value("location.search")


@pytest.mark.parametrize("path", ["/", "/?state=exhausted", "/targets/h0st1le0"])
async def test_hostile_text_is_text(path: str, site: Site, tab: Tab) -> None:
    await tab.open(f"{site.server.url}{path}")
    assert await tab.value("document.title") != "pwned"
    assert await tab.value("[...document.scripts].every(each => each.src && !each.text)")
    assert clean(HOSTILE) in await tab.value("document.querySelector('main').innerText")


_AXE = """axe.run(document, {resultTypes: ["violations"]}).then(found => found.violations.map(
    each => `${each.id}: ${each.nodes.map(node => node.html).join()}`))"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
async def test_axe_finds_nothing(scheme: str, width: int, site: Site, tab: Tab) -> None:
    axe = (installed() / "axe-core/axe.min.js").read_text()
    await tab.look(scheme=scheme, width=width)
    for path in ("/", "/?q=nothing", "/targets/7hs2v0yb", "/targets/none"):
        await tab.open(f"{site.server.url}{path}")
        assert await tab.value(f"{axe}; {_AXE}") == [], path
    site.ledger.fail_with = LedgerUnavailable("gone")
    site.later()
    await tab.open(f"{site.server.url}/")
    assert await tab.value(f"{axe}; {_AXE}") == []
    tab.complaints.clear()  # That a page answers 404 or 503 is noted in the console.


Change = Callable[[Site], Awaitable[None]]


def told(*events: Event) -> Change:
    async def change(site: Site) -> None:
        for event in events:
            site.condition(event)

    return change


def written(work: Callable[[LedgerTransaction], object]) -> Change:
    async def change(site: Site) -> None:
        await site.ledger.transact(work)

    return change


OPENING = Opening("o1", ago(minutes=4), failures=7, not_failing=3, condition_until=NOW)
PAUSE = Action(NOW, ActionKind.PAUSE, None, "ann@desk", "", until=NOW + timedelta(hours=1))


def spend(tx: LedgerTransaction) -> None:
    for number in range(50):
        sent = refailed(ago(hours=2, seconds=number), model_id="q81xw5rl", episode_id="e-q81xw5rl")
        tx.attempts.add(sent)


@pytest.mark.parametrize(
    ("fleet", "change", "headline"),
    [
        pytest.param(a_fleet(300), told(), "1 model needs you", id="300-models"),
        pytest.param(empty(), told(), "No model is watched", id="nothing-to-watch"),
        pytest.param(a_fleet(12), told(LOGGED["auth_failed"]), "The API refuses the key", id="key"),
        pytest.param(a_fleet(12), told(LOGGED["api_down"]), "The API answers no request", id="api"),
        pytest.param(
            a_fleet(12),
            written(lambda tx: tx.breaker.save_opening(OPENING)),
            "The breaker is open",
            id="breaker",
        ),
        pytest.param(
            a_fleet(12), written(spend), "The fleet's retries of 24 hours are spent", id="budget"
        ),
        pytest.param(
            a_fleet(12),
            written(lambda tx: tx.actions.add(PAUSE)),
            "All retries are paused",
            id="paused",
        ),
    ],
)
async def test_axe_finds_nothing_whatever_the_headline_says(
    fleet: Seeded, change: Change, headline: str, tab: Tab
) -> None:
    axe = (installed() / "axe-core/axe.min.js").read_text()
    site = Site(fleet)
    await site.start()
    try:
        await change(site)
        await tab.open(f"{site.server.url}/")
        assert (await tab.value("document.querySelector('h1').textContent")).startswith(headline)
        assert await tab.value(f"{axe}; {_AXE}") == []
    finally:
        await site.stop()


async def test_nothing_is_wider_than_a_phone(site: Site, tab: Tab) -> None:
    await tab.look(width=390)
    for path in ("/", "/targets/h0st1le0"):
        await tab.open(f"{site.server.url}{path}")
        assert await tab.value("document.documentElement.scrollWidth") <= 390, path


async def test_five_hundred_targets_are_shown_in_pages(tab: Tab) -> None:
    site = Site(a_fleet(500))
    await site.start()
    try:
        await tab.look(width=390)
        await tab.open(f"{site.server.url}/")
        assert await tab.value(ROWS) == 100
        first = await tab.value(NAMES)
        await rename(site, "q81xw5rl", "llama-renamed")
        await tab.value(REFRESH)
        await tab.until(f"{NAMES}.includes('llama-renamed')")
        await tab.follow("document.getElementById('next').click()")
        assert await tab.value(ROWS) == 100
        assert not set(first) & set(await tab.value(NAMES))
        assert await tab.value("document.documentElement.scrollWidth") <= 390
        await tab.value(REFRESH)
        await tab.value("document.getElementById('state-paused').click()")
        await tab.until(f"{ROWS} === 1")
    finally:
        await site.stop()
