"""What only looks like ours, by its shape: a deed denied, over or another person's, our word beside another's.

Open-vocabulary rules before and after the fitted model (others.txt). They only ever say `unknown`: they can do no harm.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

SHORT = 24
FILE = Path(__file__).with_name("others.txt")
_DENIED = "(?:{wish})*(?:{denial})(?:{between})*(?:{deed})(?:{tail})*"
_BESIDE = "(?:{before})*(?:(?:{owner})的?(?:{name})|(?:{name})的?(?:{owner}))(?:{after})*"
_DONE_TO = (
    "(?:{asked})*(?:(?:{verb})(?:{linked})*(?:{object})|(?:{object})(?:怎么|怎样|咋|如何|要)?(?:{verb}))(?:{ended})*"
)
_OVER = "(?!.*(?:{asks})).*(?:{then}|{theirs}).*(?:{deed_done}).*"
_CLOCK = "(?:请问|现在|这会儿?|北京时间|都|是)*十?几点(?:钟|十?几分?)?(?:钟|整)?(?:了|啦|呀|啊|呢|来着)*"
_REFERENCE = (
    r"(?:{numbered})*号?码?[是为:]?(?:\d{{5,8}}|\d{{4}}年\d{{1,2}}月\d{{1,2}}[日号])(?:元|号|块|块钱|年|人|米|公里|个)?"
)


@lru_cache(maxsize=1)
def _parts() -> Mapping[str, str]:
    """Return {name: its shapes as one regular expression}."""
    found: dict[str, str] = {}
    for line in FILE.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, _, shapes = line.partition(":")
            found[name] = "|".join(filter(None, (found.get(name), *shapes.split())))
    return MappingProxyType(found)


@lru_cache(maxsize=1)
def _shapes() -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(shape.format_map(_parts())) for shape in (_DENIED, _BESIDE, _DONE_TO, _OVER, _CLOCK))


@lru_cache(maxsize=1)
def _reference() -> re.Pattern[str]:
    return re.compile(_REFERENCE.format_map(_parts()))


@lru_cache(maxsize=128)
def _evidence(kind: str, intent: str) -> re.Pattern[str] | None:
    shape = _parts().get(f"{kind} {intent}")
    return None if shape is None else re.compile(shape)


def is_other(squeezed: str) -> bool:
    """Tell whether a squeezed line is by its shape about something else, or wants something not to be done."""
    return len(squeezed) <= SHORT and any(shape.fullmatch(squeezed) for shape in _shapes())


def is_reference(squeezed: str) -> bool:
    """Tell whether a squeezed line is nothing but somebody's number or date: 快递123456."""
    return len(squeezed) <= SHORT and not squeezed.isdigit() and _reference().fullmatch(squeezed) is not None


def contradicts(intent: str, squeezed: str) -> bool:
    """Tell whether what stands in a short squeezed line, or is missing in it, speaks against the guessed intent."""
    if len(squeezed) > SHORT:
        return False
    never, needs = _evidence("not", intent), _evidence("only", intent)
    if never is not None and never.search(squeezed):
        return True
    return needs is not None and needs.search(squeezed) is None
