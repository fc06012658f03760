"""What a method costs: seconds of processor time and the most memory held, so that figures stand beside their price."""

import contextlib
import ctypes
import gc
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@dataclass(frozen=True, slots=True)
class Cost:
    """Processor seconds to fit, milliseconds a member to answer, and the process's peak MiB while it did both.

    `peak_mib` counts the interpreter and the purchases too; None where the system does not tell.
    """

    fit_seconds: float
    member_ms: float
    peak_mib: float | None


class Meter:
    """Takes the time of the steps of one method; memory held before it began is given back first."""

    def __init__(self) -> None:
        gc.collect()
        if "pyarrow" in sys.modules:
            sys.modules["pyarrow"].default_memory_pool().release_unused()
        if sys.platform == "linux":
            with contextlib.suppress(OSError, AttributeError):
                ctypes.CDLL("").malloc_trim(0)
            with contextlib.suppress(OSError):
                CLEAR.write_text("5", "ascii")  # forget the peak so far (proc(5))

    def timed(self, work: Callable[..., Any], *given: Any, **named: Any) -> tuple[Any, float]:
        """Return what the work returns, and its seconds of processor time."""
        began = time.process_time()
        found = work(*given, **named)
        return found, time.process_time() - began

    def cost(self, fit_seconds: float, seconds: float, members: int) -> Cost:
        """Return the cost of a method that answered for so many members in so many seconds."""
        return Cost(fit_seconds, 1000 * seconds / max(1, members), peak_memory())


def peak_memory() -> float | None:
    """Return the most MiB this process has held; unlike ru_maxrss it does not count the parent's. None off Linux."""
    try:
        status = dict(line.split(":", 1) for line in STATUS.read_text("utf-8").splitlines())
    except OSError:
        return None
    return int(status["VmHWM"].split()[0]) / 1024
