"""Which coupon a member redeems, and who redeems at all: two small linear models learnt from earlier mailings only.

Choice: conditional logit (McFadden 1974) over the coupons of one mailing, so that only differences within a member's
mailing count. Response: logistic regression. Both shrink to zero (ridge); numpy and scipy only, so the web may load it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from recommend import model_file
from recommend.coupon_features import BadCoupons, Dense, Mailing, Numbers, Past, Receipts, Redemptions, cells

RIDGE = 300.0
FEWEST_ANSWERS = 20
CHUNK = 2_000
CLIP = 4.0
KIND = "coupons 1"


@dataclass(frozen=True)
class Books:
    """All that may be known: receipts, item levels, mailings by any order, and what was redeemed."""

    receipts: Receipts
    levels: Mapping[str, Numbers]
    mailings: Sequence[Mailing]
    redemptions: Redemptions

    def past(self, cut: int) -> Past:
        """Return the shop as it stood on the morning of the cut."""
        return Past.of(self.receipts, self.levels, cut)

    def mailed(self, cut: int) -> Numbers:
        """Return how many mailings that started before the cut each member was sent."""
        sent = [mailing.members for mailing in self.mailings if mailing.start < cut]
        everyone = np.concatenate(sent) if sent else np.zeros(0, dtype=np.int64)
        return np.bincount(everyone, minlength=self.receipts.members)

    def ended_before(self, cut: int) -> list[int]:
        """Return which mailings were over before the cut: only these may teach."""
        return [place for place, mailing in enumerate(self.mailings) if mailing.end < cut]


@dataclass(frozen=True)
class Choice:
    """Weights over the cell features; None where too few redemptions were seen and own counts decide."""

    names: Sequence[str]
    weights: Numbers | None
    redeemers: int

    def utilities(self, names: Sequence[str], cells: Dense) -> Dense:
        """Return members × coupons, higher is likelier; without weights, the (centred) own purchase counts."""
        if self.weights is None:
            return np.asarray(cells[:, :, list(names).index("own")], dtype=np.float32)
        if list(names) != list(self.names):
            raise BadCoupons("the coupons have other features than the model was fitted on")
        return np.asarray(cells @ self.weights.astype(np.float32), dtype=np.float32)

    def reasons(self, names: Sequence[str], cell: Numbers, count: int = 3) -> list[tuple[str, float]]:
        """Return the features that lift one member's coupon most, with their part of its utility."""
        if self.weights is None:
            return [("own", float(cell[list(names).index("own")]))]
        part = cell * self.weights
        return [(names[place], float(part[place])) for place in np.argsort(-part)[:count] if part[place] > 0]


@dataclass(frozen=True)
class Response:
    """Logistic model of redeeming anything of a mailing; `usual` coupons are redeemed by those who do."""

    centre: Numbers
    scale: Numbers
    weights: Numbers
    bias: float
    usual: float

    def probabilities(self, people: Dense) -> Numbers:
        """Return the probability that each addressee redeems something."""
        scaled = np.clip((people - self.centre) / self.scale, -CLIP, CLIP)
        return np.asarray(expit(scaled @ self.weights + self.bias))


@dataclass(frozen=True)
class Models:
    """What was learnt before a cut."""

    cut: int
    choice: Choice
    response: Response | None

    def save(self, path: Path) -> str:
        """Write the models as plain arrays behind a checksum, which is returned."""
        arrays = {"cut": np.array(self.cut), "names": np.array(self.choice.names, dtype=np.str_),
                  "redeemers": np.array(self.choice.redeemers)}  # fmt: skip
        if self.choice.weights is not None:
            arrays["choice"] = self.choice.weights
        if self.response is not None:
            arrays |= {f"response.{one.name}": np.array(getattr(self.response, one.name)) for one in fields(Response)}
        return model_file.write(path, KIND, arrays)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read models back; BadModelFile when the file is damaged or isn't one."""
        stored = model_file.read(path, KIND)
        names = [str(name) for name in stored["names"]]
        response = None
        if "response.bias" in stored:
            parts = {one.name: stored[f"response.{one.name}"] for one in fields(Response)}
            bias, usual = float(parts.pop("bias")), float(parts.pop("usual"))
            response = Response(**parts, bias=bias, usual=usual)
        choice = Choice(names, stored.get("choice"), int(stored["redeemers"]))
        return cls(int(stored["cut"]), choice, response)


@dataclass(frozen=True)
class Scores:
    """Of one mailing, members × coupons: utility within the member, and per member the chance to redeem at all."""

    utility: Dense
    redeems: Numbers
    usual: float

    def probabilities(self) -> Numbers:
        """Return the chance of each coupon: chance to redeem × usual number × the coupon's share of the choice."""
        power = np.exp(self.utility - self.utility.max(axis=1, keepdims=True))
        share = power / power.sum(axis=1, keepdims=True)
        return np.asarray(self.redeems[:, None] * (1 - (1 - share) ** self.usual))


@dataclass(frozen=True)
class Lesson:
    """What one mailing teaches once it is over: each redeemer's choice, and who of the addressees redeemed."""

    end: int
    names: list[str]
    cells: list[Numbers]
    taken: list[NDArray[np.bool_]]
    people: Dense
    answered: NDArray[np.bool_]


def lesson(books: Books, which: int) -> Lesson:
    """Return the mailing's lesson, its features as they were on its first morning."""
    mailing = books.mailings[which]
    past, mailed = books.past(mailing.start), books.mailed(mailing.start)
    got = books.redemptions.taken(books.mailings, which)
    names: list[str] = []
    choices: list[Numbers] = []
    chosen: list[NDArray[np.bool_]] = []
    people = []
    for rows in _chunks(len(got)):
        facts = past.facts(mailing, rows)
        people.append(past.people(mailing, rows, facts, books.redemptions, mailed))
        mine = got[rows]
        choosers = np.flatnonzero(mine.any(axis=1) & ~mine.all(axis=1))
        if len(choosers):
            names, found = cells({name: values[choosers] for name, values in facts.items()})
            choices += list(found)
            chosen += list(mine[choosers])
    return Lesson(mailing.end, names, choices, chosen, np.concatenate(people), np.asarray(got.any(axis=1)))


def fit(books: Books, cut: int, ridge: float = RIDGE) -> Models:
    """Learn from the mailings that ended before the cut."""
    return learn([lesson(books, which) for which in books.ended_before(cut)], cut, ridge)


def learn(lessons: Sequence[Lesson], cut: int, ridge: float = RIDGE) -> Models:
    """Learn from those of the lessons that ended before the cut; with too few redemptions, own counts decide."""
    over = [one for one in lessons if one.end < cut]
    choices = [found for one in over for found in one.cells]
    taken = [found for one in over for found in one.taken]
    names = next((one.names for one in over if one.names), [])
    weights = conditional_logit(choices, taken, ridge) if len(taken) >= FEWEST_ANSWERS else None
    usual = float(np.mean([found.sum() for found in taken])) if taken else 1.0
    response = _response([one.people for one in over], [one.answered for one in over], usual, ridge)
    return Models(cut, Choice(names, weights, len(taken)), response)


def score(books: Books, mailing: Mailing, models: Models, progress: Callable[[int], None] | None = None) -> Scores:
    """Score every addressee in chunks; BadCoupons when the models saw the mailing's own days."""
    if models.cut > mailing.start:
        raise BadCoupons("the models were learnt from days after the mailing started")
    past, mailed = books.past(mailing.start), books.mailed(mailing.start)
    utility, redeems = [], []
    for rows in _chunks(len(mailing.members)):
        facts = past.facts(mailing, rows)
        utility.append(models.choice.utilities(*cells(facts)))
        people = past.people(mailing, rows, facts, books.redemptions, mailed)
        redeems.append(models.response.probabilities(people) if models.response else _habit(people))
        if progress is not None:
            progress(len(rows))
    return Scores(np.concatenate(utility), np.concatenate(redeems), models.response.usual if models.response else 1.0)


def conditional_logit(choices: Sequence[Numbers], taken: Sequence[NDArray[np.bool_]], ridge: float) -> Numbers:
    """Return the weights w that maximise Σ √n·mean log softmax(choice·w) over the n redeemed − ridge/2·|w·sd|²."""
    if not choices or len(choices) != len(taken):
        raise BadCoupons("no choices to learn from")
    stacked, redeemed = np.concatenate(list(choices)).astype(np.float32), np.concatenate(taken)
    if not np.isfinite(stacked).all():
        raise BadCoupons("cells have NaN")
    sizes = np.array([len(group) for group in taken])
    starts, group = np.r_[0, np.cumsum(sizes)[:-1]], np.repeat(np.arange(len(sizes)), sizes)
    many = np.add.reduceat(redeemed.astype(np.float64), starts)
    if (many == 0).any():
        raise BadCoupons("a choice without a redeemed coupon")
    scale = stacked.std(axis=0) + 1e-6
    scaled, weight = stacked / scale, np.sqrt(many)
    share = redeemed * (weight / many)[group]

    def loss(weights: Numbers) -> tuple[float, Numbers]:
        utility = (scaled @ weights.astype(np.float32)).astype(np.float64)
        utility -= np.maximum.reduceat(utility, starts)[group]
        power = np.exp(utility)
        total = np.add.reduceat(power, starts)
        slope = scaled.T @ ((weight / total)[group] * power - share).astype(np.float32)
        value = float(weight @ np.log(total) - share @ utility + ridge / 2 * weights @ weights)
        return value, slope.astype(np.float64) + ridge * weights

    found = minimize(loss, np.zeros(stacked.shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": 200})
    return np.asarray(found.x / scale)


def _response(people: list[Dense], answered: list[Numbers], usual: float, ridge: float) -> Response | None:
    if not people or sum(int(yes.sum()) for yes in answered) < FEWEST_ANSWERS:
        return None
    table, yes = np.concatenate(people).astype(np.float64), np.concatenate(answered)
    centre, scale = table.mean(axis=0), table.std(axis=0) + 1e-6
    scaled, sign = np.clip((table - centre) / scale, -CLIP, CLIP), np.where(yes, 1.0, -1.0)

    def loss(point: Numbers) -> tuple[float, Numbers]:
        margin = sign * (scaled @ point[:-1] + point[-1])
        pull = -sign * expit(-margin)
        value = float(np.logaddexp(0, -margin).sum() + ridge / 2 * point[:-1] @ point[:-1])
        return value, np.r_[scaled.T @ pull + ridge * point[:-1], pull.sum()]

    found: Any = minimize(loss, np.zeros(table.shape[1] + 1), jac=True, method="L-BFGS-B", options={"maxiter": 500})
    return Response(centre, scale, found.x[:-1], float(found.x[-1]), usual)


def _chunks(count: int) -> Iterator[Numbers]:
    for start in range(0, count, CHUNK):
        yield np.arange(start, min(start + CHUNK, count))


def _habit(people: Dense) -> Numbers:
    # third feature of Past.people: share of a member's lines that had a coupon
    return np.asarray(np.clip(people[:, 2].astype(np.float64), 0, 1))
