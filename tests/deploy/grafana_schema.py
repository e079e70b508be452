"""Checks a dashboard against Grafana's own types with the TypeScript compiler."""

import fcntl
import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent
_PANELS = {
    "bargauge": "BarGauge",
    "stat": "Stat",
    "statetimeline": "StateTimeline",
    "table": "Table",
    "timeseries": "TimeSeries",
}
"""The kinds of panels, by the folders of their types."""

_HAS_FIELD_CONFIG = ("statetimeline", "table", "timeseries")

# JSON has the values of an enum, which TypeScript does not take for the enum itself.
_JSON_OF = """
type Json<T> = T extends string ? `${T}` : T extends number ? (`${T}` extends `${infer N extends
  number}` ? N : number) : T extends (infer E)[] ? Json<E>[]
  : T extends object ? { [K in keyof T]: Json<T[K]> } : T;
"""
_OPTIONS = ["--noEmit", "--strict", "--skipLibCheck", "--target", "esnext"]
_MODULES = ["--module", "esnext", "--moduleResolution", "bundler"]


def installed() -> Path:
    """The packages of the lock file, installed when they are not there yet, or are older ones."""
    modules = _HERE / "node_modules"
    done = modules / ".package-lock.json"
    with (_HERE / "package-lock.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        locked = os.fstat(lock.fileno()).st_mtime
        if not done.exists() or done.stat().st_mtime < locked:
            command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
            subprocess.run(command, cwd=_HERE, check=True, capture_output=True)
    return modules


def complaints(dashboard: Mapping[str, Any], folder: Path) -> list[str]:
    """The compiler's errors in the dashboard and its panels' options."""
    modules = installed()
    (folder / "node_modules").symlink_to(modules)
    lines = ["import type { Dashboard } from '@grafana/schema';", _JSON_OF]
    for kind, name in _PANELS.items():
        path = f"@grafana/schema/dist/esm/raw/composable/{kind}/panelcfg/x/{name}PanelCfg_types.gen"
        lines.append(f"import type * as {kind} from '{path}';")
    lines.append(f"export const dashboard: Json<Dashboard> = {json.dumps(dashboard)};")
    for number, panel in enumerate(dashboard["panels"]):
        kind = panel["type"].replace("-", "")
        if kind == "row":
            continue
        typed = f"Json<{kind}.Options>"
        lines.append(f"export const options{number}: {typed} = {json.dumps(panel['options'])};")
        if kind in _HAS_FIELD_CONFIG:
            custom = json.dumps(panel["fieldConfig"]["defaults"].get("custom", {}))
            typed = f"Json<Partial<{kind}.FieldConfig>>"
            lines.append(f"export const custom{number}: {typed} = {custom};")
    source = folder / "dashboard.ts"
    source.write_text("\n".join(lines))
    command = [str(modules / ".bin/tsc"), *_OPTIONS, *_MODULES]
    done = subprocess.run(
        [*command, str(source)], cwd=folder, capture_output=True, text=True, check=False
    )
    found = done.stdout.splitlines()
    assert bool(found) == bool(done.returncode), done.stderr
    return found
