"""What housekeeping takes away while nobody talks must not be missed afterwards."""

from datetime import timedelta

from scheduler.jobs import prune
from tests.support.shop import Shop


def test_a_code_leaves_also_after_all_older_codes_are_forgotten(shop: Shop) -> None:
    anna = shop.talker("o-anna")
    assert "验证码已发送" in anna.say("绑定 13800138000")
    first = shop.code_for("o-anna")
    shop.clock.forward(days=5)
    prune(shop.service.database, timedelta(days=7), shop.clock.now())
    assert "验证码已发送" in anna.say("绑定 13900139000")
    second = shop.code_for("o-anna")
    assert (first[0], second[0]) == ("+8613800138000", "+8613900139000")
    assert "绑定成功" in anna.say(second[1])
