"""What every ledger stores about findings of episodes."""

from dataclasses import replace

from tests.contract.test_ledger import Subject
from tests.fakes.records import NOW, ago, an_episode
from watchdog.domain.episode_notes import EpisodeNotes
from watchdog.domain.records import EpisodeResult


async def test_error_lines_and_actor_are_stored_separately_and_replaced(subject: Subject) -> None:
    for episode in (an_episode(), replace(an_episode(), id="e2", model_id="m2")):
        await subject.do(lambda tx, episode=episode: tx.episodes.save(episode))  # type: ignore[misc]
    await subject.do(lambda tx: tx.findings.note_error_lines("e1", ("first",)))
    await subject.do(lambda tx: tx.findings.note_actor("e1", "pushed by ann"))
    await subject.do(lambda tx: tx.findings.note_error_lines("e1", ("out of memory", "\\x1b[2J")))
    await subject.do(lambda tx: tx.findings.note_actor("e2", "deleted by bob"))
    found = await subject.do(lambda tx: dict(tx.findings.of("m1")))
    assert found == {"e1": EpisodeNotes(("out of memory", "\\x1b[2J"), "pushed by ann")}
    assert await subject.do(lambda tx: dict(tx.findings.of("m3"))) == {}


async def test_findings_are_deleted_with_their_episode(subject: Subject) -> None:
    old = an_episode(result=EpisodeResult.RECOVERED, ended_at=ago(days=100))
    await subject.do(lambda tx: tx.episodes.save(old))
    await subject.do(lambda tx: tx.findings.note_actor("e1", "pushed by ann"))
    await subject.do(lambda tx: tx.prune(ago(days=90)))
    await subject.do(lambda tx: tx.episodes.save(replace(old, ended_at=NOW)))
    assert await subject.do(lambda tx: dict(tx.findings.of("m1"))) == {}
