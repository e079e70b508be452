"""What the modules for several kinds of rows share to read them."""

from datetime import datetime
from typing import Any, Protocol

from watchdog.domain.records import DeploymentRef


class Row(Protocol):
    """A row whose values are read by column name."""

    def __getitem__(self, name: str, /) -> Any: ...


def deployment_of(deployment_id: str | None, created_at: datetime) -> DeploymentRef | None:
    return None if deployment_id is None else DeploymentRef(deployment_id, created_at)
