"""Faults that can be scripted: the platform misbehaves on purpose, a counted number of times."""

from dataclasses import asdict, dataclass
from typing import Any, Final

from bot.sandbox.errors import UserError

KINDS: Final = ("busy", "hang", "drop", "expired_token", "errcode", "blocked")


@dataclass
class Fault:
    """`count` more calls of `path` ("*" = any) are hit.

    busy: errcode -1, nothing done. hang: `seconds` of silence, then done. drop: done, but the answer is a bare 500.
    expired_token: the caller's token is expired, 42001. errcode: `errcode`, nothing done. blocked: accepted, but the
    finish event says that the user blocks the account.
    """

    kind: str
    path: str
    count: int
    seconds: float = 0.0
    errcode: int = -1


class Faults:
    """First come, first served; not kept over a restart."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, kind: object, path: object, count: object, seconds: object = 0.0, errcode: object = -1) -> Fault:
        """Script a fault; UserError when it makes no sense."""
        if kind not in KINDS:
            raise UserError(f"故障类型只能是 {'、'.join(KINDS)}")
        if not isinstance(path, str) or not (path == "*" or path.startswith("/")):
            raise UserError("路径要以 / 开头,或写 *")
        if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= 10_000:
            raise UserError("次数要在 1 到 10000 之间")
        if not isinstance(seconds, int | float) or not 0 <= seconds <= 600 or not isinstance(errcode, int):
            raise UserError("秒数要在 0 到 600 之间")
        fault = Fault(str(kind), path, count, float(seconds), errcode)
        self._faults.append(fault)
        return fault

    def take(self, path: str, *kinds: str) -> Fault | None:
        """The first fault of these kinds that hits `path`, used once."""
        for fault in self._faults:
            if fault.kind in kinds and fault.path in ("*", path):
                fault.count -= 1
                if fault.count == 0:
                    self._faults.remove(fault)
                return fault
        return None

    def clear(self) -> None:
        self._faults.clear()

    def listed(self) -> list[dict[str, Any]]:
        return [asdict(fault) for fault in self._faults]
