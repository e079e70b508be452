"""The Prometheus operator's own types, which its kinds of manifests are compared with."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.deploy.grafana_schema import installed

_SCRIPT = """
import * as kinds from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1";
import {{ readFileSync }} from "node:fs";
const manifest = JSON.parse(readFileSync("{path}", "utf8"));
try {{ new kinds[manifest.kind](manifest).validate(); }}
catch (error) {{ console.log(error.message); }}
"""

_TYPED = """
import type {{ I{kind} }} from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1";
export const manifest: I{kind} = {manifest};
"""


def complaints(manifest: Mapping[str, Any], folder: Path) -> list[str]:
    """The errors by the operator's schema, and the fields that the kind does not have."""
    modules, kind = installed(), manifest["kind"]
    (folder / "node_modules").symlink_to(modules)
    path = folder / "manifest.json"
    path.write_text(json.dumps(manifest))
    (folder / "validate.mjs").write_text(_SCRIPT.format(path=path))
    (folder / "typed.ts").write_text(_TYPED.format(kind=kind, manifest=json.dumps(manifest)))
    options = ["--noEmit", "--strict", "--skipLibCheck", "--target", "esnext"]
    options += ["--module", "esnext", "--moduleResolution", "bundler"]
    found = []
    for command in (
        ["node", "--preserve-symlinks-main", "validate.mjs"],
        [str(modules / ".bin/tsc"), *options, "typed.ts"],
    ):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        found += (done.stdout + done.stderr).splitlines()
    return found
