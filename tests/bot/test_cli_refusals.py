"""Whatever is set wrong ends with 2 and one line; a real shop is safe from the demo; a stop ends with 0."""

import json
import socket
import sqlite3
import sys
from collections.abc import Sequence

import httpx
import pytest

from bot import config as configuration
from bot import demo
from bot.service import build
from members import identity
from members.vault import generate_key
from tests.conftest import fresh_database
from tests.support.terminal import ROOT, Folder, free_port, memberbot, serving

OPERATIONS = (ROOT / "docs" / "operations.md").read_text("utf-8")
MEMBER = "oDemoMember01"


REFUSALS = [
    ({"WECHAT_TOKEN": ""}, "config.yaml:8:10 wechat.token: 至少要有 1 个字符"),
    (
        {"WECHAT_AES_KEY": "short"},
        "config.yaml:9:21 wechat.encoding_aes_key: EncodingAESKey 必须是公众平台给的43位字符",
    ),
    (
        {"MEMBERBOT_SANDBOX__ENABLED": "true"},
        "环境变量 MEMBERBOT_SANDBOX__ENABLED sandbox.enabled: 沙箱不能和真实的微信接口(wechat.api_base)一起用",
    ),
    ({"MEMBERBOT_SHOPP__NAME": "x"}, "环境变量 MEMBERBOT_SHOPP__NAME shopp: 没有这个键(是不是想写 shop?)"),
    (
        {"MEMBERBOT_PRIVACY__KEYS__K1": "abc"},
        "环境变量 MEMBERBOT_PRIVACY__KEYS__K1 privacy.keys.k1: 主密钥必须是32字节的 base64(可用 memberbot key 生成)",
    ),
    (
        {"MEMBERBOT_DATABASE__URL": "mysql://x"},
        "环境变量 MEMBERBOT_DATABASE__URL database.url: 只支持 sqlite:///… 和 postgresql+psycopg://…",
    ),
    (
        {"MEMBERBOT_DATABASE__URL": "nonsense"},
        "环境变量 MEMBERBOT_DATABASE__URL database.url: 不是数据库地址,例如 sqlite:///data/memberbot.db",
    ),
]


@pytest.mark.parametrize(("wrong", "said"), REFUSALS, ids=[next(iter(env)) for env, _ in REFUSALS])
def test_serve_refuses_in_one_line_that_operations_quotes(bare: Folder, wrong: dict[str, str], said: str) -> None:
    code, out, err = bare.run("serve", "--port", str(free_port()), **wrong)
    assert (code, out, err) == (2, "", said + "\n")
    assert said in OPERATIONS
    assert not (bare.path / "data").exists()


def test_serve_refuses_a_missing_variable(bare: Folder) -> None:
    rest = {name: value for name, value in bare.secrets.items() if name != "WECHAT_TOKEN"}
    done = memberbot(["serve"], bare.path, rest)
    said = "config.yaml:8:10 wechat.token: 环境变量 WECHAT_TOKEN 没有设置"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", said + "\n")
    assert said in OPERATIONS


@pytest.mark.parametrize("command", [("serve",), ("serve", "--workers", "2"), ("work",), ("audit",), ("db", "upgrade")])
def test_books_out_of_reach_are_one_line(bare: Folder, command: Sequence[str]) -> None:
    code, out, err = bare.run(*command, MEMBERBOT_DATABASE__URL="postgresql+psycopg://u:secret@127.0.0.1:9/x")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("数据库打不开,请检查 database.url:connection failed: ")
    assert "secret" not in err


def test_a_taken_port_is_one_line(bare: Folder) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        code, out, err = bare.run("serve", "--port", str(port))
    assert (code, out, err) == (2, "", f"端口 {port} 已被占用,请用 --port 换一个,或先停掉占用它的程序\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("serve", "--workers", "2"), "多个 worker 需要 PostgreSQL,并且不能开沙箱\n"),
        (("serve", "--config", "nope.yaml"), "nope.yaml:1:1: 找不到这个文件\n"),
        (("campaign", "plan", "没有"), "没有叫「没有」的活动\n"),
        (("campaign", "apply", "00000000"), "没有编号为 00000000 的方案\n"),
        (("staff", "revoke", "99"), "没有编号 99 的在职店员\n"),
        (("staff", "add", "小李", "--openid", "oX", "--store", "nowhere"), "没有编号 nowhere 的门店\n"),
        (("staff", "add", "小李"), "--phone 和 --openid 要写且只写一个\n"),
        (("staff", "add", "小李", "--phone", "138"), "手机号不对,请写11位的手机号\n"),
        (("staff", "invite", "99"), "没有这个编号的在职店员\n"),
        (
            ("staff", "add", "小李", "--openid", "oX", "--role", "boss"),
            "没有这种角色,可以是 cashier、adviser、manager、head_office\n",
        ),
        (("member", "show", "13800138000"), "没有找到会员「13800138000」(可以用会员编号、手机号或 openid)\n"),
    ],
)
def test_bad_input_is_one_line_and_2(bare: Folder, arguments: Sequence[str], said: str) -> None:
    code, out, err = bare.run(*arguments)
    assert (code, out) == (2, "")
    assert err == said


@pytest.mark.parametrize(
    "arguments",
    [
        ("nothing",),
        ("serve", "--port", "0"),
        ("serve", "--port", "99999"),
        ("import", "completejourney", "--households", "0"),
    ],
)
def test_bad_usage_is_2(bare: Folder, arguments: Sequence[str]) -> None:
    assert bare.run(*arguments)[0] == 2


def test_other_master_keys_are_refused_and_rotated_ones_are_not(shop: Folder) -> None:
    assert shop.run("audit")[0] == 0
    refusal = "主密钥 privacy.keys 与这套账本不符;换密钥时新的写在最前面,旧的留在后面"
    assert refusal in OPERATIONS
    assert shop.run("audit", MEMBERBOT_MASTER_KEY=generate_key()) == (2, "", refusal + "\n")
    path = shop.path / "config.yaml"
    old = '{k1: "${MEMBERBOT_MASTER_KEY}"}'
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, f'{{k2: "{generate_key()}", k1: "${{MEMBERBOT_MASTER_KEY}}"}}'), "utf-8")
    before = shop.json("member", "show", MEMBER)
    assert "****" in before["phone"]
    path.write_text(text.replace(old, f'{{k1: "${{MEMBERBOT_MASTER_KEY}}", k2: "{generate_key()}"}}'), "utf-8")
    assert shop.run("audit") == (2, "", refusal + "\n")


def test_say_and_demo_leave_a_real_shop_alone(bare: Folder) -> None:
    service = build(configuration.load(bare.path / "config.yaml", bare.secrets), bare.path / "config.yaml")
    service.prepare()
    with service.database.transaction() as connection:
        identity.create(connection, service.vault, tier="普卡", now=service.clock.now())
    service.close()
    for command in (["say", "积分", "--as", MEMBER], ["demo", "--port", str(free_port())]):
        code, out, err = bare.run(*command)
        assert (code, out, err) == (2, "", "这里的数据库里已有正式会员;示范店请装在另一个文件夹\n")
    with sqlite3.connect(bare.path / "data" / "memberbot.db") as books:
        assert books.execute("SELECT count(*) FROM member").fetchone() == (1,)


def test_serve_with_real_secrets_keeps_the_sandbox_of_an_earlier_demo_shut_and_stops_with_0(shop: Folder) -> None:
    assert (shop.path / "data" / demo.ENV_FILE).exists()
    address = f"http://127.0.0.1:{(port := free_port())}"
    command = [sys.executable, "-m", "bot.cli", "serve", "--port", str(port)]
    note = shop.path / "data" / "running.json"
    with serving(command, shop.path, f"{address}/ready", shop.secrets) as process:
        with httpx.Client(base_url=address, trust_env=False) as client:
            assert client.get("/ready").json() == {"status": "ready", "books": "ok"}
            assert client.get("/sandbox/").status_code == 404
            assert client.get("/wechat", params={"signature": "x"}).status_code == 403
        assert json.loads(note.read_text())["address"] == address
        code, out, err = shop.run("say", "积分", "--as", MEMBER)
        assert (code, out, err.count("\n")) == (2, "", 1)
    assert process.returncode == 0
    assert not note.exists()
    log = [json.loads(line) for line in (shop.path / "server.log").read_text().splitlines()]
    assert [row["event"] for row in log if row["logger"] == "memberbot"] == ["started", "stopped"]


@pytest.mark.postgres
def test_two_workers_start_from_any_script_and_stop_with_0(bare: Folder, request: pytest.FixtureRequest) -> None:
    script = bare.path / "memberbot"
    script.write_text("from bot.cli import main\nraise SystemExit(main())\n")
    address = f"http://127.0.0.1:{(port := free_port())}"
    command = [sys.executable, str(script), "serve", "--workers", "2", "--port", str(port)]
    with fresh_database(request.getfixturevalue("postgres_url")) as url:
        env = {**bare.secrets, "MEMBERBOT_DATABASE__URL": url}
        with serving(command, bare.path, f"{address}/ready", env) as process:
            pass
    assert process.returncode == 0
    log = [json.loads(line) for line in (bare.path / "server.log").read_text().splitlines()]
    assert [row["event"] for row in log if row["logger"] == "memberbot"].count("started") == 2
