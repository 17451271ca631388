"""What ends a run by exception. A failed cell is data and an unsolved question is an outcome: neither is here.

EcoassistError              has a message and a remedy, both for the person
├── UsageFault              exit 2: an option, a file or the configuration is wrong
├── EnvironmentFault        exit 3: something around the question is broken
│   ├── NoModel             no usable model endpoint
│   ├── NoSandbox           no container engine, no image, or the sandbox died
│   ├── Locked              another process keeps a file of ours to itself
│   └── ProviderError       a model endpoint failed
└── BudgetSpent             exit 4: the next call could cost more than is left

Interrupted                 not an error: thrown into a stream by whoever drives it
"""

from __future__ import annotations


class EcoassistError(Exception):
    """Shown to the person as one line and its remedy, never as a traceback."""

    kind = "error"

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy


class UsageFault(EcoassistError):
    kind = "usage"


class EnvironmentFault(EcoassistError):
    kind = "environment"


class NoModel(EnvironmentFault):
    kind = "model"


class NoSandbox(EnvironmentFault):
    kind = "sandbox"


class Locked(EnvironmentFault):
    kind = "locked"


class ProviderError(EnvironmentFault):
    """A model endpoint failed.

    `retryable`: the same request may succeed later (429, 5xx, connection).
    `retry_after`: seconds the endpoint asked to wait, if it did.
    `billed`: whether the failed request may have been charged for (the connection broke after it was sent).
    """

    kind = "provider"

    def __init__(
        self,
        message: str,
        remedy: str = "check the endpoint: ecoassist doctor",
        *,
        retryable: bool = False,
        retry_after: float | None = None,
        billed: bool = False,
    ) -> None:
        super().__init__(message, remedy)
        self.retryable, self.retry_after, self.billed = retryable, retry_after, billed


class BudgetSpent(EcoassistError):
    kind = "budget"


class Interrupted(Exception):
    """Thrown by the driver into a stream, only where the stream yielded a fleeting event."""
