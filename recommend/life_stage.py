"""Life stage of a child in the household, inferred from what was bought lately: the stages of members/life_stage.py.

Naive Bayes over groups of goods: P(stage | purchases) ∝ months(stage) · Π P(group | stage)^log2(1 + days), where
P(group | stage) is the taxonomy's weight + SMOOTH over the sum of them; the logarithm keeps one child's weekly
diapers from counting as fifty witnesses. Confidence = P(children at all) · P(stage | purchases). A birth date that a
member told outranks all this; nothing here could be checked against the ages of children, which no data set gives.
Pregnancy is never inferred: it is health, and for the member to say.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from members.life_stage import STAGES, Stage
from recommend.household_traits import SOURCE, InferredTag, Traits
from recommend.matrix import Labels
from recommend.visits import Figures

SMOOTH = 0.2
INFERRED = tuple(stage for stage in STAGES if stage.since >= 0)
CHILDREN, BABY = "children", "baby"


@dataclass(frozen=True, slots=True)
class LifeStages:
    """Per member (M): chance of each of INFERRED given a child (M × 5), and the chance that there is one (M)."""

    members: Labels
    stage: Figures
    child: Figures
    found: Traits

    def best(self, row: int) -> tuple[Stage, float]:
        """Return the likeliest stage of the member in a row, and its confidence."""
        at = int(np.argmax(self.stage[row]))
        return INFERRED[at], float(self.child[row] * self.stage[row, at])

    def tags(self, floor: float = 0.5) -> Iterator[InferredTag]:
        """Yield each member's likeliest stage where it is at least `floor` sure."""
        sure = self.child * self.stage.max(axis=1)
        for row in np.flatnonzero(sure >= floor).tolist():
            stage, confidence = self.best(row)
            yield InferredTag(self.members[row], stage.tag, round(confidence, 3), SOURCE, self.why(row))

    def why(self, row: int, most: int = 3) -> str:
        """Return the goods that speak for the likeliest stage."""
        weights = self.found.taxonomy.stages([stage.code for stage in INFERRED])[:, int(np.argmax(self.stage[row]))]
        strength = weights * np.log2(1 + self.found.recent[row])
        best = [at for at in np.argsort(-strength, kind="stable")[:most].tolist() if strength[at] > 0]
        return f"近期买过{'、'.join(self.found.taxonomy.groups[at].name for at in best)}" if best else ""


def life_stages(found: Traits) -> LifeStages:
    """Return the stages of the members whose traits were inferred; a child is as sure as the surer of two traits."""
    weights = found.taxonomy.stages([stage.code for stage in INFERRED])
    telling = weights.any(axis=1)
    given = (weights + SMOOTH) / (weights[telling] + SMOOTH).sum(axis=0)
    seen = np.log2(1 + found.recent[:, telling].astype(np.float64))
    months = np.array([stage.until - stage.since for stage in INFERRED])
    chance = seen @ np.log(given[telling]) + np.log(months)
    chance = np.exp(chance - chance.max(axis=1, keepdims=True))
    child = np.maximum(found.of(CHILDREN), found.of(BABY))
    return LifeStages(found.members, chance / chance.sum(axis=1, keepdims=True), child, found)
