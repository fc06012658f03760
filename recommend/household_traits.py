"""Household traits inferred from purchases through the taxonomy, without a single label: score, confidence, reason.

leaning z_mg: log(1 + purchase days of the group) less what members of like activity buy (least squares on the logs of
all item days and of shopping days, and their squares), over the standard deviation of the rest. A hinted trait's score
is Σ w_g·z_mg, standardised. Its confidence is the posterior of two normal classes of the trait's expected share π whose
means lie SEPARATION standard deviations apart (linear discriminant, Fisher 1936): an assumption, until `calibrated`
has seen members whose answer is known (Platt 1999). A proven trait's is a noisy-or over purchase days of the last
RECENT days: 1 − Π (1 − q_g)^days (Pearl 1988), 0 where nothing points to it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recommend.matrix import BadPurchases, Labels, PurchaseLog
from recommend.taxonomy import Taxonomy
from recommend.visits import Figures, Whole

SEPARATION, RECENT, LEAST_KNOWN = 1.0, 180, 50
SOURCE = "inferred"


@dataclass(frozen=True, slots=True)
class Counts:
    """Purchase days of each member (M) in each group (G), also of the last RECENT days, and the member's activity."""

    members: Labels
    days: NDArray[np.float32]
    recent: NDArray[np.float32]
    items: Whole
    visits: Whole


@dataclass(frozen=True, slots=True)
class HouseholdModel:
    """What was learnt of a shop: activity curves (5 × G), spread (G), mean and spread of scores (T), and slopes (T).

    Confidence is 1 / (1 + exp(−(intercept + slope · score))).
    """

    taxonomy: Taxonomy
    curves: Figures
    spread: Figures
    mean: Figures
    scale: Figures
    slope: Figures
    intercept: Figures


@dataclass(frozen=True, slots=True)
class InferredTag:
    """One tag for a member: how sure (0 to 1), from where, and why in words a marketer reads."""

    member: object
    tag: str
    confidence: float
    source: str
    why: str


@dataclass(frozen=True, slots=True)
class Traits:
    """Per member (M) and trait (T): score and confidence; `leaning` (M × G) is what they come from."""

    taxonomy: Taxonomy
    members: Labels
    leaning: Figures
    recent: NDArray[np.float32]
    score: Figures
    confidence: Figures

    def of(self, code: str) -> Figures:
        """Return the confidence of one trait for every member."""
        return np.asarray(self.confidence[:, self.taxonomy.trait(code)])

    def why(self, row: int, trait: int, most: int = 3) -> str:
        """Return the goods that speak for a trait of the member in a row."""
        hints, proof = self.taxonomy.hints()[:, trait], self.taxonomy.proof()[:, trait]
        weight = proof * self.recent[row] if proof.any() else np.maximum(hints, 0) * np.maximum(self.leaning[row], 0)
        best = [at for at in np.argsort(-weight, kind="stable")[:most].tolist() if weight[at] > 0]
        return f"常买{'、'.join(self.taxonomy.groups[at].name for at in best)}" if best else ""

    def tags(self, floor: float = 0.6) -> Iterator[InferredTag]:
        """Yield the tags at least `floor` sure, member by member."""
        for row, trait in np.argwhere(self.confidence >= floor).tolist():
            sure = round(float(self.confidence[row, trait]), 3)
            tag = self.taxonomy.traits[trait].tag
            yield InferredTag(self.members[row], tag, sure, SOURCE, self.why(row, trait))


def counts(log: PurchaseLog, cut: int, taxonomy: Taxonomy, names: Sequence[str] | Labels) -> Counts:
    """Return purchase days per group before day `cut`; `names`: what each item's category and type are called."""
    if len(names) != len(log.items):
        raise BadPurchases("one name is needed for each item")
    past = log.before(cut)
    if not len(past):
        raise BadPurchases(f"no purchases before day {cut}")
    found, member = np.unique(past.member, return_inverse=True)
    group = taxonomy.codes_of(names)[past.item]
    width, day = len(taxonomy.groups), past.day
    firsts = np.ones(len(past), dtype=np.bool_)
    firsts[1:] = (member[1:] != member[:-1]) | (day[1:] != day[:-1])
    visit = np.cumsum(firsts) - 1
    once = np.unique(visit[group >= 0].astype(np.int64) * width + group[group >= 0])
    who, when, what = member[firsts][once // width], day[firsts][once // width], once % width
    days, recent = (np.zeros((len(found), width), dtype=np.float32) for _ in range(2))
    np.add.at(days, (who, what), 1)
    np.add.at(recent, (who[when >= cut - RECENT], what[when >= cut - RECENT]), 1)
    return Counts(past.members[found], days, recent, np.bincount(member), np.bincount(member[firsts]))


def fit(counted: Counts, taxonomy: Taxonomy) -> HouseholdModel:
    """Return the shop's model; BadPurchases below ten members, of whom nothing can be compared."""
    if len(counted.members) < 10:
        raise BadPurchases(f"{len(counted.members)} members are too few to compare")
    design, target = _design(counted), np.log1p(counted.days.astype(np.float64))
    curves = np.asarray(np.linalg.lstsq(design, target, rcond=None)[0])
    spread = (target - design @ curves).std(axis=0)
    spread = np.where(spread > 1e-9, spread, np.inf)
    raw = (target - design @ curves) / spread @ taxonomy.hints()
    scale = np.where(raw.std(axis=0) > 1e-9, raw.std(axis=0), np.inf)
    slope, intercept = _assumed(np.array([trait.prior for trait in taxonomy.traits]))
    return HouseholdModel(taxonomy, curves, spread, raw.mean(axis=0), scale, slope, intercept)


def infer(model: HouseholdModel, counted: Counts) -> Traits:
    """Return traits of these members, who need not be those the model was fitted on."""
    target = np.log1p(counted.days.astype(np.float64))
    leaning = (target - _design(counted) @ model.curves) / model.spread
    score = (leaning @ model.taxonomy.hints() - model.mean) / model.scale
    confidence = 1 / (1 + np.exp(-(model.intercept + model.slope * score)))
    proof = model.taxonomy.proof()
    proven = proof.any(axis=0)
    confidence[:, proven] = 1 - np.exp(counted.recent @ np.log1p(-proof))[:, proven]
    score[:, proven] = (counted.recent @ -np.log1p(-proof))[:, proven]
    return Traits(model.taxonomy, counted.members, leaning, counted.recent, score, confidence)


def calibrated(model: HouseholdModel, found: Traits, code: str, rows: ArrayLike, known: ArrayLike) -> HouseholdModel:
    """Return the model with one hinted trait's confidence fitted to members (rows) whose answer (bool) is known.

    BadPurchases below 50 answers, or when all are alike.
    """
    from sklearn.linear_model import LogisticRegression

    answers, at = np.asarray(known, dtype=np.bool_), model.taxonomy.trait(code)
    if len(answers) < LEAST_KNOWN or answers.all() or not answers.any():
        raise BadPurchases(f"{len(answers)} answers are too few, or all alike")
    fitted = LogisticRegression(C=1e6).fit(found.score[np.asarray(rows)][:, [at]], answers)
    slope, intercept = model.slope.copy(), model.intercept.copy()
    slope[at], intercept[at] = fitted.coef_[0, 0], fitted.intercept_[0]
    return replace(model, slope=slope, intercept=intercept)


def _design(counted: Counts) -> Figures:
    items, visits = np.log1p(counted.items), np.log1p(counted.visits)
    return np.stack([np.ones(len(items)), items, items**2, visits, visits**2], axis=1)


def _assumed(prior: Figures) -> tuple[Figures, Figures]:
    within = 1 / np.sqrt(1 + prior * (1 - prior) * SEPARATION**2)
    slope = SEPARATION / within
    return slope, np.log(prior / (1 - prior)) - slope * SEPARATION * within * (1 - 2 * prior) / 2
