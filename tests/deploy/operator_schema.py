"""The Prometheus operator's own types, which its kinds of manifests are compared with."""

import json
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tests.deploy.grafana_schema import installed

_SCRIPT = """
import * as kinds from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1";
import {{ readFileSync }} from "node:fs";
for (const manifest of JSON.parse(readFileSync("{path}", "utf8"))) {{
  try {{ new kinds[manifest.kind](manifest).validate(); }}
  catch (error) {{ console.log(`${{manifest.kind}}: ${{error.message}}`); }}
}}
"""

_TYPED = """
import type {{ I{kind} }} from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1";
export const manifest: I{kind} = {manifest};
"""


def complaints(manifests: Iterable[Mapping[str, Any]], folder: Path) -> list[str]:
    """The errors by the operator's schema, and the fields that the kinds do not have. Each begins
    with the kind of its manifest, of which there is one for each kind."""
    modules, each = installed(), list(manifests)
    (folder / "node_modules").symlink_to(modules)
    path = folder / "manifests.json"
    path.write_text(json.dumps(each))
    (folder / "validate.mjs").write_text(_SCRIPT.format(path=path))
    typed = [folder / f"{manifest['kind']}.ts" for manifest in each]
    for file, manifest in zip(typed, each, strict=True):
        text = _TYPED.format(kind=manifest["kind"], manifest=json.dumps(manifest))
        file.write_text(text)
    options = ["--noEmit", "--strict", "--skipLibCheck", "--target", "esnext"]
    options += ["--module", "esnext", "--moduleResolution", "bundler"]
    found = []
    for command in (
        ["node", "--preserve-symlinks-main", "validate.mjs"],
        [str(modules / ".bin/tsc"), *options, *(file.name for file in typed)],
    ):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        found += (done.stdout + done.stderr).splitlines()
    return found
