"""Staff on the command line: invited by a word, ended at once; and what their words are understood as."""

import json
import re

from tests.support.terminal import Folder


def test_a_person_is_invited_by_phone(bare: Folder) -> None:
    code, said, error = bare.run("staff", "add", "小李", "--role", "adviser", "--phone", "13900139000")
    assert (code, error) == (0, "")
    assert re.match(r"小李\(编号 1\)的邀请码:[0-9A-Z]{4}-[0-9A-Z]{4}\n.+前在公众号回复邀请码", said)
    assert bare.run("staff", "list")[1] == "1\t小李\tadviser\t\t待绑定\n"
    again = bare.json("staff", "invite", "1")
    assert again["id"] == 1 and again["word"] not in said
    code, _, error = bare.run("staff", "add", "小王", "--phone", "139 0013 9000")
    assert code == 2 and "已登记为小李(编号 1)" in error
    assert bare.run("staff", "revoke", "1")[0] == 0
    assert bare.json("staff", "add", "小王", "--phone", "13900139000")["id"] == 2
    trail = bare.run("staff", "invite", "1")
    assert trail[0] == 2 and "没有这个编号的在职店员" in trail[2]


def test_words_are_understood_as_staff_say_them(bare: Folder) -> None:
    code, said, _ = bare.run("nlu", "--staff", "消费 尾号8000 128块5", "确认", "今天天气怎么样")
    assert code == 0
    assert said.splitlines()[0].split("\t")[:3] == ["staff_sale", "1.00", '{"tail": "8000", "amount": "12850"}']
    assert [line.split("\t")[0] for line in said.splitlines()[1:]] == ["confirm", "unknown"]
    _, said, _ = bare.run("nlu", "--json", "消费 尾号8000 128块5")
    assert json.loads(said)["intent"] == "unknown"
