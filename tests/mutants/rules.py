"""Broken watchdogs, one for each rule of SEMANTICS.md that no generic operator would break.

Each is a small change of the text of one file, and names the tests that must catch it. `rule` is
the sentence that it breaks. A change whose text is no longer there, exactly once, fails the run.
"""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Rule:
    """`changes` are pairs of what stands there and what stands there instead."""

    name: str
    rule: str
    file: str
    changes: tuple[tuple[str, str], ...]
    tests: tuple[str, ...]

    def broken(self, text: str) -> str:
        """The text of the file with the rule broken; ValueError if the change does not apply."""
        for old, new in self.changes:
            if text.count(old) != 1:
                found = text.count(old)
                raise ValueError(f"{self.file} has this {found} times, not once: {old.strip()}")
            text = text.replace(old, new)
        return text

    def apply(self, tree: Path) -> None:
        path = tree / self.file
        path.write_text(self.broken(path.read_text()))


BACKOFF = "tests/unit/test_backoff.py"
BREAKER = "tests/unit/test_breaker.py"
LIMITS = "tests/unit/test_limits.py"
POLICY = "tests/unit/test_policy.py"
STATUS = "tests/unit/test_status.py"
TRANSITION = "tests/unit/test_transition.py"
RESERVATION = "tests/engine/test_reservation.py"
ATTEMPT = "tests/engine/test_attempt.py"
ENGINE = "tests/engine/test_engine.py"
MASS_FAILURE = "tests/engine/test_breaker.py"
LEDGER = "tests/contract/test_ledger.py"


def _rule(name: str, rule: str, file: str, old: str, new: str, *tests: str) -> Rule:
    return Rule(name, rule, f"watchdog/{file}", ((old, new),), tests)


OBSERVATIONS = (
    _rule(
        "an unknown status is retried",
        "Not retryable: every other status, unknown ones included.",
        "domain/status.py",
        "return Health.NOT_RETRYABLE",
        "return Health.FAILING",
        STATUS,
    ),
    _rule(
        "a target that sleeps is not healthy",
        "Healthy: ACTIVE, SCALED_TO_ZERO.",
        "domain/status.py",
        'frozenset({"ACTIVE", "SCALED_TO_ZERO"})',
        'frozenset({"ACTIVE"})',
        STATUS,
    ),
    _rule(
        "a check that errs counts as a 404",
        "A check that errs is no observation: it changes no health, no episode, no dwell.",
        "engine/check.py",
        "        except NotFound:\n            return Look(self._clock.now(), None)",
        "        except ApiError:\n            return Look(self._clock.now(), None)",
        f"{ENGINE}::test_a_check_that_errs_changes_nothing",
    ),
    _rule(
        "a failing target is retried on a 404",
        "A check that errs (404) is no observation: nothing is ever retried on it.",
        "domain/policy.py",
        "if target.missing_since is not None:",
        "if target.missing:",
        POLICY,
    ),
)

EPISODES = (
    _rule(
        "a recovery forgets the episode",
        "Failing again before `healthy_reset`: the same episode re-opens with its count.",
        "domain/transition.py",
        "replace(target, episode=recovered, healthy_for",
        "replace(target, episode=None, healthy_for",
        TRANSITION,
    ),
    _rule(
        "an episode that re-opens is not waited for again",
        "The same episode re-opens with its count, and waits its backoff.",
        "domain/backoff.py",
        "since = max(failing_since, *(each.resolved_at or each.reserved_at for each in paced))",
        "since = max(each.resolved_at or each.reserved_at for each in paced)",
        POLICY,
    ),
    _rule(
        "health that nobody watched counts",
        "`healthy_reset` of observed health (gaps in watching do not count).",
        "domain/transition.py",
        "gap if timedelta(0) <= gap <= timing.longest_gap else timedelta(0)",
        "gap",
        TRANSITION,
    ),
    _rule(
        "health from before another status counts on",
        "`healthy_reset` of observed health (gaps in watching do not count).",
        "domain/transition.py",
        "if target.health is Health.HEALTHY and target.observed_at is not None:",
        "if target.observed_at is not None:",
        TRANSITION,
    ),
    _rule(
        "a person's retry is taken for ours",
        "Leaves failing with no attempt of ours under way: superseded.",
        "domain/transition.py",
        "if observation.status in PERSON_STATUSES or not _ours(target, attempts):",
        "if observation.status in PERSON_STATUSES:",
        TRANSITION,
    ),
    _rule(
        "a person's repair is taken for a recovery of ours",
        "Leaves failing with no attempt of ours under way: superseded.",
        "domain/transition.py",
        "if episode.open and not _ours(target, attempts):",
        "if episode.open and not attempts and False:",
        TRANSITION,
    ),
    _rule(
        "a person cannot stop a retry of ours",
        "So is BUILD_STOPPED or INACTIVE during an attempt.",
        "domain/transition.py",
        'frozenset({"BUILD_STOPPED", "INACTIVE"})',
        "frozenset[str]()",
        TRANSITION,
    ),
    _rule(
        "a plan outlives what superseded it",
        "The plan is dropped; a later failure is a new episode.",
        "domain/transition.py",
        "Transition(replace(target, episode=None), (Happening.SUPERSEDED,)",
        "Transition(replace(target, episode=ended), (Happening.SUPERSEDED,)",
        TRANSITION,
    ),
    _rule(
        "a push keeps its id and goes unnoticed",
        "`deployment.id` or `created_at` changed: replaced.",
        "domain/transition.py",
        "target.deployment is None or target.deployment == observation.deployment:",
        "target.deployment is None or target.deployment.id == observation.deployment.id:",
        TRANSITION,
    ),
    _rule(
        "our own retry is taken for a push",
        "Our retry never grants itself a fresh budget.",
        "domain/transition.py",
        "    if any(attempt.under_way for attempt in attempts):\n"
        "        return Transition(adopted(target, observation.deployment))\n",
        "",
        TRANSITION,
    ),
    _rule(
        "the deployment in the answer is not adopted",
        "The id and created_at in the answer to our own POST become the episode's.",
        "engine/record.py",
        "if made and answered is not None and target.deployment != answered:",
        "if False and answered is not None:",
        RESERVATION,
    ),
    _rule(
        "the first 404 removes",
        "removed: two 404s at least an interval apart.",
        "domain/transition.py",
        "        return Transition(replace(target, missing_since=at))\n",
        "        target = replace(target, missing_since=at - timing.interval)\n"
        "        return missed(target, attempts, at, timing)\n",
        TRANSITION,
    ),
    _rule(
        "two 404s with a sight between them remove",
        "removed: two 404s at least an interval apart.",
        "domain/transition.py",
        "        missing_since=None,\n",
        "",
        TRANSITION,
    ),
    _rule(
        "what was away for long goes on with its count",
        "removed: back within `healthy_reset`: the episode re-opens with its count.",
        "domain/transition.py",
        "        and at - episode.ended_at >= policy.healthy_reset\n",
        "        and at == episode.ended_at - policy.healthy_reset\n",
        TRANSITION,
    ),
    _rule(
        "a recovery clears the window",
        "None of these clears the window.",
        "domain/policy.py",
        "times = window_times(attempts, now)",
        "times = window_times(of_episode(target, attempts), now)",
        POLICY,
    ),
    _rule(
        "an ended episode is not written down",
        "First healthy observation: recovered; superseded; replaced.",
        "engine/record.py",
        "            tx.save_episode(step.ended)\n",
        "            pass\n",
        RESERVATION,
    ),
)

ATTEMPTS = (
    _rule(
        "unknown is not charged",
        "Charged to episode and window: pending accepted refused unknown.",
        "domain/records.py",
        "Outcome.REFUSED, Outcome.UNKNOWN, Outcome.DRY_RUN}",
        "Outcome.REFUSED, Outcome.DRY_RUN}",
        LIMITS,
    ),
    _rule(
        "pending is not charged",
        "Charged to episode and window: pending accepted refused unknown.",
        "domain/records.py",
        "{Outcome.PENDING, Outcome.ACCEPTED,",
        "{Outcome.ACCEPTED,",
        LIMITS,
    ),
    _rule(
        "throttled is charged",
        "Charged to episode and window: pending accepted refused unknown.",
        "domain/records.py",
        "Outcome.REFUSED, Outcome.UNKNOWN, Outcome.DRY_RUN}",
        "Outcome.REFUSED, Outcome.UNKNOWN, Outcome.DRY_RUN, Outcome.THROTTLED}",
        LIMITS,
    ),
    _rule(
        "a POST counts by its reservation",
        "Every POST that may have been sent counts in the fleet's minute, by sent_at.",
        "domain/limits.py",
        "return attempt.sent_at or attempt.reserved_at",
        "return attempt.reserved_at",
        LIMITS,
    ),
    _rule(
        "what is pending ages",
        "A `pending` counts always.",
        "domain/limits.py",
        "    if attempt.outcome is Outcome.PENDING:\n        return now\n",
        "",
        LIMITS,
    ),
    _rule(
        "pending is not counted in the fleet's minute",
        "A `pending` counts always.",
        "domain/limits.py",
        "if a.outcome is Outcome.PENDING or a.sent_at is not None",
        "if a.sent_at is not None",
        LIMITS,
    ),
    _rule(
        "the ledger does not count what is pending",
        "A `pending` counts always.",
        "ledger/transaction.py",
        "sorted([*times, *[self._now] * pending])",
        "sorted(times)",
        f"{LEDGER}::test_the_fleets_usage",
    ),
    _rule(
        "a 429 is not counted in the fleet's minute",
        "Every POST that may have been sent counts in the fleet's minute.",
        "domain/limits.py",
        "if a.outcome is Outcome.PENDING or a.sent_at is not None",
        "if a.outcome.charged",
        LIMITS,
    ),
    _rule(
        "no backoff after failed",
        "After failed: the backoff.",
        "domain/backoff.py",
        "{Outcome.ABANDONED, Outcome.THROTTLED}",
        "{Outcome.ABANDONED, Outcome.THROTTLED, Outcome.FAILED}",
        POLICY,
    ),
    _rule(
        "a backoff after throttled",
        "After throttled: the hold.",
        "domain/backoff.py",
        "{Outcome.ABANDONED, Outcome.THROTTLED}",
        "{Outcome.ABANDONED}",
        POLICY,
    ),
    _rule(
        "refused again and again",
        "Two refused in a row: exhausted.",
        "domain/policy.py",
        "if len(charged) > 1 and all(",
        "if len(charged) > policy.max_attempts and all(",
        POLICY,
    ),
    _rule(
        "a 429 forgives a refusal",
        "Two refused in a row: exhausted.",
        "domain/policy.py",
        "for a in charged[-2:])",
        "for a in of_episode(target, attempts)[-2:])",
        POLICY,
    ),
    _rule(
        "backoff from the POST",
        "Re-failure, from which the backoff counts: the first failing observation.",
        "domain/backoff.py",
        "since = max(failing_since, *(each.resolved_at or each.reserved_at for each in paced))",
        "since = max(each.sent_at or each.reserved_at for each in paced)",
        POLICY,
    ),
    _rule(
        "statuses never lag",
        "Re-failure: else the first failing one later than POST + timeout + recovery_interval.",
        "domain/transition.py",
        "at, target.failing_since) + timing.lag",
        "at, target.failing_since)",
        TRANSITION,
    ),
    _rule(
        "the lag hides a re-failure that another status preceded",
        "Re-failure: the first failing observation after any other status.",
        "domain/transition.py",
        "        if target.failing_since is None\n        or at >",
        "        if at >",
        TRANSITION,
    ),
    _rule(
        "stuck never leaves in-flight",
        "Stuck attempts leave the fleet's in-flight count.",
        "domain/transition.py",
        "stuck = _resolved(late, Resolution.STUCK, at)",
        "stuck = tuple(replace(a, resolution=Resolution.STUCK) for a in late)",
        TRANSITION,
    ),
    _rule(
        "a stuck target's later failure is a person's",
        "Stuck: its later failure continues the episode.",
        "domain/transition.py",
        "for attempt in attempts) or is_stuck(target, attempts)",
        "for attempt in attempts)",
        TRANSITION,
    ),
    _rule(
        "a removal leaves the attempt under way",
        "Under way: until ... removed.",
        "domain/transition.py",
        "resolved = _resolved(_watched(attempts), Resolution.REMOVED, at)",
        "resolved = _resolved((), Resolution.REMOVED, at)",
        TRANSITION,
    ),
    _rule(
        "what is being sent is judged",
        "Resolution is conditional on pending: its owner's, while it sends.",
        "domain/transition.py",
        "    if _being_sent(attempts):\n"
        "        return replace(step, target=_noted(step.target, observation, health))\n",
        "",
        TRANSITION,
    ),
    _rule(
        "what is pending is resolved by looking",
        "Resolving a pending left behind: only its owner, or whoever knows the owner dead.",
        "domain/transition.py",
        "if a.under_way and a.outcome is not Outcome.PENDING]",
        "if a.under_way]",
        TRANSITION,
    ),
    _rule(
        "two pendings",
        "At most one pending per target (a unique partial index).",
        "ledger/transaction.py",
        "if attempt.outcome is Outcome.PENDING and self._connection.scalar(select(pending)):",
        "if False and self._connection.scalar(select(pending)):",
        f"{LEDGER}::test_a_target_has_one_pending_attempt_at_most",
    ),
    _rule(
        "left-behind is resolved for a live owner, at a start",
        "Resolving a pending left behind: only its owner, or whoever knows the owner dead.",
        "engine/record.py",
        "            if self._ledger.knows_dead(each.owner, now - each.reserved_at)\n",
        "",
        RESERVATION,
    ),
    _rule(
        "left-behind is resolved for a live owner, at a check",
        "Resolving a pending left behind: only its owner, or whoever knows the owner dead.",
        "engine/record.py",
        "            and self._ledger.knows_dead(attempt.owner, now - attempt.reserved_at)\n",
        "",
        RESERVATION,
    ),
    _rule(
        "left-behind is resolved while it may still be sent",
        "PostgreSQL: after reservation_ttl, 30 s.",
        "engine/record.py",
        "            and now > attempt.reserved_at + RESERVATION_TTL\n",
        "",
        RESERVATION,
    ),
    _rule(
        "left-behind is never resolved at a check",
        "Resolving a pending left behind.",
        "engine/record.py",
        "if self._left_behind(attempt, tx.now())",
        "if False and self._left_behind(attempt, tx.now())",
        RESERVATION,
    ),
    _rule(
        "left-behind is taken for abandoned",
        "A crash anywhere leaves a pending row that is later resolved as unknown, and is charged.",
        "engine/record.py",
        "outcome=Outcome.UNKNOWN, sent_at=sent_at)",
        "outcome=Outcome.ABANDONED, sent_at=sent_at)",
        RESERVATION,
    ),
    _rule(
        "left-behind was sent when it was reserved",
        "Every POST that may have been sent counts, by sent_at; the latest moment is the safe one.",
        "engine/record.py",
        "sent_at, now = attempt.reserved_at + RESERVATION_TTL, tx.now()",
        "sent_at, now = attempt.reserved_at, tx.now()",
        RESERVATION,
    ),
    _rule(
        "a late answer replaces what is settled",
        "Resolution is conditional on pending; only the owner's real answer may replace unknown.",
        "ledger/transaction.py",
        "                attempts.c.outcome.in_((Outcome.PENDING, Outcome.UNKNOWN)),\n",
        "",
        f"{LEDGER}::test_an_answer_replaces_what_was_not_known_and_nothing_else",
    ),
    _rule(
        "the TTL is not checked before sending",
        "The TTL is checked right before sending.",
        "engine/attempt.py",
        "if at > attempt.reserved_at + RESERVATION_TTL:",
        "if False:",
        ATTEMPT,
    ),
    _rule(
        "a refusal leaves something to watch",
        "`refused`: under way until then; for it, the re-failure is the answer.",
        "engine/attempt.py",
        "return _Sent(self._closed(attempt, Outcome.REFUSED, answer.reason), answer)",
        "return _Sent(replace(attempt, outcome=Outcome.REFUSED), answer)",
        ATTEMPT,
    ),
    _rule(
        "`retried: false` is accepted",
        "accepted (`retried` strictly true). refused (`retried: false`).",
        "engine/attempt.py",
        "if not answer.retried:",
        "if False:",
        ATTEMPT,
    ),
    _rule(
        "a 404 to the POST is not charged",
        "refused (a 4xx other than 401, 403, 429).",
        "engine/attempt.py",
        "return _Sent(self._closed(attempt, Outcome.REFUSED, str(error)))",
        "return _Sent(self._closed(attempt, Outcome.FAILED, str(error)))",
        ATTEMPT,
    ),
    _rule(
        "a 403 to the POST is charged",
        "failed (no connection, 401, 403: surely not executed).",
        "engine/attempt.py",
        "        except (Denied, Forbidden) as error:\n"
        "            return _Sent(self._closed(attempt, Outcome.FAILED, str(error)))\n",
        "",
        ATTEMPT,
    ),
    _rule(
        "a lost answer surely did nothing",
        "unknown (5xx, lost answer, a 2xx that is not strictly valid).",
        "engine/attempt.py",
        "replace(attempt, outcome=Outcome.UNKNOWN, reason=str(error))",
        "self._closed(attempt, Outcome.FAILED, str(error))",
        ATTEMPT,
    ),
    _rule(
        "what found no connection was sent",
        "Every POST that may have been sent counts; `failed` (no connection): surely not.",
        "engine/attempt.py",
        "self._closed(replace(attempt, sent_at=None), Outcome.FAILED, str(error))",
        "self._closed(attempt, Outcome.FAILED, str(error))",
        ATTEMPT,
    ),
)

ORDER = (
    Rule(
        "recorded after the POST",
        "Order: decide, reserve, look again, POST, record.",
        "watchdog/engine/attempt.py",
        (
            (
                "        recorded, attempt = await self._ledger.transact(\n",
                """\
        early = Attempt(attempt_id, seen.model_id, "", 1, "daemon:1", self._clock.now())
        sent = await self._send(recorder, settings, seen, early, forced=forced)
        recorded, attempt = await self._ledger.transact(
""",
            ),
            (
                "sent = await self._send(recorder, settings, target, attempt, forced=forced)",
                "pass",
            ),
        ),
        (f"{ATTEMPT}::test_what_is_sent_was_recorded_before",),
    ),
    Rule(
        "no look again",
        "look again (fresh GET: still failing, same deployment, else abandoned).",
        "watchdog/engine/attempt.py",
        (
            (
                "sent = await self._send(recorder, settings, target, attempt, forced=forced)",
                "sent = await self._post(replace(attempt, sent_at=self._clock.now()))",
            ),
        ),
        (ATTEMPT,),
    ),
    _rule(
        "the look again does not compare the deployment",
        "look again (still failing, same deployment).",
        "engine/attempt.py",
        "changed = deployment.ref != target.deployment",
        "changed = False",
        ATTEMPT,
    ),
    _rule(
        "the look again does not mind the label",
        "look again (still failing, same deployment).",
        "engine/attempt.py",
        "opted_out = deployment.opted_out and not forced",
        "opted_out = False",
        ATTEMPT,
    ),
    _rule(
        "the look again does not compare the status",
        "look again (still failing, same deployment).",
        "engine/attempt.py",
        "health_of(deployment.status, policy) is not Health.FAILING",
        "not deployment.status",
        ATTEMPT,
    ),
    _rule(
        "a look again that could not see is good enough",
        "A check that errs is no observation: nothing is ever retried on it.",
        "engine/attempt.py",
        'return self._abandoned(attempt, f"could not look again: {error}")',
        "return await self._post(replace(attempt, sent_at=self._clock.now()))",
        ATTEMPT,
    ),
    _rule(
        "after a blind look again the plan is tried at once",
        "The plan waits for the next look.",
        "engine/record.py",
        "        if blind and judged",
        "        if not blind and judged",
        RESERVATION,
    ),
    _rule(
        "what the look again saw is forgotten",
        "abandoned: what was seen instead is an observation.",
        "engine/record.py",
        "        if look is not None:\n",
        "        if False and look is not None:\n",
        RESERVATION,
    ),
    _rule(
        "the reservation does not decide again",
        "reserve (lock, read now, load, re-decide with every limit, insert).",
        "engine/record.py",
        "if judged.decision.kind is not DecisionKind.RETRY:",
        "if judged.decision is None:",
        RESERVATION,
    ),
    _rule(
        "the version fence is removed",
        "Every reservation is fenced by the target's version.",
        "engine/record.py",
        "if target is None or target.version != seen.version or target.episode is None:",
        "if target is None or target.episode is None:",
        RESERVATION,
    ),
    _rule(
        "the ledger does not compare versions",
        "Every reservation is fenced by the target's version.",
        "ledger/transaction.py",
        ".where(targets.c.model_id == target.model_id, targets.c.version == target.version)",
        ".where(targets.c.model_id == target.model_id)",
        f"{LEDGER}::test_a_change_made_meanwhile_is_a_conflict",
    ),
    _rule(
        "the hold is ignored at the reservation",
        "Any hold of the API is found before reserving.",
        "engine/record.py",
        "                hold=hold,\n",
        "",
        RESERVATION,
    ),
    _rule(
        "a hold keeps nothing back",
        "429: the operation is held for retry_after.",
        "domain/policy.py",
        "        waits.append((fleet.hold.until, fleet.hold.reason))\n",
        "        pass\n",
        POLICY,
    ),
    _rule(
        "a cancelled check cancels its POST",
        "An answer, once there, is recorded whatever happens: sending is shielded.",
        "engine/attempt.py",
        "return await asyncio.shield(task)",
        "return await task",
        ATTEMPT,
    ),
    _rule(
        "a stop does not wait for the answer",
        "POST, once, record: also while stopping.",
        "engine/attempt.py",
        "            await asyncio.wait(tuple(self._tasks))\n",
        "            await asyncio.sleep(0)\n",
        f"{ENGINE}::test_stopping_records_a_post_under_way",
    ),
    _rule(
        "stopping sends what was reserved",
        "abandoned (never sent): what is not sent when it stops.",
        "engine/attempt.py",
        '        if self._stopping.is_set():\n            return "stopping"\n',
        "",
        ATTEMPT,
    ),
    _rule(
        "an answer that the ledger would not take is lost",
        "record: each POST has exactly one attempt.",
        "engine/attempt.py",
        "                if self._stopping.is_set():\n                    raise\n",
        "                return None\n",
        ATTEMPT,
    ),
    Rule(
        "a lost answer is asked for again",
        "POST, once.",
        "watchdog/engine/attempt.py",
        (
            (
                "        except AnswerLost as error:\n",
                """\
        except AnswerLost as error:
            with suppress(ApiError):
                await self._api.retry(attempt.model_id)
""",
            ),
            ("import asyncio\n", "import asyncio\nfrom contextlib import suppress\n"),
        ),
        (ATTEMPT,),
    ),
)

LIMITED = (
    _rule(
        "an attempt too many in an episode",
        "Episode: max_attempts.",
        "domain/policy.py",
        "if len(charged) >= policy.max_attempts:",
        "if len(charged) > policy.max_attempts:",
        POLICY,
    ),
    _rule(
        "one too many in any window",
        "Window: max_attempts_per_window. Fleet: max_retries_per_minute.",
        "domain/limits.py",
        "return recent[-limit] + span if len(recent) >= limit else None",
        "return recent[-limit] + span if len(recent) > limit else None",
        LIMITS,
    ),
    _rule(
        "one too many in flight",
        "Fleet: max_in_flight.",
        "domain/policy.py",
        "if fleet.in_flight >= limits.max_in_flight:",
        "if fleet.in_flight > limits.max_in_flight:",
        POLICY,
    ),
    _rule(
        "the fleet's minute is shorter than the API's",
        "Fleet: max_retries_per_minute.",
        "domain/limits.py",
        "FLEET_MINUTE = timedelta(minutes=1)",
        "FLEET_MINUTE = timedelta(seconds=59)",
        POLICY,
    ),
    _rule(
        "the fleet's day is shorter than a day",
        "Fleet: max_attempts_per_window in 24 h.",
        "domain/limits.py",
        "FLEET_DAY = timedelta(hours=24)",
        "FLEET_DAY = timedelta(hours=23)",
        POLICY,
    ),
    _rule(
        "what was sent is not loaded at the reservation",
        "All computed inside the reservation from the ledger.",
        "engine/record.py",
        "                usage.sent,\n",
        "                (),\n",
        RESERVATION,
    ),
    _rule(
        "what was charged is not loaded at the reservation",
        "All computed inside the reservation from the ledger.",
        "engine/record.py",
        "                usage.charged,\n",
        "                (),\n",
        RESERVATION,
    ),
    _rule(
        "what is in flight is not loaded at the reservation",
        "All computed inside the reservation from the ledger.",
        "engine/record.py",
        "                usage.in_flight,\n",
        "                0,\n",
        RESERVATION,
    ),
    _rule(
        "the window's attempts are not loaded",
        "All computed inside the reservation from the ledger.",
        "engine/record.py",
        "since = window_starts(target, self._policy(target), now)",
        "since = now",
        RESERVATION,
    ),
    _rule(
        "the wait that ends first is the one that counts",
        "All limits hold at once.",
        "domain/policy.py",
        "until, reason = max(timed)",
        "until, reason = min(timed)",
        POLICY,
    ),
    _rule(
        "a standing failure is retried",
        "With `ignore`, a target that is already failing when first observed is left alone.",
        "domain/policy.py",
        "and policy.standing is Standing.IGNORE:",
        "and policy.standing is not policy.standing:",
        POLICY,
    ),
    _rule(
        "no failure is a standing one",
        "With `ignore`, a target that is already failing when first observed is left alone.",
        "domain/transition.py",
        "standing=target.observed_at is None",
        "standing=False",
        TRANSITION,
    ),
    _rule(
        "going live retries what failed before",
        "Or when the mode changes to retry.",
        "engine/watchlist.py",
        'went_live = tx.meta(_MODE) == "observe" and not settings.observe',
        "went_live = False",
        f"{ENGINE}::test_going_live_leaves_standing_failures_alone_where_told_to",
    ),
)

BREAKER_RULES = (
    _rule(
        "a first observation trips the breaker",
        "A target's first observation ever counts in neither.",
        "domain/transition.py",
        "before.health not in (None, Health.FAILING)",
        "before.health is not Health.FAILING",
        TRANSITION,
    ),
    _rule(
        "re-failures trip the breaker",
        "Standing failures never trip it; a re-failure goes on with what began earlier.",
        "domain/transition.py",
        "{Happening.OPENED, Happening.REOPENED} &",
        "{Happening.OPENED, Happening.REOPENED, Happening.REFAILED} &",
        TRANSITION,
    ),
    _rule(
        "the share is of those that do not fail",
        "More than `ratio` of (them + the targets now seen not failing).",
        "domain/breaker.py",
        "share = rules.ratio * (failures + not_failing)",
        "share = rules.ratio * not_failing",
        BREAKER,
    ),
    _rule(
        "a large fleet never trips the breaker",
        "Or at least `max_failures`.",
        "domain/breaker.py",
        "return failures > share or failures >= rules.max_failures",
        "return failures > share",
        BREAKER,
    ),
    _rule(
        "a failed canary is followed at once",
        "Failed, next canary after a cooldown.",
        "domain/breaker.py",
        "quiet_since = max(quiet_since, last.ended_at)",
        "pass",
        BREAKER,
    ),
    _rule(
        "any end of the canary closes the breaker",
        "Passed: observed healthy. Anything else: failed.",
        "domain/breaker.py",
        "recovered = attempt.resolution is Resolution.RECOVERED",
        "recovered = attempt.resolution is not Resolution.REFAILED",
        BREAKER,
    ),
    _rule(
        "an open breaker stops nobody",
        "Open: no retries.",
        "domain/policy.py",
        "if breaker is not None and breaker.canary != target.model_id:",
        "if breaker is not None and breaker.canary is not None and not target:",
        BREAKER,
    ),
    _rule(
        "failures before the closing count on",
        "Since the last closing.",
        "engine/breaker.py",
        "        self._tx.forget_broken()\n",
        "",
        f"{MASS_FAILURE}::test_the_failures_before_the_closing_count_no_more",
    ),
    _rule(
        "the same target is the canary each time",
        "One canary, the failing target that was canary least recently.",
        "engine/breaker.py",
        "key=lambda each: (named.get(each, _NEVER), each)",
        "key=lambda each: each",
        f"{MASS_FAILURE}::test_a_mass_failure_opens_it_and_nothing_is_sent_but_canaries",
    ),
    _rule(
        "canaries are sent in observe mode",
        "In observe mode: closes after one cooldown.",
        "engine/breaker.py",
        "        if self._settings.observe:\n",
        "        if False:\n",
        f"{MASS_FAILURE}::test_in_observe_mode_it_closes_after_one_cooldown",
    ),
)

TIME_AND_MODES = (
    _rule(
        "rows from the future do not count",
        "Rows from the future count as now.",
        "domain/limits.py",
        "return [time for time in times if time + span > now]",
        "return [time for time in times if now - span < time <= now]",
        LIMITS,
    ),
    _rule(
        "rows from the future count until then",
        "Rows from the future count as now.",
        "domain/limits.py",
        "recent = sorted(min(time, now) for time in _within(times, span, now))",
        "recent = sorted(_within(times, span, now))",
        POLICY,
    ),
    _rule(
        "a clock set back makes a failure wait for its past",
        "Rows from the future count as now.",
        "domain/transition.py",
        "failing_since=min(target.failing_since or observation.at, observation.at)",
        "failing_since=target.failing_since or observation.at",
        TRANSITION,
    ),
    _rule(
        "a clock set back across a restart is waited for",
        "A step while the daemon is down is believed.",
        "engine/watchlist.py",
        "    tx.clamp_future()\n",
        "",
        f"{ENGINE}::test_a_clock_set_back_across_a_restart_delays_nothing_and_forgets_nothing",
    ),
    _rule(
        "an attempt that is due waits for the next check",
        "next_check_at = the earliest of now + interval and the next attempt.",
        "engine/record.py",
        "return min(regular, max(decision.until, now))",
        "return regular",
        RESERVATION,
    ),
    _rule(
        "a recovery is looked at no more often",
        "next_check_at = now + recovery_interval while an attempt is under way.",
        "engine/record.py",
        "return now + settings.recovery_interval",
        "return now + settings.effective_interval",
        RESERVATION,
    ),
    _rule(
        "observe mode sends",
        "observe: everything, with dry_run in place of the POST.",
        "engine/attempt.py",
        "if settings.observe:",
        "if False:",
        ATTEMPT,
    ),
    _rule(
        "dry_run paces nothing",
        "dry_run rows pace observe mode.",
        "domain/records.py",
        "Outcome.REFUSED, Outcome.UNKNOWN, Outcome.DRY_RUN}",
        "Outcome.REFUSED, Outcome.UNKNOWN}",
        LIMITS,
    ),
    _rule(
        "dry_run counts in retry mode",
        "dry_run rows count for nothing in retry mode.",
        "ledger/transaction.py",
        "if observe else attempts.c.outcome != Outcome.DRY_RUN",
        "if observe else attempts.c.id.is_not(None)",
        f"{LEDGER}::test_history_is_newest_first_and_has_the_dry_runs",
    ),
)

OPERATE = "tests/engine/test_operate.py"
RELOAD = "tests/engine/test_reload.py"

PERSONS = (
    _rule(
        "a pause does not hold",
        "pause: a person said hands off.",
        "domain/policy.py",
        "if is_paused(target, now):",
        "if False:",
        POLICY,
    ),
    _rule(
        "a pause after the reservation stops nothing",
        "A pause placed between the reservation and the POST stops the POST.",
        "engine/attempt.py",
        "if not wanted:",
        "if False:",
        OPERATE,
    ),
    _rule(
        "an episode that ended after the reservation stops nothing",
        "A person's act wins.",
        "engine/record.py",
        "if episode is None or episode.id != attempt.episode_id or not episode.open:",
        "if False:",
        OPERATE,
    ),
    _rule(
        "a model that is removed after the reservation is retried",
        "An empty or missing list means nothing, never everything.",
        "engine/record.py",
        "if episode is None or episode.id != attempt.episode_id or not episode.open:",
        "if episode is None or episode.id != attempt.episode_id:",
        f"{RELOAD}::test_a_model_that_another_process_removed_is_not_retried",
    ),
    _rule(
        "another configuration after the reservation stops nothing",
        "The new configuration takes over whole.",
        "engine/attempt.py",
        "if self._live.current is not settings:",
        "if False:",
        RELOAD,
    ),
    _rule(
        "a model that is removed while it is retried keeps its place in flight",
        "Under way until removed.",
        "domain/transition.py",
        "if kept or not attempt.under_way:",
        "if True:",
        RELOAD,
    ),
    _rule(
        "a look at a model that is gone is recorded",
        "removed: absence from the configuration.",
        "engine/record.py",
        "if target is None or (seen.watched and not target.watched):",
        "if target is None:",
        RELOAD,
    ),
    _rule(
        "a 429 holds in one process only",
        "429: the operation is held.",
        "engine/record.py",
        "hold = hold or held(tx, now)",
        "pass",
        RESERVATION,
    ),
    _rule(
        "force passes a newer pause",
        "A pause placed between the reservation and the POST stops the POST.",
        "engine/record.py",
        "and (not forced or pause.at >= attempt.reserved_at)",
        "and not forced",
        OPERATE,
    ),
    _rule(
        "a reset from the future switches the window off",
        "Rows from the future count as now.",
        "domain/limits.py",
        "return began if since is None or since > now else max(began, since)",
        "return began if since is None else max(began, since)",
        LIMITS,
    ),
    _rule(
        "force passes the fleet's limits",
        "--force passes the target's own limits, never the fleet's.",
        "domain/policy.py",
        "return _longest(fleet_waits, now)",
        "return Decision(DecisionKind.RETRY)",
        POLICY,
    ),
    _rule(
        "force retries what is not failing",
        "retry: the same reservation.",
        "domain/policy.py",
        "    if target.missing:\n",
        "    if forced:\n        return Decision(DecisionKind.RETRY)\n    if target.missing:\n",
        POLICY,
    ),
    _rule(
        "reset keeps the window",
        "reset clears episode and window.",
        "domain/transition.py",
        "healthy_for=timedelta(0), window_since=at)",
        "healthy_for=timedelta(0))",
        OPERATE,
    ),
    _rule(
        "reset keeps the episode",
        "reset clears episode and window.",
        "domain/transition.py",
        "cleared = replace(target, episode=None, healthy_for",
        "cleared = replace(target, healthy_for",
        OPERATE,
    ),
    _rule(
        "what is under way can be reset",
        "A lost answer is resolved by looking at the status.",
        "engine/operate.py",
        "if any(attempt.under_way for attempt in attempts):",
        "if False:",
        OPERATE,
    ),
    _rule(
        "the allowed times allow all",
        "policy.allowed_times: spans in which retries may happen.",
        "domain/policy.py",
        "if policy.allowed_times and (opens := policy.allowed_times.opens_at(now)):",
        "if (opens := None):",
        "tests/unit/test_allowed_times.py",
    ),
    _rule(
        "the throttled one goes first again",
        "A permanent 429 for one target does not stop the others for longer than that.",
        "baseten_api/gate.py",
        "own = replace(hold, until=hold.until + GIVE_WAY)",
        "own = hold",
        "tests/contract/test_baseten_api.py",
    ),
)

RULES = (
    *OBSERVATIONS,
    *EPISODES,
    *ATTEMPTS,
    *ORDER,
    *LIMITED,
    *BREAKER_RULES,
    *TIME_AND_MODES,
    *PERSONS,
)
