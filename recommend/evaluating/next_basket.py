"""The next basket beside the field: every method's lists are measured on the same members, then compared in pairs."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from numpy.typing import NDArray

from recommend import nextbasket
from recommend.evaluating.cases import Case
from recommend.evaluating.cost import Cost, Meter
from recommend.evaluating.intervals import of_means
from recommend.evaluating.measures import NAMES, Quality, quality
from recommend.evaluating.scorers import Scorer, lists
from recommend.quality import TOP

OWN = "memberbot"


@dataclass(frozen=True, slots=True)
class Row:
    """A method's figures."""

    method: str
    quality: Quality
    cost: Cost

    def plain(self) -> dict[str, Any]:
        """Return the means and the cost as JSON takes them."""
        return {"method": self.method} | {name: self.quality.mean(name) for name in NAMES} | asdict(self.cost)


@dataclass(frozen=True, slots=True)
class Standing:
    """The product against the best of the field in one measure: `gain` is relative, low and high of the difference."""

    measure: str
    rival: str
    own: float
    other: float
    gain: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Answer:
    """Two lists of item codes per member asked (any item, new items only; −1 for none), and what they cost."""

    items: NDArray[Any]
    fresh: NDArray[Any]
    cost: Cost


def by_memberbot(of: Case) -> Answer:
    """Return the product's own lists."""
    meter, members = Meter(), of.log.members[of.asked]
    model, fit = meter.timed(nextbasket.fit, of.log, of.cut, parents=of.parents)
    items, seconds = meter.timed(model.score, members, TOP)
    fresh = model.score(members, TOP, new_only=True)
    return Answer(items.codes, fresh.codes, meter.cost(fit, seconds, len(members)))


def by_scores(of: Case, fit: Callable[[Case], Scorer]) -> Answer:
    """Return a baseline's lists; the time to score is that of one of the two."""
    meter = Meter()
    score, seconds = meter.timed(fit, of)
    (items, fresh), took = meter.timed(lists, score, of.past, of.asked)
    return Answer(items, fresh, meter.cost(seconds, took / 2, len(of.asked)))


def rows(of: Case, rivals: Mapping[str, Callable[[Case], Scorer]]) -> Iterator[Row]:
    """Yield the product's figures, then those of each rival; what needs a package that isn't there is left out."""
    own = by_memberbot(of)
    yield Row(OWN, quality(own.items, own.fresh, of), own.cost)
    for name, fit in rivals.items():
        try:
            found = by_scores(of, fit)
        except ImportError:
            continue
        yield Row(name, quality(found.items, found.fresh, of), found.cost)


def standings(found: list[Row]) -> list[Standing]:
    """Return how the product stands to the best rival in each measure; [] without a rival or without new items."""
    own, rivals = found[0], found[1:]
    answer = []
    for measure in NAMES:
        rated = [row for row in rivals if row.quality.mean(measure) == row.quality.mean(measure)]
        if not rated:
            continue
        rival = max(rated, key=lambda row: row.quality.mean(measure))
        mine, other = own.quality.mean(measure), rival.quality.mean(measure)
        low, high = of_means(own.quality.of(measure), rival.quality.of(measure))
        gain = mine / other - 1 if other else float("nan")
        answer.append(Standing(measure, rival.method, mine, other, gain, low, high))
    return answer
