"""What each event of the log means, in sentences for users: by the event's name. The reference is
made of these, and `demo` shows them."""

MEANINGS = {
    "started": (
        "The daemon runs: its version, mode and limits, and where its page, metrics, "
        "configuration file, API and ledger are."
    ),
    "stopped": "The daemon ended in order.",
    "replica_active": "This replica watches and retries from now on.",
    "replica_standby": "This replica does not watch. `why` is there when it gave up being active.",
    "config_reloaded": "The configuration was read again. `changed` names what differs; it may be "
    "empty.",
    "models_discovered": "Discovered models were added or removed.",
    "discovery_failed": (
        "The list of models could not be read. The same models are watched as before. Logged "
        "for the first failure in a row."
    ),
    "listing_incomplete": (
        "Some entries of the list of models could not be read. Logged when their number changes. "
        "Such a list removes no model."
    ),
    "config_reload_failed": "A changed configuration is not valid: the old one stays in force.",
    "operator_action": "An operator paused, resumed, reset or retried something by command.",
    "config_warning": "A setting that works, and that may not be what was meant.",
    "ledger_created": (
        "A new ledger was made: it knows of no earlier attempt, so all limits are unused."
    ),
    "ledger_unavailable": (
        "The ledger does not answer: nothing is sent. Logged for the first failure in a row."
    ),
    "ledger_available": "The ledger answers again.",
    "ledger_went_back": (
        "The ledger is in an older state than before. `put_back` attempts of this process were "
        "missing and are in it again."
    ),
    "clock_drifted": (
        "The wall clock and the ledger's time differ; the difference is taken over gradually."
    ),
    "clock_jumped": (
        "The difference between the ledger's time and the API's clock changed by more than a "
        "minute."
    ),
    "interval_stretched": (
        "The request rate is too low to check all models at the configured interval."
    ),
    "nothing_watched": "No model is configured, and none is discovered.",
    "internal_error": (
        "A bug: an exception that nothing foresaw ended the work on one model or, without a "
        "`model_id`, one run of a periodic job."
    ),
    "api_held": "The API answered 429: one operation waits.",
    "api_down": "The API answers no check at all: checks slow down.",
    "api_recovered": "The API answers again.",
    "breaker_opened": (
        "Many models began to fail at once: nothing is retried but one canary at a time."
    ),
    "canary_sent": "The attempt that the open breaker lets through may have been sent.",
    "canary_failed": "The canary did not recover: the breaker stays open.",
    "breaker_closed": "Retries go on. `closed_by` says why.",
    "notification_sent": "A receiver took a message. `notices` is how many happenings it was "
    "about, `answer` what the receiver answered.",
    "notification_failed": "A receiver did not take a message. It is sent again.",
    "notification_dropped": "A notice is not sent any more: its receiver took nothing for a day, "
    "or is no longer configured.",
    "retries_forbidden": (
        "The key may not retry (HTTP 403): one retry an hour finds out whether that is still so."
    ),
    "retries_allowed": "A retry was allowed again, or the key is another one.",
    "auth_failed": "The API refuses the key: no model is checked and nothing is retried.",
    "auth_recovered": "The API accepts the key again.",
    "check_failed": (
        "A model could not be seen while others were. Logged for the first and every tenth "
        "failure in a row."
    ),
    "deployment_failing": "An episode began, or began again with its count.",
    "cause_found": (
        "The cause of a failure was found. The event has the cause and how sure it is, and never "
        "the line. An "
        "unknown cause is not logged."
    ),
    "deployment_failed_again": "An attempt did not help.",
    "retry_reserved": "An attempt is in the ledger, and not sent yet.",
    "retry_deployment_mismatch": (
        "The answer to a retry named another deployment than the one that was seen."
    ),
    "retry_suppressed": (
        "Why a failing model is not retried now; logged when the reason changes, at debug for "
        "one that passes by itself within minutes: `first_delay`, `backoff`, "
        "`fleet_minute_spent`, `api_held`."
    ),
    "gave_up": "An operator is needed: no more attempts in this episode.",
    "recovered": "A model is healthy again after an attempt. Without one it is "
    "`episode_superseded`.",
    "episode_superseded": "It left its failing state without an attempt: somebody acted.",
    "deployment_replaced": "A new deployment was pushed.",
    "deployment_stuck": (
        "The model has been on its way for longer than `stuck_after`: since an attempt of ours, "
        "or since somebody else began it."
    ),
    "deployment_broken": (
        "The model does not work, is not retried, and nobody stopped it; or it is missing."
    ),
    "deployment_no_longer_broken": "The model that was broken is not broken any more.",
    "target_missing": "The API has no such model, or no development deployment of it.",
    "target_removed": "The model is no longer in the configuration.",
    "retry_accepted": "The API accepted the retry.",
    "retry_refused": "The API answered that it does not retry.",
    "retry_throttled": "The API answered 429 to the retry.",
    "retry_failed": (
        "The retry was not executed: there was no connection, or the key is refused or may not "
        "retry."
    ),
    "retry_outcome_unknown": (
        "The answer was lost: the status will show what happened. It is charged."
    ),
    "retry_abandoned": "The attempt was not sent after all.",
    "retry_dry_run": "In observe mode: it would have been sent.",
}
