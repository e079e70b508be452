"""What the engine needs from outside. Adapters implement it; the contract tests check them."""

from watchdog.engine.ports.api import (
    Access,
    Act,
    AnswerLost,
    ApiError,
    BasetenApi,
    Denied,
    Deployment,
    Forbidden,
    Held,
    NotFound,
    NotSent,
    Post,
    Rejected,
    RetryAnswer,
    Throttled,
)
from watchdog.engine.ports.attempts import (
    AttemptRows,
    FleetUsage,
    Generation,
    UsageRows,
)
from watchdog.engine.ports.breaker import (
    BreakerRows,
)
from watchdog.engine.ports.clock import (
    Clock,
)
from watchdog.engine.ports.episodes import (
    EpisodeRows,
    FindingRows,
)
from watchdog.engine.ports.ledger import (
    Ledger,
    LedgerTransaction,
    LedgerUnavailable,
    MetaRows,
    VersionConflict,
)
from watchdog.engine.ports.listener import (
    Listener,
)
from watchdog.engine.ports.operators import (
    ActionRows,
)
from watchdog.engine.ports.replicas import (
    ReplicaRows,
)
from watchdog.engine.ports.targets import (
    BreakageRows,
    QueueRows,
    StatusRows,
    TargetRows,
    farthest_plan,
)

__all__ = [
    "Access",
    "Act",
    "ActionRows",
    "AnswerLost",
    "ApiError",
    "AttemptRows",
    "BasetenApi",
    "BreakageRows",
    "BreakerRows",
    "Clock",
    "Denied",
    "Deployment",
    "EpisodeRows",
    "FindingRows",
    "FleetUsage",
    "Forbidden",
    "Generation",
    "Held",
    "Ledger",
    "LedgerTransaction",
    "LedgerUnavailable",
    "Listener",
    "MetaRows",
    "NotFound",
    "NotSent",
    "Post",
    "QueueRows",
    "Rejected",
    "ReplicaRows",
    "RetryAnswer",
    "StatusRows",
    "TargetRows",
    "Throttled",
    "UsageRows",
    "VersionConflict",
    "farthest_plan",
]
