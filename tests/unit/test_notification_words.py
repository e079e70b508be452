"""What the messages say."""

from dataclasses import replace

import pytest

from tests.notifications import AT, DOCUMENT, EXAMPLES, LINKS, TOGETHER, with_messages
from watchdog.domain.notices import Notice, NoticeEvent, Try
from watchdog.domain.records import Outcome, Resolution
from watchdog.notify.body import body
from watchdog.notify.words import Links, command, text, title


def test_the_document_shows_what_the_code_prints() -> None:
    document = DOCUMENT.read_text()
    assert with_messages(document) == document, "run: make reference"


def test_the_document_has_a_message_of_each_event() -> None:
    assert [notice.event for notice in EXAMPLES] == list(NoticeEvent)


@pytest.mark.parametrize("notice", EXAMPLES, ids=lambda notice: str(notice.event))
def test_a_message_says_what_happened_and_what_an_operator_can_do(notice: Notice) -> None:
    message = text([notice], LINKS)
    assert notice.event.sentence in message
    assert "{" not in title([notice]) + message
    assert "None" not in message
    if notice.event.needs_operator:
        done = command(notice)
        assert done is not None
        assert f": {done}\n" in f"{message}\n"


@pytest.mark.parametrize("outcome", Outcome)
@pytest.mark.parametrize("resolution", [None, *Resolution])
def test_each_kind_of_retry_has_words(outcome: Outcome, resolution: Resolution | None) -> None:
    tried = Try(AT, outcome, "a reason", resolution)
    message = text([replace(EXAMPLES[0], tries=(tried,))], LINKS)
    (line,) = [line for line in message.splitlines() if line.startswith("- ")]
    assert "(a reason)" in line
    assert "_" not in line


def test_observe_mode_is_said() -> None:
    assert "mode: observe" in text([replace(EXAMPLES[0], observe=True)], LINKS)


def test_what_is_not_known_is_left_out() -> None:
    bare = Notice(NoticeEvent.BROKEN, AT, model_id="abc12345")
    message = text([bare], Links())
    assert "None" not in message
    assert "Page:" not in message
    assert "Logs: https://app.baseten.co/models/abc12345\n" in f"{message}\n"


def test_the_last_line_of_the_log_is_shown_to_who_gets_it() -> None:
    message = text([replace(EXAMPLES[0], error_line="ERROR: no space")], LINKS)
    assert "Last line of the log: ERROR: no space" in message


@pytest.mark.parametrize(
    "mention", ["<!channel>", "@everyone", "@here", "@All", "<@U024BE7LH>", "<@&1234>"]
)
def test_text_from_outside_mentions_nobody(mention: str) -> None:
    tried = Try(AT, Outcome.REFUSED, mention, Resolution.ANSWERED)
    hostile = replace(
        EXAMPLES[0], name=mention, team=mention, actor=mention, error_line=mention, tries=(tried,)
    )
    assert mention not in title([hostile]) + text([hostile], LINKS)
    assert mention not in text([hostile] * 9, LINKS)


def test_an_address_of_a_person_stays_as_it_is() -> None:
    message = text([replace(EXAMPLES[0], actor="pushed by ann@allianz.com")], LINKS)
    assert "Who acted: pushed by ann@allianz.com" in message


def test_a_hundred_are_thirty_lines_and_a_number() -> None:
    message = text([TOGETHER[0]] * 100, LINKS)
    assert message.count("\n- ") == 30
    assert "- and 70 more" in message
    assert title([TOGETHER[0]] * 100) == "100 given up"


def test_the_body_has_a_version_and_one_entry_for_each_notice() -> None:
    made = body(EXAMPLES, LINKS)
    assert made["version"] == 1
    assert [each["event"] for each in made["notices"]] == list(NoticeEvent)
    assert len({frozenset(each) for each in made["notices"]}) == 1
