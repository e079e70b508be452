"""Any text that the API sends: the result can be printed and stored, or it is an error."""

import json
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from watchdog.baseten_api.answers import Answer, parse
from watchdog.baseten_api.bodies import (
    AuditBody,
    DeploymentBody,
    LogsBody,
    ModelsBody,
    RetryBody,
)
from watchdog.engine.ports import AnswerLost
from watchdog.text.untrusted import LONGEST, LONGEST_ID, LONGEST_NAME, is_visible

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
KEY = "abcd1234.the-secret-part"
DEPLOYMENT = {
    "id": "d1",
    "created_at": "2026-02-01T00:00:00Z",
    "model_id": "m1",
    "is_development": True,
    "status": "BUILD_FAILED",
}

texts = st.one_of(
    # With half characters (surrogates) too: a server may send any text.
    st.text(st.characters(exclude_categories=())),
    st.sampled_from(["", "\x00", "\ud800", "x" * 900_000, "\x1b[2J", f"a {KEY} b", "\u202e", "\n"]),
)


def sent(body: Any) -> bytes:
    return json.dumps(body).encode()


def safe(text: str | None, most: int) -> bool:
    if text is None:
        return True
    text.encode()
    return is_visible(text) and len(text) <= most and KEY not in text


@given(texts, texts)
def test_an_id_or_a_status_is_taken_as_it_is_or_the_answer_is_an_error(
    deployment_id: str, status: str
) -> None:
    body = sent(DEPLOYMENT | {"id": deployment_id, "status": status})
    try:
        seen = parse(DeploymentBody, body, "m1").to_deployment()
    except AnswerLost:
        return
    assert (seen.ref.id, seen.status) == (deployment_id, status)
    assert all(0 < len(text) <= LONGEST_ID and text.isprintable() for text in (seen.ref.id, status))


@given(texts)
def test_the_reason_of_a_refusal(reason: str) -> None:
    body = sent({"retried": False, "reason": reason, "deployment": DEPLOYMENT})
    answer = parse(RetryBody, body, "m1").to_answer(KEY)
    assert safe(answer.reason, LONGEST)


@given(texts, texts)
def test_no_label_makes_the_deployment_unreadable(name: str, value: str) -> None:
    body = sent(DEPLOYMENT | {"labels": {name: value, "watchdog": "off"}})
    assert parse(DeploymentBody, body, "m1").to_deployment().opted_out


@given(st.binary(max_size=9).filter(lambda text: not {*text} & {*range(32), *b'"\\'}))
def test_what_is_no_utf_8_spoils_no_answer(text: bytes) -> None:
    body = sent({"retried": False, "reason": "?", "deployment": DEPLOYMENT}).replace(b"?", text)
    assert safe(parse(RetryBody, body, "m1").to_answer(KEY).reason, LONGEST)
    assert "(no message)" not in Answer(400, (), b'{"message": "a%s"}' % text, KEY).text()


def test_an_error_says_what_it_said_in_halves_of_characters() -> None:
    said = Answer(400, (), sent({"message": "the archive \ud83d expired"}), KEY).text()
    assert said == r"HTTP 400: the archive \ufffe expired"


@given(texts)
def test_the_message_of_an_error(message: str) -> None:
    assert safe(Answer(400, (), sent({"message": message}), KEY).text(), LONGEST)
    assert safe(Answer(400, (), message.encode(errors="replace"), KEY).text(), LONGEST)


@given(texts, texts)
def test_the_name_and_the_team_of_a_model(name: str, team: str) -> None:
    listed = {"id": "m1", "name": name, "team_name": team, "development_deployment_id": "d1"}
    found = parse(ModelsBody, sent({"models": [listed]}), None).to_listing(KEY).models
    for model in found:
        assert all(safe(text, LONGEST_NAME) for text in (model.name, model.team))


@given(texts)
def test_a_line_of_a_deployments_logs(line: str) -> None:
    body = parse(LogsBody, sent({"logs": [{"message": line}] * 3}), "m1")
    assert all(safe(line, 2000) for line in body.to_lines(KEY, EPOCH))


@given(texts, st.sampled_from(["email", "api_key_name", "api_key_prefix", "type"]))
def test_who_acted(text: str, field: str) -> None:
    entry = {"created": "2026-02-01T00:00:00Z", "event_type": "PUSHED", "actor": {field: text}}
    (act,) = parse(AuditBody, sent({"items": [entry]}), "m1").to_acts(KEY, "m1", EPOCH)
    assert safe(act.actor, LONGEST_NAME)
