"""The rules with two releases behind one Prometheus, however both are scraped.

Each test of rules_test.yaml runs again beside a second, healthy release, which must neither hide an
alert nor cause one; and with the same fault in both releases, which must give twice as many alerts.
An evaluation costs milliseconds, however many series there are: so all layouts that can be in one
Prometheus are.
"""

import json
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.test_rules import RULES, TESTS, promtool

JOB = 'job="baseten-watchdog"'
EXPRESSION = 'count by (alertname) (ALERTS{alertstate="firing"})'

APART = {
    "PodMonitors in two namespaces": (
        'job="pods",container="baseten-watchdog",namespace="%s",pod="%s-0"'
    ),
    "ServiceMonitors in one namespace": (
        'job="%s",container="baseten-watchdog",namespace="ml",service="%s"'
    ),
    "the same job in two clusters": 'job="baseten-watchdog",cluster="%s"',
    "two jobs of any name": 'job="%s"',
}
"""Labels of a release's series: the releases differ in more than the addresses, and so do the
layouts. All of them are scraped by one Prometheus."""

TOGETHER = {
    "two addresses of one job": JOB,
    "two addresses of one job of any name": 'job="pods"',
    "two pods of one job": 'job="pods",namespace="ml",container="baseten-watchdog"',
}
"""Only the addresses differ, as they do between two replicas of one release."""

Series = dict[str, str]

_TESTS: list[dict[str, Any]] = yaml.safe_load(TESTS.read_text())["tests"]
(_WELL,) = (test["input_series"] for test in _TESTS if test["name"] == "all is well")
REPEATED = [
    # The texts of alerts are tested once: they name the labels of one release.
    {name: part for name, part in test.items() if name != "alert_rule_test"}
    for test in _TESTS
    if all(JOB in each["series"] for each in test["input_series"])
    and all(moment["expr"] == EXPRESSION for moment in test["promql_expr_test"])
]


def test_most_tests_are_repeated() -> None:
    """The others are about the labels themselves."""
    assert len(_TESTS) - len(REPEATED) <= 3


@pytest.mark.parametrize("layouts", [APART.values(), TOGETHER.values()], ids=["apart", "together"])
def test_a_release_that_is_well_hides_nothing_and_causes_nothing(
    layouts: Collection[str], tmp_path: Path
) -> None:
    found = []
    for test in REPEATED:
        series = []
        for labels in layouts:
            ill = _scraped(test["input_series"], _of(labels, "first"), "", ledger=-100000)
            well = _scraped(_another(_WELL), _of(labels, "second"), "z", ledger=-200000)
            series += [*ill, *well]
        found.append(_expecting(test, series, times=len(layouts)))
    _check(found, tmp_path)


def test_the_same_fault_in_two_releases_is_two_alerts(tmp_path: Path) -> None:
    found = []
    for test in REPEATED:
        series = []
        for labels in APART.values():
            first = _scraped(test["input_series"], _of(labels, "first"), "", ledger=-100000)
            second = _scraped(test["input_series"], _of(labels, "second"), "", ledger=-200000)
            series += [*first, *second]
        found.append(_expecting(test, series, times=2 * len(APART)))
    _check(found, tmp_path)


def _of(labels: str, release: str) -> str:
    return labels.replace("%s", release)


def _scraped(series: list[Series], labels: str, address: str, *, ledger: int) -> list[Series]:
    """The series under the labels of a release, with what each daemon exports while it is up."""
    own = [*series, *_always_exported(series, ledger)]
    return [
        {"series": _relabelled(each["series"], labels, address), "values": each["values"]}
        for each in own
    ]


def _relabelled(series: str, labels: str, address: str) -> str:
    """`address` is appended to each instance and each model, so that two releases share none."""
    apart = re.sub(r'(instance|model_id)="(\w+)"', rf'\1="\2{address}"', series)
    return apart.replace(JOB, labels)


def _always_exported(series: list[Series], ledger: int) -> Iterator[Series]:
    """The series that every daemon exports while it is up, except those that the test itself
    gives."""
    given = " ".join(each["series"] for each in series)
    for name, value in (("build_info", 1), ("ledger_created_timestamp_seconds", ledger)):
        for each in series:
            up = re.fullmatch(r"up\{(.*)\}", each["series"])
            if up is not None and name not in given:
                values = _while_up(each["values"], value)
                yield {"series": f"baseten_watchdog_{name}{{{up[1]}}}", "values": values}


def _while_up(values: str, value: int) -> str:
    """promtool's notation: `0x3` is four samples, and `_x3` is three that are missing."""
    found = []
    for token in values.split():
        sample, _, more = token.partition("x")
        if sample == "1":
            found.append(f"{value}x{more or 0}")
        else:
            found.append(f"_x{int(more or 0) + (sample == '0')}")
    return " ".join(found)


def _another(series: list[Series]) -> list[Series]:
    """Without its ledger, which would be the same one as that of other tests."""
    return [
        {**each, "values": re.sub(r"x\d+$", "x10000", each["values"])}
        for each in series
        if "ledger_created" not in each["series"]
    ]


def _expecting(test: dict[str, Any], series: list[Series], *, times: int) -> dict[str, Any]:
    """The test with other series, where each alert fires so many times as often."""
    moments = [
        {
            **moment,
            "exp_samples": [
                {**sample, "value": times * sample["value"]} for sample in moment["exp_samples"]
            ],
        }
        for moment in test["promql_expr_test"]
    ]
    return {**test, "input_series": series, "promql_expr_test": moments}


def _check(tests: list[dict[str, Any]], folder: Path) -> None:
    """Tests of half a day or more are evaluated less often: each evaluation costs a few
    milliseconds."""
    for interval, long in (("1m", False), ("10m", True)):
        path = folder / f"{interval}.yaml"
        chosen = [test for test in tests if _takes_long(test) is long]
        path.write_text(
            json.dumps(
                {"rule_files": [str(RULES)], "evaluation_interval": interval, "tests": chosen}
            )
        )
        tested = promtool("test", "rules", str(path))
        assert tested.returncode == 0, (tested.stdout + tested.stderr).decode()


def _takes_long(test: dict[str, Any]) -> bool:
    hours = re.findall(
        r"\b(\d+)h", " ".join(each["eval_time"] for each in test["promql_expr_test"])
    )
    return any(int(each) >= 12 for each in hours)
