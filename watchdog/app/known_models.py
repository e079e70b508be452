"""Which models this process knows besides those that the configuration names, and their teams."""

from watchdog.config import Config
from watchdog.domain.discovery import still_wanted
from watchdog.engine.fleet.discovered import Known, load
from watchdog.engine.fleet.teams import Teams
from watchdog.engine.fleet.teams import load as load_teams
from watchdog.engine.ports import LedgerTransaction
from watchdog.engine.settings import Settings


def wanted(known: Known, config: Config) -> Known:
    section = config.discovery
    return {} if section is None else still_wanted(known, section.rules())


def left(tx: LedgerTransaction) -> tuple[Known, Teams]:
    """What the previous active replica knew."""
    return load(tx), load_teams(tx)


def teams_of(config: Config, settings: Settings, listed: Teams) -> Teams:
    """The team of each watched model: as the configuration says, else as the API lists it."""
    given = {model.id: model.team for model in config.models}
    teams = {model_id: given.get(model_id) or listed.get(model_id) for model_id in settings.models}
    return {model_id: team for model_id, team in teams.items() if team}


def named(known: Known) -> dict[str, tuple[str, str]]:
    return {model_id: (model.name, model.team) for model_id, model in known.items()}
