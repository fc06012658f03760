"""Binding by SMS code, as a stranger and as the owner of an offline membership live it."""

import pytest

from tests.support.shop import Shop

PHONE = "+8613800138000"


@pytest.mark.parametrize("mode", ["plain", "compatible", "aes"])
def test_a_stranger_takes_over_the_offline_member(shop: Shop, mode: str) -> None:
    shop.member(PHONE, points=1234, principal=10_000, gift=2_050)
    anna = shop.talker("o-anna", mode)
    assert "绑定" in anna.event("subscribe")
    assert "绑定" in anna.say("积分")
    assert "138****8000" in anna.say("绑定 13800138000")
    phone, code = shop.code_for("o-anna")
    assert phone == PHONE
    assert "1,234" in anna.say(code)
    assert "1,234" in anna.say("积分")
    assert anna.say("余额").splitlines() == ["您的余额 ¥120.50", "本金 ¥100.00(不过期,可退)", "赠送 ¥20.50"]
