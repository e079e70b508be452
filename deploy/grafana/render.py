"""The dashboards as the JSON that Grafana reads."""

import json

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from deploy.grafana import fleet, model


def rendered() -> dict[str, str]:
    """The text of each file, by its name."""
    built = {"fleet.json": fleet.dashboard().build(), "model.json": model.dashboard().build()}
    texts = {}
    for name, dashboard in built.items():
        plain = json.loads(json.dumps(dashboard, cls=JSONEncoder))
        for number, panel in enumerate(plain["panels"], start=1):
            panel["id"] = number  # links to a panel and alerts on it go by this
            if panel["type"] == "table":
                # The SDK always gives one, which Grafana's current schema no longer has.
                panel["options"].pop("footer", None)
        for variable in plain["templating"]["list"]:
            # The SDK gives the options of an interval to every variable; Grafana's schema does not.
            for key in ("auto", "auto_min", "auto_count"):
                variable.pop(key, None)
        texts[name] = json.dumps(plain, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    return texts
