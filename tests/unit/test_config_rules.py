"""Each file in tests/configs breaks one rule, and begins with the message that the user gets."""

from pathlib import Path

import pytest

from watchdog.config import ConfigError, load_config

INVALID = sorted((Path(__file__).parents[1] / "configs").glob("*.yaml"))
MARK = "# refused: "


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem)
def test_refuses_what_cannot_work(path: Path) -> None:
    lines = path.read_text().splitlines()
    told = {f"{path}: {line.removeprefix(MARK)}" for line in lines if line.startswith(MARK)}

    with pytest.raises(ConfigError) as caught:
        load_config(path)

    assert told
    assert set(caught.value.problems) == told
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("fleet: {max_retries_per_minute: 11}", "fleet.max_retries_per_minute: 11 is above the"),
        (
            "baseten: {max_requests_per_second: 101}",
            "baseten.max_requests_per_second: 101 is above the API's 100 a second",
        ),
        ("policy: {retry_on: []}", "policy.retry_on: empty, so nothing is ever retried"),
        ("policy: {retry_on: [BUILD_STOPPED]}", "policy.retry_on: BUILD_STOPPED: a person"),
        ("policy: {retry_on: [INACTIVE]}", "policy.retry_on: INACTIVE: a person may have"),
        ("policy: {retry_on: [MELTED]}", "policy.retry_on: MELTED is no failure status known"),
        (
            "models: [{id: abc123, policy: {retry_on: []}}]",
            "models[0].policy.retry_on: empty, so nothing is ever retried",
        ),
        (
            "rules: [{match: [x], policy: {retry_on: []}}]",
            "rules[0].policy.retry_on: empty, so nothing is ever retried",
        ),
        (
            "models: [{id: a}]\nrules: [{match: [x, y], policy: {}}]",
            "rules[0]: applies to none of the models: no pattern matches one",
        ),
        (
            "models: [{id: a}]\nrules: [{match: ['team/*'], policy: {}}]",
            "rules[0]: applies to none of the models: team/* needs `team` in their entries",
        ),
        (
            "models: [{id: a}]\nrules: [{match: ['*'], policy: {}}, {match: [a], policy: {}}]",
            "rules[1]: applies to none of the models: an earlier rule matches each that this one",
        ),
        (
            "discovery: {include: ['*'], exclude: ['*']}",
            "discovery.exclude: excludes all that `include` selects: none is discovered, and",
        ),
        (
            "models: [{id: a}]\ndiscovery: {include: ['a-*'], exclude: ['a*']}",
            "discovery.exclude: excludes all that `include` selects: none is discovered",
        ),
        (
            "notify: [{name: ops, url: 'https://hooks.example.com/x', events: []}]",
            "notify[0].events: empty, so nothing is ever sent to ops",
        ),
    ],
    ids=[
        "minute-above-api",
        "rate-above-api",
        "retry-nothing",
        "retry-stopped",
        "retry-deactivated",
        "retry-unknown",
        "model-retries-nothing",
        "rule-retries-nothing",
        "rule-without-models",
        "rule-for-teams-that-are-not-given",
        "rule-after-another",
        "discovery-of-nothing",
        "discovery-of-nothing-beside-models",
        "receiver-without-events",
    ],
)
def test_warns_of_what_may_not_be_meant(text: str, warning: str, tmp_path: Path) -> None:
    path = tmp_path / "watchdog.yaml"
    path.write_text(text)

    [told] = load_config(path).warnings

    assert told.startswith(warning)


def test_warns_of_a_ledger_that_depends_on_where_a_command_is_started(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BASETEN_WATCHDOG_STORE__URL", "sqlite:///ledger.db")

    [told] = load_config().warnings

    assert told.startswith("store.url: without a file, relative to where each command is started")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "policy:\nfleet:\n  breaker:\nmodels:\n",
        "mode:\nnotify:\ncauses:\nrules:\ndiscovery:\ndiagnose:\nstore: {url: , retention: }\n",
        "server: {host: , port: , allowed_hosts: , external_url: }\nwatch: {interval: }",
        "policy: {retry_on: , jitter: , causes: {memory: , network_backoff: }, allowed_times: }",
        "discovery: {include: ['*'], exclude: , interval: }",
        "notify: [{name: a, url_file: b, url: , events: , match: , include_error_lines: }]",
        "models: [{id: a, name: , team: , policy: }]\nrules: [{match: [a], policy: }]",
        "policy: {retry_on: [FAILED, UNHEALTHY]}",
        "policy: {first_delay: 0s, jitter: 0, backoff_factor: 1}",
        "policy: {window: 2d, max_attempts_per_window: 60}",
        "baseten: {base_url: 'http://127.0.0.1:8080'}",
        "baseten: {base_url: 'http://localhost:8080'}",
        "baseten: {base_url: 'http://[::1]:8080'}",
        "baseten: {base_url: 'http://api.example.com', allow_insecure_http: true}",
        "baseten: {timeout: 25s, max_requests_per_second: 100}",
        "watch: {interval: 1s, recovery_interval: 1s}",
        "server: {host: '::', port: 0}",
        "server: {host: localhost}",
        "server: {external_url: 'https://example.com/watchdog/'}",
        "server: {external_url: 'http://[::1]:9464'}",
        "server: {external_url: 'https://example.com/a%20b/~team-a'}",
        "server: {host: 'fe80::1%eth0'}",
        "server: {host: 'b\u00fccher.my-host.test.'}",
        "models: [{id: 1e5}, {id: '123456'}]",
        "models: [{id: a, team: b}]\nrules: [{match: [x, 'b/*'], policy: {max_attempts: 2}}]",
        "rules: [{match: [x], policy: {}}]",
        "models: [{id: a}]\ndiscovery: {include: ['*']}\nrules: [{match: [x], policy: {}}]",
        "rules:",
        f"models: [{{id: {'a' * 64}}}]",
    ],
    ids=[
        "empty",
        "sections-without-settings",
        "empty-settings",
        "empty-settings-of-the-server",
        "empty-settings-of-the-policy",
        "empty-settings-of-the-discovery",
        "empty-settings-of-a-receiver",
        "empty-settings-of-a-model-and-a-rule",
        "undefined-failure",
        "least-delays",
        "window-longer-than-fleets",
        "loopback-ipv4",
        "loopback-name",
        "loopback-ipv6",
        "insecure-if-allowed",
        "api-limits",
        "shortest-intervals",
        "any-port",
        "host-name",
        "page-behind-a-path",
        "page-at-an-address",
        "page-behind-an-escaped-path",
        "host-with-zone",
        "international-host",
        "ids-like-numbers",
        "rule-of-a-team",
        "rule-without-anything-to-watch",
        "rule-for-what-may-be-discovered",
        "rules-without-a-rule",
        "longest-id",
    ],
)
def test_takes_what_can_work(text: str, tmp_path: Path) -> None:
    path = tmp_path / "watchdog.yaml"
    path.write_text(text)

    assert load_config(path).warnings == ()


def test_knows_one_base_url_by_one_name(tmp_path: Path) -> None:
    path = tmp_path / "watchdog.yaml"
    path.write_text("baseten: {base_url: 'https://api.baseten.co/'}")

    assert load_config(path).config.baseten.base_url == "https://api.baseten.co"


def test_a_link_to_the_page_has_one_slash_after_its_path(tmp_path: Path) -> None:
    path = tmp_path / "watchdog.yaml"
    path.write_text("server: {external_url: 'https://example.com/watchdog//'}")

    assert load_config(path).config.server.external_url == "https://example.com/watchdog"
