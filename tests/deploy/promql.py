"""Which metrics and labels an expression uses, and whether the program has them."""

import re

from tests.unit.test_metrics import CONTRACT, PREFIX

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_SELECTOR = re.compile(r"\b([a-zA-Z_][\w:]*)\s*\{([^}]*)\}")
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
_OURS = re.compile(r"\bbaseten_watchdog[\w:]*")
_COUNTED = re.compile(r'count_values by \([^)]*\) \("(\w+)"')
_MATCHER = re.compile(r"\s*(\w+)\s*(?:=~|!~|!=|=)")

SCRAPED = {"cluster", "namespace", "job", "instance"}
"""What a Prometheus adds to every series, or may add."""

_HISTOGRAM = ("_bucket", "_sum", "_count")

DECLARED = {
    PREFIX + name.removesuffix("_bucket") + suffix: labels
    for name, labels in CONTRACT.items()
    for suffix in (_HISTOGRAM if name.endswith("_bucket") else ("",))
}


def problems(expression: str, extra: dict[str, set[str]] | None = None) -> list[str]:
    """What the expression names and the program does not have. `extra` has the recorded metrics,
    and under the name '' labels that come from elsewhere."""
    known = DECLARED | {"up": {"container"}} | (extra or {})
    bare = _STRING.sub('""', expression)
    used = set(_OURS.findall(bare))
    found = [f"no metric {name}" for name in sorted(used - set(known))]
    theirs = SCRAPED | known.get("", set()) | set(_COUNTED.findall(expression))
    labels = theirs.union(*(known[name] for name in used & set(known)))
    for name, matchers in _SELECTOR.findall(bare):
        has = theirs | known.get(name, set())
        wanted = set(_MATCHER.findall(matchers))
        found += [f"{name} has no label {label}" for label in sorted(wanted - has)]
    for group in _GROUPING.findall(bare):
        wanted = {label.strip() for label in group.split(",") if label.strip()}
        found += [f"no label {label}" for label in sorted(wanted - labels)]
    return found
