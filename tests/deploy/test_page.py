"""The page in a real browser: Debian's Chromium."""

import re
import statistics
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from tests.deploy.browser import Tab, chromium
from tests.deploy.grafana_schema import installed
from tests.fakes.fleet import HOSTILE, OTHER, a_fleet
from tests.fakes.site import Site
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
    assert await tab.value("document.querySelector('h1').textContent") == "2 models need a person"
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
    assert await tab.value("document.getElementById('replicas').innerText.includes('stands by')")
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


async def test_nothing_is_wider_than_a_phone(site: Site, tab: Tab) -> None:
    await tab.look(width=390)
    for path in ("/", "/targets/h0st1le0"):
        await tab.open(f"{site.server.url}{path}")
        assert await tab.value("document.documentElement.scrollWidth") <= 390, path


async def test_five_hundred_targets(tab: Tab) -> None:
    site = Site(a_fleet(500))
    await site.start()
    try:
        await tab.open(f"{site.server.url}/")
        assert await tab.value(ROWS) == 500
        await rename(site, "q81xw5rl", "llama-renamed")
        await tab.value(REFRESH)
        await tab.until(f"{NAMES}.includes('llama-renamed')")
    finally:
        await site.stop()
