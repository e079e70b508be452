"""The models whose names a shell completes."""

from pathlib import Path

from watchdog.files.places import config_file


def titles(config: Path | None) -> list[str]:
    """The name, or the id of a model without one."""
    return sorted(set(known_models(config).values()))


def known_models(config: Path | None) -> dict[str, str]:
    """The models in the configuration and in the ledger: each id with its name, or with itself. If
    they cannot be read there are none, because a shell that completes a word cannot show an
    error."""
    import asyncio

    from watchdog.app.ledger import read_ledger
    from watchdog.app.setup import SetupError
    from watchdog.config import ConfigError, load_config

    try:
        settings = load_config(config_file(config)).config
    except ConfigError:
        return {}
    known = {model.id: model.name or model.id for model in settings.models}
    try:
        targets = asyncio.run(read_ledger(settings, lambda tx: tx.targets.all()))
    except SetupError:
        targets = []
    watched = {each.model_id: each.name or each.model_id for each in targets if each.watched}
    return watched | known
