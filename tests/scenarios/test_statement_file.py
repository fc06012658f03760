"""对账: the head of the chain in chat, and the file under the member's own link, which the offline verifier accepts."""

import re
from pathlib import Path

from members import statements
from tests.support.acting import empty_books
from tests.support.shop import open_shop

PHONE = "+8613800138000"


def test_the_file_proves_what_the_chat_says(tmp_path: Path, migrated_sqlite: Path) -> None:
    changes = {"wechat": {"public_url": "https://bot.example.com"}, "loyalty": {"checkin": {"points": 3}}}
    with open_shop(tmp_path, empty_books(migrated_sqlite, tmp_path), changes) as shop:
        shop.member(PHONE, points=120, principal=500_00, openid="o-anna")
        anna = shop.talker("o-anna")
        anna.say("签到")
        said = anna.say("对账")
        assert "下载可核对的账目" in said
        found = re.search(r"https://bot\.example\.com(/export/[\w-]+)", anna.say("导出我的数据"))
        assert found is not None
        answer = shop.request("GET", found[1], params={"as": "statement"})
        assert answer.headers["Content-Disposition"] == 'attachment; filename="statement.jsonl"'
        lines = answer.text.splitlines()
        assert statements.verify(lines) == []
        head = statements.examine(lines).head
        assert statements.short(head) in said
        spoiled = [line.replace('"amount": 3', '"amount": 4').replace('"amount":3', '"amount":4') for line in lines]
        assert spoiled != lines and statements.verify(spoiled) != []
        assert shop.request("GET", "/export/nothing", params={"as": "statement"}).status_code == 404


def test_without_a_public_address_no_file_is_promised(tmp_path: Path, migrated_sqlite: Path) -> None:
    with open_shop(tmp_path, empty_books(migrated_sqlite, tmp_path)) as shop:
        shop.member(PHONE, points=120, openid="o-anna")
        assert "下载" not in shop.talker("o-anna").say("对账")
