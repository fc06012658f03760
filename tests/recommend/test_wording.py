"""The reasons a member reads."""

from datetime import date

from recommend import wording

DAY = date(2026, 3, 9)


def test_every_reason_in_its_words() -> None:
    assert wording.cycle(DAY, 12) == "上次 3 月 9 日,平均 12 天一次"
    assert wording.cycle_of_orders(2, 5) == "上次在 2 单之前,平均 5 单一次"
    assert wording.often(3, 60) == "近60天买过3次"
    assert wording.bought(4, DAY, long_ago=False) == "买过 4 次,上次 3 月 9 日"
    assert wording.bought(4, DAY, long_ago=True) == "买过 4 次,上次 2026 年 3 月 9 日"
    assert wording.bought(1, DAY, long_ago=False) == "3 月 9 日买过"
    assert wording.together("黄油") == "常和黄油一起买"
