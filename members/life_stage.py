"""Life stages of a child, from a birth date or a due date: −1 year to the 14th birthday, in the words of the trade.

| stage | from | until | where the bounds come from |
|---|---|---|---|
| 孕期 | a year before birth | birth | the due date: the mother shops for the child before it is there |
| 0-6m | birth | 6 months | WHO: only breast milk or formula until then |
| 6-12m | 6 months | 1 year | WHO: complementary food from 6 months on |
| 1-2y | 1 year | 3 years | the toddler, before kindergarten (1 and 2 years old) |
| 3-6y | 3 years | 7 years | 《3-6岁儿童学习与发展指南》, Ministry of Education 2012 |
| 7-14y | 7 years | 14 years | school; PIPL art. 31 protects those under 14, and we keep nothing of a child after that |
"""

from dataclasses import dataclass
from datetime import date

from members.clock import add_months

MONTHS_BEFORE, MONTHS_AFTER = 12, 14 * 12


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage: `[since, until)` in months from birth; `tag` is the word on the member, usable in segments."""

    code: str
    tag: str
    since: int
    until: int


STAGES = (
    Stage("pregnancy", "孕期", -MONTHS_BEFORE, 0),
    Stage("0-6m", "宝宝0-6月", 0, 6),
    Stage("6-12m", "宝宝6-12月", 6, 12),
    Stage("1-2y", "宝宝1-2岁", 12, 36),
    Stage("3-6y", "孩子3-6岁", 36, 84),
    Stage("7-14y", "孩子7-14岁", 84, MONTHS_AFTER),
)
TAGS = frozenset(stage.tag for stage in STAGES)


def stage_on(born: date, day: date) -> tuple[Stage, date] | None:
    """Return (the stage on a day, the first day of the next one); None a year before birth and from 14 years on."""
    for stage in STAGES:
        end = add_months(born, stage.until)
        if add_months(born, stage.since) <= day < end:
            return stage, end
    return None


def of_code(code: str) -> Stage | None:
    """Return the stage of this code."""
    return next((stage for stage in STAGES if stage.code == code), None)


def tags_named(word: str) -> list[str]:
    """Return the tag of a stage that is named by its code or its tag, empty for any other word."""
    return [stage.tag for stage in STAGES if word in (stage.code, stage.tag)]
