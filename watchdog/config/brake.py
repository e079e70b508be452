"""What pauses and resumes still need of a configuration that has errors: the daemon goes on with
the one that it read before, and an operator must be able to stop it."""

from collections.abc import Iterable

from watchdog.config.model import Config

_NEEDED = frozenset({"store", "store.url", "baseten", "baseten.base_url"})
"""Which ledger it is, and whose history that holds."""


def brake_config(config: Config, wrong: Iterable[str]) -> Config | None:
    """The ledger and the names of the models. None if it is in doubt which ledger is meant: a pause
    in another one would stop nothing. `config` is what is left without the settings of the wrong
    shape, and `wrong` are the paths of all settings that some error is about."""
    paths = set(wrong)
    if paths & _NEEDED:
        return None
    if "url" not in config.store.model_fields_set and any(map(_may_mean_the_ledger, paths)):
        return None
    # A model whose id is wrong has its number in place of it.
    models = tuple(
        model
        for number, model in enumerate(config.models)
        if not paths & {f"models[{number}]", f"models[{number}].id"}
    )
    known = {"store": config.store, "baseten": config.baseten, "models": models}
    return Config().model_copy(update=known)


def _may_mean_the_ledger(path: str) -> bool:
    """Whether this may be a mistyped store.url, so that the default was not meant."""
    section = path.partition(".")[0]
    return section == "store" or section not in Config.model_fields
