"""The taxonomy, traits, habits and life stages: words to groups, formulas by hand, and what must not matter."""

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import beta

from members import life_stage as stages
from recommend import habit_tags, household_traits, life_stage
from recommend.household_traits import Traits
from recommend.matrix import BadPurchases, PurchaseLog, from_arrays
from recommend.taxonomy import BadTaxonomy, Taxonomy, load

CUT = 400
GOODS = (
    "儿童麦片",
    "盒装果汁",
    "猫粮",
    "卫生纸",
    "面粉",
    "EGGS - LARGE",
    "苹果",
    "鲜鱼",
    "POTATO CHIPS",
    "洗衣液",
    "钉子",
)
SMALL = """group,name,habit,words,hints,proof,stages
kids,儿童用品,带孩子,儿童|KIDS,children=2,,3-6y=4 7-14y=4
milk_powder,奶粉,喂养婴儿,奶粉,children=1,baby=0.5,0-6m=4
wine,酒,小酌,酒|WINE,children=-1,,
"""
TRAITS = "trait,tag,prior\nbaby,家有婴幼儿,0.1\nchildren,家有孩子,0.5\n"


def small(folder: Path, groups: str = SMALL, traits: str = TRAITS) -> Taxonomy:
    (folder / "g.csv").write_text(groups, "utf-8")
    (folder / "t.csv").write_text(traits, "utf-8")
    load.cache_clear()
    return load(folder / "g.csv", folder / "t.csv")


def town(members: int = 60, seed: int = 1) -> tuple[list[str], list[int], list[str]]:
    """Return lines of a town where every third household buys for children, every fourth for a cat."""
    random = np.random.default_rng(seed)
    who, when, what = [], [], []
    for member in range(members):
        family, rest = member % 3 == 0, len(GOODS) - 3
        likes = [0.45 if family else 0.05] * 2 + [0.4 if member % 4 == 0 else 0.0] + [0.2 if family else 0.3] * rest
        for day in range(member % 7, CUT, 7 + member // 12 % 3):
            for item, chance in zip(GOODS, likes, strict=True):
                if random.random() < chance:
                    who.append(f"m{member:02d}")
                    when.append(day)
                    what.append(item)
    return who, when, what


def told(log: PurchaseLog, names: dict[str, str] | None = None, cut: int = CUT) -> Traits:
    taxonomy = load()
    called = [(names or {}).get(item, item) for item in log.items.tolist()]
    counted = household_traits.counts(log, cut, taxonomy, called)
    return household_traits.infer(household_traits.fit(counted, taxonomy), counted)


def test_the_taxonomy_has_fifty_groups_each_a_habit_and_only_known_stages() -> None:
    taxonomy = load()
    assert len(taxonomy.groups) == 50
    assert all(group.habit and group.name for group in taxonomy.groups)
    assert {code for group in taxonomy.groups for code in group.stages} == {stage.code for stage in life_stage.INFERRED}
    assert {trait.code for trait in taxonomy.traits} == {
        code for group in taxonomy.groups for code in (*group.hints, *group.proof)
    }


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("COLD CEREAL KIDS CEREAL", "kids_cereal"),
        ("COLD CEREAL ALL FAMILY CEREAL", "family_cereal"),
        ("即食早餐麦片 儿童麦片", "kids_cereal"),
        ("CONDIMENTS/SAUCES CATSUP", "seasoning"),
        ("HOT DOGS PREMIUM - MEAT", None),
        ("BEANS VARIETY BEANS - KIDNEY PINTO", None),
        ("猫粮 猫罐头", "cat"),
        ("dog foods dog biscuits", "dog"),
        ("葡萄酒", "wine"),
        ("葡萄", "fruit"),
        ("止痛退烧药", None),
        ("LICORICE", None),
        ("", None),
    ],
)
def test_a_name_finds_its_group_by_whole_words(name: str, code: str | None) -> None:
    taxonomy = load()
    at = int(taxonomy.codes_of([name])[0])
    assert (taxonomy.groups[at].code if at >= 0 else None) == code


@pytest.mark.parametrize(
    ("groups", "traits", "why"),
    [
        (SMALL.replace("儿童|KIDS", ""), TRAITS, "kids: no words"),
        (SMALL.replace("children=2", "kids=2"), TRAITS, "kids: unknown trait kids"),
        (SMALL.replace("baby=0.5", "baby=1.5"), TRAITS, "milk_powder: a chance"),
        (SMALL.replace("children=-1", "children=less"), TRAITS, "wine: 'less' is not a number"),
        (SMALL.replace("wine,", "kids,", 1), TRAITS, "two of one code"),
        (SMALL, TRAITS.replace("0.5", "1"), "between 0 and 1"),
        (SMALL.splitlines()[0] + "\n", TRAITS, "no groups"),
    ],
)
def test_a_bad_taxonomy_says_where(tmp_path: Path, groups: str, traits: str, why: str) -> None:
    with pytest.raises(BadTaxonomy, match=why):
        small(tmp_path, groups, traits)


def test_another_shops_taxonomy_has_another_version(tmp_path: Path) -> None:
    first = small(tmp_path)
    assert first.version != load().version
    assert small(tmp_path, SMALL.replace("children=2", "children=3")).version != first.version


def test_days_are_counted_once_a_group_and_lately(tmp_path: Path) -> None:
    lines = [
        ("ann", 1, "儿童麦片"),
        ("ann", 1, "儿童牛奶"),
        ("ann", 390, "KIDS CEREAL"),
        ("bob", 300, "奶粉"),
        ("bob", 2, "钉"),
    ]
    log = from_arrays(*(np.array(column) for column in zip(*lines, strict=True)))
    counted = household_traits.counts(log, CUT, small(tmp_path), log.items)
    assert counted.days.tolist() == [[2, 0, 0], [0, 1, 0]]
    assert counted.recent.tolist() == [[1, 0, 0], [0, 1, 0]]
    assert (counted.items.tolist(), counted.visits.tolist()) == ([3, 2], [2, 2])


def test_leaning_score_and_confidence_by_hand() -> None:
    found = told(from_arrays(*town()))
    taxonomy = found.taxonomy
    at = taxonomy.trait("children")
    raw = found.leaning @ taxonomy.hints()[:, at]
    assert found.score[:, at].tolist() == pytest.approx(((raw - raw.mean()) / raw.std()).tolist())
    assert np.abs(found.leaning.mean(axis=0)).max() < 1e-9
    prior = taxonomy.traits[at].prior
    within = 1 / np.sqrt(1 + prior * (1 - prior))
    upper, lower = (
        share * np.exp(-((found.score[:, at] - mean) ** 2) / (2 * within**2))
        for share, mean in ((prior, (1 - prior) * within), (1 - prior, -prior * within))
    )
    assert found.of("children").tolist() == pytest.approx((upper / (upper + lower)).tolist())


def test_who_buys_for_children_is_told_from_who_does_not() -> None:
    found = told(from_arrays(*town()))
    have = np.array([int(name[1:]) % 3 == 0 for name in found.members.tolist()])
    assert found.of("children")[have].min() > np.quantile(found.of("children")[~have], 0.9)
    tag = next(tag for tag in found.tags(0.6) if tag.tag == "家有孩子")
    assert (tag.source, tag.why[:2]) == ("inferred", "常买")
    assert "儿童早餐" in tag.why


def test_proof_adds_up_over_days_and_fades() -> None:
    days = [("ann", day, "猫粮") for day in (390, 391, 392)] + [("bob", 10, "猫粮")]
    rest = [(f"m{at:02d}", 380 + at, "报纸") for at in range(12)]
    log = from_arrays(*(np.array(column) for column in zip(*days, *rest, strict=True)))
    found = told(log)
    cat = dict(zip(found.members.tolist(), found.of("cat").tolist(), strict=True))
    assert cat["ann"] == pytest.approx(1 - 0.5**3)
    assert cat["bob"] == cat["m01"] == 0


def test_traits_know_neither_the_future_nor_the_names_nor_the_order() -> None:
    who, when, what = town()
    log = from_arrays(who, when, what)
    more = from_arrays([*who, "m01", "new"], [*when, CUT, CUT + 9], [*what, "儿童麦片", "猫粮"])
    assert told(more).confidence.tolist() == told(log).confidence.tolist()
    members = {name: f"z{99 - int(name[1:])}" for name in set(who)}
    items = {name: f"sku{at}" for at, name in enumerate(sorted(GOODS, reverse=True))}
    turned = from_arrays([members[name] for name in who][::-1], when[::-1], [items[name] for name in what][::-1])
    other = told(turned, {sku: name for name, sku in items.items()})
    back = {old: row for row, name in enumerate(other.members.tolist()) for old in members if members[old] == name}
    rows = [back[name] for name in told(log).members.tolist()]
    assert np.allclose(other.confidence[rows], told(log).confidence)


def test_answers_calibrate_the_confidence() -> None:
    log = from_arrays(*town(150))
    taxonomy = load()
    counted = household_traits.counts(log, CUT, taxonomy, log.items)
    model = household_traits.fit(counted, taxonomy)
    found = household_traits.infer(model, counted)
    known = np.random.default_rng(0).random(150) < 0.9 / (1 + np.exp(-found.score[:, taxonomy.trait("children")]))
    better = household_traits.calibrated(model, found, "children", np.arange(150), known)
    after = household_traits.infer(better, counted)
    assert after.of("children").mean() == pytest.approx(known.mean(), abs=1e-3)
    assert after.of("family").tolist() == found.of("family").tolist()
    for answers in (known[:20], np.ones(150, dtype=bool)):
        with pytest.raises(BadPurchases, match="too few, or all alike"):
            household_traits.calibrated(model, found, "children", np.arange(len(answers)), answers)


def test_habits_by_hand() -> None:
    log = from_arrays(*town())
    taxonomy = load()
    counted = household_traits.counts(log, CUT, taxonomy, log.items)
    rate = habit_tags.shop_rates(counted)
    found = habit_tags.habits(counted, taxonomy, rate)
    cat = [group.code for group in taxonomy.groups].index("cat")
    assert rate[cat] == pytest.approx(counted.days[:, cat].sum() / counted.visits.sum())
    n, of = counted.days[0, cat], counted.visits[0]
    assert found.confidence[0, cat] == pytest.approx(
        beta.sf(1.5 * rate[cat], 10 * rate[cat] + n, 10 * (1 - rate[cat]) + of - n), abs=1e-9
    )
    mine = [tag for tag in found.tags() if tag.member == "m00"]
    assert {"养猫", "给孩子做早餐"} <= {tag.tag for tag in mine}
    assert len({tag.tag for tag in mine}) == len(mine) <= 5
    assert not [tag for tag in found.tags() if tag.member == "m01" and tag.tag == "养猫"]


def test_life_stage_by_hand(tmp_path: Path) -> None:
    taxonomy = small(tmp_path)
    recent = np.array([[0, 3, 0], [1, 0, 0], [0, 0, 5]], dtype=np.float32)
    confidence = np.array([[0.875, 0.4], [0.0, 0.6], [0.0, 0.1]])
    found = Traits(taxonomy, np.array(["ann", "bob", "cat"]), np.zeros((3, 3)), recent, confidence, confidence)
    told_stages = life_stage.life_stages(found)
    months = np.array([6, 6, 24, 48, 84])
    powder = np.array([4.2 / 4.4, 0.2 / 0.4, 0.2 / 0.4, 0.2 / 4.4, 0.2 / 4.4])
    ann = months * powder ** np.log2(4)
    assert told_stages.stage[0].tolist() == pytest.approx((ann / ann.sum()).tolist())
    assert told_stages.stage[2].tolist() == pytest.approx((months / months.sum()).tolist())
    stage, sure = told_stages.best(1)
    assert stage.tag == "孩子7-14岁"
    assert sure == pytest.approx(0.6 * told_stages.stage[1].max())
    assert {tag.member for tag in told_stages.tags(0.2)} == {"ann", "bob"}
    assert {tag.tag for tag in told_stages.tags(0.0)} <= stages.TAGS - {"孕期"}


def test_too_little_is_refused() -> None:
    taxonomy = load()
    few = from_arrays(["ann"], [1], ["猫粮"])
    with pytest.raises(BadPurchases, match="too few to compare"):
        household_traits.fit(household_traits.counts(few, CUT, taxonomy, few.items), taxonomy)
    with pytest.raises(BadPurchases, match="before day 1"):
        household_traits.counts(few, 1, taxonomy, few.items)
    with pytest.raises(BadPurchases, match="for each item"):
        household_traits.counts(few, CUT, taxonomy, [])
