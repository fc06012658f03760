"""Habits and household traits of everybody as tags: {member: {tag: confidence}}, a block of members after the other."""

from collections.abc import Iterator

import numpy as np

from recommend import habit_tags, household_traits
from recommend.books import Shelf
from recommend.matrix import BadPurchases, PurchaseLog
from recommend.taxonomy import Taxonomy, load

TRAIT_FLOOR, HABIT_FLOOR, HABITS = 0.7, 0.95, 5
BABY, CHILDREN = "baby", "children"
Wanted = dict[int, dict[str, float]]


def of_children(taxonomy: Taxonomy) -> frozenset[str]:
    """Return the tags that tell of a child in the household: by what the taxonomy says a group points to."""
    told = {
        group.habit
        for group in taxonomy.groups
        if group.hints.get(CHILDREN, 0) > 0 or group.proof.get(BABY, 0) > 0 or group.stages
    }
    return frozenset(told | {trait.tag for trait in taxonomy.traits if trait.code in (BABY, CHILDREN)})


def wanted(log: PurchaseLog, today: int, shelf: Shelf, size: int) -> Iterator[Wanted]:
    """Yield what so many members after so many should carry on the morning of `today`; {} for who has no tag.

    Traits at least TRAIT_FLOOR sure, the surest HABITS habits at least HABIT_FLOOR sure. Nothing for a shop of fewer
    than ten members.
    """
    taxonomy = load()
    names = [f"{group} {kind}" for group, kind in zip(shelf.category_name, shelf.kind, strict=True)]
    try:
        counted = household_traits.counts(log, today, taxonomy, names)
        model = household_traits.fit(counted, taxonomy)
    except BadPurchases:
        return
    found: Wanted = {int(member): {} for member in log.members.tolist()}
    traits = household_traits.infer(model, counted)
    for one in traits.tags(TRAIT_FLOOR):
        found[int(str(one.member))][one.tag] = one.confidence
    own = habit_tags.habits(counted, taxonomy, habit_tags.shop_rates(counted))
    for one in own.tags(HABIT_FLOOR, HABITS):
        found[int(str(one.member))].setdefault(one.tag, one.confidence)
    members = np.array(list(found))
    for start in range(0, len(members), size):
        yield {member: found[member] for member in members[start : start + size].tolist()}
