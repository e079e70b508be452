"""What every ledger holds of what was found out about episodes."""

from dataclasses import replace

from tests.contract.test_ledger import Bench
from tests.fakes.records import NOW, ago, an_episode
from watchdog.domain.finding import Finding
from watchdog.domain.records import EpisodeResult


async def test_lines_and_actor_are_kept_apart_and_replaced(bench: Bench) -> None:
    for episode in (an_episode(), replace(an_episode(), id="e2", model_id="m2")):
        await bench.do(lambda tx, episode=episode: tx.episodes.save(episode))  # type: ignore[misc]
    await bench.do(lambda tx: tx.findings.note_error_lines("e1", ("first",)))
    await bench.do(lambda tx: tx.findings.note_actor("e1", "pushed by ann"))
    await bench.do(lambda tx: tx.findings.note_error_lines("e1", ("out of memory", "\\x1b[2J")))
    await bench.do(lambda tx: tx.findings.note_actor("e2", "deleted by bob"))
    found = await bench.do(lambda tx: dict(tx.findings.of("m1")))
    assert found == {"e1": Finding(("out of memory", "\\x1b[2J"), "pushed by ann")}
    assert await bench.do(lambda tx: dict(tx.findings.of("m3"))) == {}


async def test_they_go_with_their_episode(bench: Bench) -> None:
    old = an_episode(result=EpisodeResult.RECOVERED, ended_at=ago(days=100))
    await bench.do(lambda tx: tx.episodes.save(old))
    await bench.do(lambda tx: tx.findings.note_actor("e1", "pushed by ann"))
    await bench.do(lambda tx: tx.prune(ago(days=90)))
    await bench.do(lambda tx: tx.episodes.save(replace(old, ended_at=NOW)))
    assert await bench.do(lambda tx: dict(tx.findings.of("m1"))) == {}
