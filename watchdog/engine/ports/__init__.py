"""What the engine needs from outside. Adapters implement it; the contract tests check them."""

from watchdog.engine.ports.api import (
    Access,
    Act,
    ActEvent,
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
    LedgerVersion,
    MetaRows,
    VersionConflict,
)
from watchdog.engine.ports.listener import (
    Listener,
)
from watchdog.engine.ports.notices import (
    LONGEST_SEND,
    Delivery,
    NoticeRows,
    Notifier,
)
from watchdog.engine.ports.operators import (
    ActionRows,
)
from watchdog.engine.ports.replicas import (
    ReplicaRows,
)
from watchdog.engine.ports.targets import (
    BreakageRows,
    Due,
    QueueRows,
    StatusRows,
    TargetRows,
    farthest_plan,
)

__all__ = [
    "LONGEST_SEND",
    "Access",
    "Act",
    "ActEvent",
    "ActionRows",
    "AnswerLost",
    "ApiError",
    "AttemptRows",
    "BasetenApi",
    "BreakageRows",
    "BreakerRows",
    "Clock",
    "Delivery",
    "Denied",
    "Deployment",
    "Due",
    "EpisodeRows",
    "FindingRows",
    "FleetUsage",
    "Forbidden",
    "Generation",
    "Held",
    "Ledger",
    "LedgerTransaction",
    "LedgerUnavailable",
    "LedgerVersion",
    "Listener",
    "MetaRows",
    "NotFound",
    "NotSent",
    "NoticeRows",
    "Notifier",
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
