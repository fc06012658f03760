"""Household traits checked against demographics, which are read here only and never learnt from."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommend import household_traits
from recommend.evaluating import intervals
from recommend.evaluating.measures import auc
from recommend.household_traits import Counts, HouseholdModel, Traits
from recommend.matrix import PurchaseLog
from recommend.taxonomy import Taxonomy

Column = NDArray[Any]
Told = Mapping[str, str]
FOLDS = 10


@dataclass(frozen=True)
class Question:
    """A trait, what the demographics say about it, and of whom it is asked."""

    trait: str
    name: str
    true: Callable[[Told], bool]
    asked: Callable[[Told], bool] = lambda told: True


QUESTIONS = (
    Question("children", "children in the household", lambda told: told["kids_count"] != "0"),
    Question(
        "children", "two or more children, or none",
        lambda told: told["kids_count"] != "0", lambda told: told["kids_count"] != "1",
    ),
    Question(
        "children", "one child, or none",
        lambda told: told["kids_count"] != "0", lambda told: told["kids_count"] in ("0", "1"),
    ),
    Question("family", "three persons or more", lambda told: told["household_size"] in ("3", "4", "5+")),
    Question("young", "head under 35", lambda told: told["age"] in ("19-24", "25-34")),
    Question("senior", "head 65 or older", lambda told: told["age"] == "65+"),
    Question("senior", "head 55 or older", lambda told: told["age"] in ("55-64", "65+")),
    Question(
        "affluent", "income of 75K or more",
        lambda told: told["income"] not in ("Under 15K", "15-24K", "25-34K", "35-49K", "50-74K"),
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """A question's figures: households asked, the share that has it, AUC with its interval, and Brier scores.

    `calibrated` has seen the answers of the other nine tenths; `base_brier` is that of always saying the share.
    """

    question: str
    households: int
    share: float
    auc: float
    low: float
    high: float
    brier: float
    calibrated: float
    base_brier: float

    def plain(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        return asdict(self)


@dataclass(frozen=True)
class Described:
    """What was inferred of everybody, and the rows and answers of those whom the demographics describe."""

    counted: Counts
    model: HouseholdModel
    found: Traits
    rows: Column
    answers: list[Told]

    def asked(self, question: Question) -> tuple[Column, Column]:
        """Return the rows a question is asked of, and what is true of them."""
        mine = np.array([question.asked(answer) for answer in self.answers])
        return self.rows[mine], np.array([question.true(answer) for answer in self.answers])[mine]

    def row(self, question: Question) -> Row:
        """Return a question's figures."""
        rows, true = self.asked(question)
        score = self.found.of(question.trait)[rows]
        better = recalibrated(self.model, self.counted, question.trait, rows, true)
        low, high = intervals.of_figure(true, score, auc)
        share = float(true.mean())
        return Row(question.name, len(true), share, auc(true, score), low, high, brier(true, score),
                   brier(true, better), share * (1 - share))  # fmt: skip


def described(log: PurchaseLog, end: int, taxonomy: Taxonomy, names: Column, told: Mapping[int, Told]) -> Described:
    """Infer traits from what was bought before `end`; `names` of each item's category and type decide its group."""
    counted = household_traits.counts(log, end, taxonomy, names)
    model = household_traits.fit(counted, taxonomy)
    found = household_traits.infer(model, counted)
    rows = np.array([at for at, who in enumerate(found.members.tolist()) if int(who) in told])
    return Described(counted, model, found, rows, [told[int(who)] for who in found.members[rows].tolist()])


def brier(true: Column, chance: Column) -> float:
    """Return the mean squared error of a probability."""
    return float(((chance - true) ** 2).mean())


def folds(true: Column) -> list[tuple[Column, Column]]:
    """Return (learnt from, judged) rows of ten stratified folds."""
    from sklearn.model_selection import StratifiedKFold

    return list(StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(true, true))


def recalibrated(model: HouseholdModel, counted: Counts, trait: str, rows: Column, true: Column) -> Column:
    """Return the confidence of described households by a calibration on the other folds."""
    found, answer = household_traits.infer(model, counted), np.zeros(len(rows))
    for learnt, judged in folds(true):
        better = household_traits.calibrated(model, found, trait, rows[learnt], true[learnt])
        answer[judged] = household_traits.infer(better, counted).of(trait)[rows[judged]]
    return answer
