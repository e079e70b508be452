"""What may happen to one model of many that a daemon watches."""

from collections.abc import Callable, Sequence

from tests.hostile import worlds
from tests.hostile.faults import LOG, LOOK, RETRY, STARTUPS, fault, of_one
from tests.hostile.rows import BUILDS_ON, FAILS_AGAIN, OneModel
from tests.hostile.seen import (
    CLEAN_EVERYWHERE,
    Seen,
    attempts,
    log,
    looks_go_on,
    metric,
    state,
    status,
    why,
)

ONE_EACH = {"max_attempts": 1, "max_attempts_per_window": 2}
TWO_IN_ALL = {"max_attempts": 2, "max_attempts_per_window": 4}


def fails(code: str) -> Callable[[str], Sequence[Seen]]:
    """The look at it fails, with this code, and nothing is retried on that."""
    return lambda model_id: [
        log("check_failed", model_id=model_id, code=code),
        metric("api_key_accepted", 1),
        attempts(model_id),
    ]


def recovers(model_id: str) -> Sequence[Seen]:
    return [log("recovered", model_id=model_id)]


def unknown(model_id: str) -> Sequence[Seen]:
    return [log("retry_outcome_unknown", model_id=model_id)]


def failing_look(row_id: str, wrong: str, kind: str, code: str) -> OneModel:
    return OneModel(id=row_id, wrong=wrong, cause=of_one(fault(kind, LOOK)), seen=fails(code))


def executed_retry(row_id: str, wrong: str, kind: str) -> OneModel:
    """Nobody can know whether it was executed, and watching shows that it was."""
    return OneModel(
        id=row_id,
        wrong=wrong,
        cause=of_one(fault(kind, RETRY), fails=True),
        seen=lambda model_id: [
            *unknown(model_id),
            state(model_id, "healthy"),
            attempts(model_id, "unknown"),
        ],
        posts=1,
    )


def no_log(row_id: str, wrong: str, kind: str) -> OneModel:
    """Nobody can know why it failed, and it is retried as if the cause were unknown."""
    faults = (fault(kind, LOG), fault(kind, STARTUPS))
    return OneModel(
        id=row_id, wrong=wrong, cause=of_one(*faults, fails=True), seen=recovers, posts=1
    )


def spent_again(model_id: str) -> Sequence[Seen]:
    return [
        log("deployment_replaced", model_id=model_id),
        attempts(model_id, "accepted", "accepted"),
        why(model_id, "episode_spent"),
    ]


def spent(model_id: str) -> Sequence[Seen]:
    return [why(model_id, "episode_spent"), attempts(model_id, "accepted", "accepted")]


# fmt: off
LOOKS = [
    failing_look("look-reset", "the connection is reset before the answer", "reset", "connect"),
    failing_look("look-503", "a look is answered with an HTML page (503)", "unavailable", "503"),
    failing_look("look-504", "a look is answered by a gateway that lost patience (504)",
                 "gateway_timeout", "504"),
    failing_look("look-truncated", "the answer to a look ends in the middle",
                 "truncated", "invalid_body"),
    failing_look("look-ill-typed", "texts are numbers and numbers texts in the answer",
                 "ill_typed", "invalid_body"),
    failing_look("look-50-mb", "the answer to a look is 50 MB long", "huge", "invalid_body"),
    failing_look("look-403", "the key may not look at one model (403)", "forbidden", "403"),
    OneModel(id="look-late", wrong="answers come late, and in time",
             cause=of_one(fault("late", delay="300ms"), fails=True), seen=recovers, posts=1),
    OneModel(id="look-lags", wrong="after a retry a look still shows the old status",
             cause=of_one(fault("lagging", LOOK, reads=1), fails=True), seen=recovers, posts=1),
]

RETRIES = [
    executed_retry("retry-reset-after", "the connection is reset once the retry was executed",
                   "reset_after"),
    executed_retry("retry-504", "a retry is executed, and a gateway loses patience (504)",
                   "gateway_timeout"),
    executed_retry("retry-truncated", "the answer to a retry ends in the middle", "truncated"),
    executed_retry("retry-ill-typed", "the answer to a retry has none of the right types",
                   "ill_typed"),
    executed_retry("retry-50-mb", "the answer to a retry is 50 MB long", "huge"),
    executed_retry("retry-yes", 'a retry is answered with `retried: "yes"`', "retried_text"),
    OneModel(id="retry-of-another", wrong="the answer to a retry names another deployment",
             cause=of_one(fault("other_deployment", RETRY), fails=True), posts=1,
             seen=lambda model_id: [log("retry_deployment_mismatch", model_id=model_id),
                                    attempts(model_id, "accepted"), state(model_id, "healthy")]),
    OneModel(id="retry-403", wrong="the key may not retry one model (403): it is given up",
             cause=of_one(fault("forbidden", RETRY), fails=True), posts=2,
             seen=lambda model_id: [log("retry_failed", model_id=model_id, reason="403"),
                                    metric("api_key_accepted", 1), why(model_id, "forbidden")],
             then=lambda model_id: [why(model_id, "forbidden")]),
    OneModel(id="retry-hostile-reason",
             wrong="the reason holds the API key, and what a terminal would obey",
             cause=of_one(fault("hostile_reason", RETRY), fails=True), posts=1,
             seen=lambda model_id: [log("retry_accepted", model_id=model_id, reason="***"),
                                    CLEAN_EVERYWHERE]),
    OneModel(id="retry-changes-the-id",
             wrong="each retry gives the deployment another id: no fresh budget comes of it",
             cause=of_one(fault("new_id", RETRY), fails=True),
             deploys=(["ACTIVE"], *FAILS_AGAIN[1:]), policy=TWO_IN_ALL, seen=spent, then=spent),
    OneModel(id="retry-changes-created-at",
             wrong="each retry gives the deployment another created_at: no fresh budget either",
             cause=of_one(fault("new_created_at", RETRY), fails=True),
             deploys=(["ACTIVE"], *FAILS_AGAIN[1:]), policy=TWO_IN_ALL, seen=spent, then=spent),
]

TIMEOUTS = [
    OneModel(id="look-too-late", wrong="answers come when nobody waits for them any more",
             cause=of_one(fault("late", delay="8s")), seen=fails("timeout")),
    failing_look("look-hangs", "a look is never answered", "hang", "timeout"),
    OneModel(id="retry-hangs", wrong="a retry is neither executed nor answered",
             cause=of_one(fault("hang", RETRY), fails=True), seen=unknown),
    OneModel(id="retry-reset", wrong="the connection is reset before the retry is executed",
             cause=of_one(fault("reset", RETRY), fails=True), seen=unknown),
    OneModel(id="retry-503", wrong="a retry is answered with an HTML page (503)",
             cause=of_one(fault("unavailable", RETRY), fails=True), seen=unknown),
    executed_retry("retry-answer-lost", "a retry is executed, and never answered", "lost_answer"),
]

LOGS = [
    no_log("log-hangs", "the log of a failure is never answered", "hang"),
    no_log("log-reset", "the connection is reset before the log is answered", "reset"),
    no_log("log-503", "the log is answered with an HTML page (503)", "unavailable"),
    no_log("log-403", "the key may not read logs (403)", "forbidden"),
    no_log("log-429", "the log is answered with 429", "throttled"),
    no_log("log-truncated", "the answer with the log ends in the middle", "truncated"),
    no_log("log-ill-typed", "texts are numbers and numbers texts in the log", "ill_typed"),
    no_log("log-50-mb", "the answer with the log is 50 MB long", "huge"),
]

PEOPLE = [
    OneModel(id="no-development-deployment",
             wrong="a model has no development deployment, until somebody pushes one",
             cause=worlds.status(None, "ACTIVE"),
             seen=lambda model_id: [log("target_missing", model_id=model_id),
                                    state(model_id, "missing")]),
    OneModel(id="unknown-status",
             wrong="the API has a status that this version does not know",
             cause=worlds.status("TELEPORTING", "ACTIVE"),
             seen=lambda model_id: [log("deployment_broken", model_id=model_id),
                                    state(model_id, "broken"), status(model_id, "TELEPORTING")]),
    OneModel(id="stopped-by-a-person",
             wrong="a person stops a build: it stays stopped",
             cause=worlds.status("BUILD_STOPPED", "ACTIVE"),
             seen=lambda model_id: [state(model_id, "not_retryable"), looks_go_on(model_id),
                                    attempts(model_id)]),
    OneModel(id="stopped-during-a-retry",
             wrong="a person stops the build that a retry began: it is left alone",
             cause=worlds.stopped_while_building, deploys=(["ACTIVE"], ["BUILDING"]),
             seen=lambda model_id: [log("episode_superseded", model_id=model_id),
                                    state(model_id, "not_retryable"),
                                    attempts(model_id, "accepted")]),
    OneModel(id="pushed-with-another-id",
             wrong="a person pushes, and the deployment has another id: a new episode begins",
             cause=worlds.pushed(new_id=True), deploys=BUILDS_ON, policy=ONE_EACH,
             seen=spent_again),
    OneModel(id="pushed-under-the-same-id",
             wrong="a person pushes, and only the deployment's created_at tells",
             cause=worlds.pushed(new_id=False), deploys=BUILDS_ON, policy=ONE_EACH,
             seen=spent_again),
]
# fmt: on
