"""Why a ledger cannot be opened. Each text is one line: what, where, what to do."""


class LedgerSetupError(Exception):
    """The ledger cannot be used until a person does something."""


class LedgerInUse(LedgerSetupError):
    """Another process holds the lock that this role needs."""


class LedgerMissing(LedgerSetupError):
    """There is none yet, and this role does not make one."""


class LedgerMismatch(LedgerSetupError):
    """It holds the history of another API."""


class LedgerTooNew(LedgerSetupError):
    """A newer version wrote it."""


class LedgerBroken(LedgerSetupError):
    """It cannot be read or written."""
