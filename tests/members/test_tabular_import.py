"""Members, articles and orders from CSV and Parquet: exact, in the shop's time, safe to repeat, every odd row told."""

import csv
import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, insert, select
from sqlalchemy.exc import IntegrityError

from members import adoption, auditing, buyers, consent, identity, ledger, merging, orders, tags, tails, tiers
from members.audit import Actor
from members.db import Database
from members.importing import cells
from members.importing.cells import BadCell
from members.importing.progress import Silent
from members.importing.report import CleaningReport
from members.importing.run import Run
from members.importing.tabular import TableError
from members.importing.tabular_members import import_members
from members.importing.tabular_orders import import_orders
from members.importing.tabular_products import import_products
from members.sales import Buyer, NewLine, NewOrder
from members.tables import Category, Consent, Member, Order, OrderLine, PointLot, Product, Store, table
from tests.members.merging_books import NOW, RULES, VAULT, new_member

APP = "wx-test"
BY = Actor("import", origin="cli")
SHANGHAI = ZoneInfo("Asia/Shanghai")
HEADER = ["手机号", "会员卡号", "生日", "等级", "积分", "积分有效期", "余额(元)", "赠送金", "标签", "接收营销"]
PEOPLE = [
    ["13800138000", "A001", "1990-02-28", "金卡", "100", "2026-12-31", "1,000.50", "20", "素食、母婴", "否"],
    ["+86 139 0013 9000", "", "1991/3/1", "", "", "", "￥0.01", "", "", ""],
]
ORDERS = ["单号", "时间", "手机号", "商品编码", "商品名称", "品类", "数量", "金额", "优惠"]


@pytest.fixture
def database(books_url: str) -> Iterator[Database]:
    opened = Database(books_url)
    with opened.transaction() as connection:
        connection.execute(insert(table(Store)), {"id": "S1", "name": "一店"})
    yield opened
    opened.dispose()


def run(database: Database, *, now: datetime = NOW, progress: Any = None, rejected: Path | None = None) -> Run:
    return Run(database, VAULT, RULES, APP, BY, now, progress or Silent(), "crm", rejected)


def write(path: Path, header: list[str], rows: list[list[Any]], encoding: str = "utf-8") -> Path:
    with path.open("w", encoding=encoding, newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def codes(report: CleaningReport) -> dict[str, list[int]]:
    return {found.code: list(found.rows) for found in report.findings}


def owned(database: Database, phone: str) -> dict[str, Any]:
    with database.reading() as connection:
        member = identity.find_by_phone(connection, VAULT, phone)
        assert member is not None
        return {name: amount for name, amount in ledger.balances(connection, member).items() if amount}


def everything(database: Database, *models: Any) -> list[Any]:
    with database.reading() as connection:
        return [sorted(map(repr, connection.execute(select(table(model))))) for model in models]


def breaches(database: Database) -> list[Any]:
    with database.reading() as connection:
        return auditing.breaches(connection, now=NOW)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "utf-16"])
def test_members_come_with_all_they_own_whatever_the_encoding(
    database: Database, tmp_path: Path, encoding: str
) -> None:
    path = write(tmp_path / "会员.csv", HEADER, PEOPLE, encoding)
    report = import_members(run(database), path)
    assert report.written == {
        "新会员": 2, "补全的会员": 0, "身份": 3, "期初积分": 1, "期初余额": 3, "标签": 2, "认领的订单": 0,
    }  # fmt: skip
    assert report.findings == []
    assert owned(database, "+8613800138000") == {"points": 100, "principal": 100050, "gift": 2000}
    assert owned(database, "+8613900139000") == {"principal": 1}
    with database.reading() as connection:
        member = identity.find(connection, "card", "A001")
        assert member is not None
        assert identity.phone_of(connection, VAULT, member) == "+8613800138000"
        assert tails.members_of(connection, VAULT, "8000", many=9) == [member]
        assert {tag.tag for tag in tags.of_member(connection, member)} == {"素食", "母婴"}
        assert not consent.may_market(connection, member)
        assert tiers.of_member(connection, member) == "金卡"
        assert tiers.why(connection, member) == "导入时的等级"
        lots, members = table(PointLot), table(Member)
        ends = connection.execute(select(lots.c.expires_at).where(lots.c.member_id == member)).scalar_one()
        assert ends == datetime(2027, 1, 1, tzinfo=SHANGHAI), "valid through the day"
        assert connection.execute(select(members.c.birthday).where(members.c.id == member)).scalar_one() == date(
            1990, 2, 28
        )
        other = identity.find_by_phone(connection, VAULT, "+8613900139000")
        assert other is not None and len(identity.card_of(connection, other) or "") == 16, "a card was issued"
    assert breaches(database) == []
    before = everything(database, Member, PointLot, Consent)
    again = import_members(run(database, now=NOW + timedelta(days=3)), path)
    assert again.unchanged and "没有改动" in again.summary()
    assert everything(database, Member, PointLot, Consent) == before


def test_english_headers_and_parquet_with_floats_come_to_the_same(database: Database, tmp_path: Path) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    columns = {
        "mobile": pa.array([13800138000, 13900139000], pa.int64()),
        "Balance": pa.array([0.1 + 0.2, 19.99], pa.float64()),
        "gift": pa.array([Decimal("1.10"), None], pa.decimal128(9, 2)),
        "Points": pa.array([7.0, float("nan")], pa.float64()),
        "birth_date": pa.array([date(1990, 1, 2), None], pa.date32()),
        "created_at": pa.array([datetime(2025, 1, 2, 3, 4, tzinfo=UTC).replace(tzinfo=None), None], pa.timestamp("ns")),
    }
    pq.write_table(pa.table(columns), tmp_path / "m.parquet")
    report = import_members(run(database), tmp_path / "m.parquet")
    assert report.findings == [] and report.written["新会员"] == 2
    assert owned(database, "+8613800138000") == {"points": 7, "principal": 30, "gift": 110}
    assert owned(database, "+8613900139000") == {"principal": 1999}
    with database.reading() as connection:
        joined = connection.scalars(select(table(Member).c.created_at).order_by(table(Member).c.id)).all()
    assert joined == [datetime(2025, 1, 1, 19, 4, tzinfo=UTC), NOW], "without a zone it is the shop's time"
    assert import_members(run(database), tmp_path / "m.parquet").unchanged


def test_odd_rows_are_told_by_number_and_can_be_mended_and_imported(database: Database, tmp_path: Path) -> None:
    rows = [
        PEOPLE[0],
        ["1.38E+10", "", "", "", "", "", "", "", "", ""],
        ["12345", "", "", "", "", "", "", "", "", ""],
        ["", "", "", "", "", "", "", "5", "", ""],
        ["13700137000", "", "1990-02-30", "钻石", "", "", "", "", "长" * 31, ""],
        ["13600136000", "", "", "", "-5", "", "", "", "", ""],
        ["13600136000", "", "", "", "", "", "12.345", "", "", ""],
        ["13600136000", "", "", "", "", "", "1e3", "", "", ""],
        ["13600136000", "", "", "", "5", "2020-01-01", "", "", "", ""],
        ["13600136000", "", "", "", "", "", "", "", "", "也许"],
        ["13500135000", "A001", "", "", "", "", "", "", "", ""],
        PEOPLE[0],
    ]
    path, rejected = write(tmp_path / "m.csv", HEADER, rows), tmp_path / "again.csv"
    report = import_members(run(database, rejected=rejected), path)
    assert codes(report) == {
        "phone_scientific": [3], "phone_bad": [4], "nobody": [5], "birthday_bad": [6], "tier_unknown": [6],
        "tag_bad": [6], "number_range": [7], "amount_decimals": [8], "amount_bad": [9], "points_over": [10],
        "truth_bad": [11], "second_phone": [12], "row_again": [13],
    }  # fmt: skip
    assert {found.code for found in report.findings if found.treatment == "rejected"} == {
        "phone_scientific", "phone_bad", "nobody", "number_range", "amount_decimals", "amount_bad", "points_over",
        "truth_bad", "second_phone",
    }  # fmt: skip
    assert "12.345" in report.text() and "13600136000" not in report.to_json(), "no phone in a report"
    assert json.loads(report.to_json())["read"] == {"行": 12}
    text = rejected.read_text("utf-8-sig").splitlines()
    assert len(text) == 10 and text[0].startswith("行号,原因,phone,card")
    mended = rejected.read_text("utf-8-sig").replace("1.38E+10", "13400134000")
    (tmp_path / "mended.csv").write_text(mended, "utf-8-sig")
    assert import_members(run(database), tmp_path / "mended.csv").written["新会员"] == 1
    assert owned(database, "+8613400134000") == {}


def test_a_row_that_is_two_members_is_refused_and_known_ones_are_only_completed(
    database: Database, tmp_path: Path
) -> None:
    header = ["手机号", "卡号", "客户号", "生日", "积分"]
    import_members(run(database), write(tmp_path / "1.csv", header, [["13800138000", "", "", "", "5"], ["", "A2"]]))
    rows = [["13800138000", "A2"], ["13800138000", "A1", "C7", "1990-01-01", "9"], ["", "A2", "C7"]]
    report = import_members(run(database), write(tmp_path / "2.csv", header, rows))
    assert codes(report) == {"member_conflict": [2, 4], "opening_again": [3]}
    assert (report.written["新会员"], report.written["补全的会员"], report.written["身份"]) == (0, 1, 2)
    assert owned(database, "+8613800138000") == {"points": 5}, "what was owned at the start is booked once ever"
    with database.reading() as connection:
        member = identity.find_by_phone(connection, VAULT, "+8613800138000")
        assert identity.find(connection, "card", "A1") == identity.find(connection, "shop", "C7", "crm") == member


def test_orders_older_than_adoption_are_the_rows_that_taking_writes(database: Database, tmp_path: Path) -> None:
    old = NOW - timedelta(days=300)
    with database.transaction() as connection:
        member, key = identity.create(connection, VAULT, tier="普卡", now=old)
        identity.add_phone(connection, VAULT, member, key, "+8613800138000", source="test", now=old)
    said: list[Any] = [
        ("R1", "13800138000", "S1", [("a", "茶", 2, 1234, 100), ("b", "米", 1, 5000, 0)], 6234, 100),
        ("R2", "13900139000", "", [("a", "茶", 1, 617, 0)], 600, 17),
        ("R3", "", "S1", [], 999, 0),
    ]
    at = old.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")
    rows = [
        [no, at, phone, store, sku, name, quantity, f"{amount / 100:.2f}", f"{off / 100}", total / 100, less / 100]
        for no, phone, store, lines, total, less in said
        for sku, name, quantity, amount, off in lines or [("", "", "", 0, 0)]
    ]
    header = ["单号", "时间", "手机号", "门店", "商品编码", "商品名称", "数量", "金额", "优惠", "合计", "订单优惠"]
    path = write(tmp_path / "o.csv", header, rows)
    report = import_orders(run(database), path)
    assert (report.findings, report.written["订单"], report.written["明细行"]) == ([], 3, 3)
    assert report.written["未识别买家的订单"] == 1
    bulk = everything(database, Order, OrderLine, Product)
    with database.transaction() as connection:
        for model in (OrderLine, Order):
            connection.execute(table(model).delete())
        connection.execute(table(Product).delete())
    with database.transaction() as connection:
        for no, phone, store, lines, total, less in said:
            order = NewOrder(
                no, store, store or None, Buyer("phone", f"+86{phone}") if phone else None, old,
                [NewLine(*line) for line in lines], total, less, source="import",
            )  # fmt: skip
            taken = orders.take(connection, VAULT, RULES, order, app=APP, by=BY, now=NOW, imported=True)
            assert taken.created and taken.points == 0
    assert _without_ids(bulk) == _without_ids(everything(database, Order, OrderLine, Product))
    again = import_orders(run(database), path)
    assert again.unchanged and again.findings == [], "what was taken one by one is the same order"


def _without_ids(rows: list[Any]) -> Any:
    orders_, lines, products = rows
    return (
        sorted(row.split(", ", 1)[1] for row in orders_),
        sorted(row.split(", ", 1)[1].split(", ")[0:1] + row.split(", ")[3:] for row in lines),
        sorted(row.split(", ", 1)[1] for row in products),
    )


def test_young_orders_earn_once_and_stay_once_when_they_have_grown_old(database: Database, tmp_path: Path) -> None:
    import_members(run(database), write(tmp_path / "m.csv", ["手机号"], [["13800138000"]]))
    rows = [
        ["R1", "2026-02-20 12:00", "13800138000", "a", "茶", "饮料", "2", "30.00", ""],
        ["R2", "2026年2月21日 09:30", "13800138000", "b", "米", "粮油", "0.532", "19.99", "1.00"],
        ["R1", "2026-02-20 12:00", "13800138000", "b", "米", "粮油", "1", "12.50", ""],
        ["R3", "2026/2/22", "15000150000", "a", "茶", "饮料", "1", "15", ""],
    ]
    path = write(tmp_path / "o.csv", ORDERS, rows, "gbk")
    report = import_orders(run(database), path)
    assert codes(report) == {"quantity_mended": [3]}
    assert dict(report.written) == {
        "订单": 3, "明细行": 4, "会员订单": 2, "未识别买家的订单": 1, "积分入账": 2, "升级的会员": 0,
    }  # fmt: skip
    assert owned(database, "+8613800138000") == {"points": 42 + 19}
    with database.reading() as connection:
        heads = table(Order)
        found = {row.order_no: row for row in connection.execute(select(heads))}
        assert (found["R1"].total, found["R2"].total, found["R2"].discount) == (4250, 1999, 100)
        assert found["R1"].at == datetime(2026, 2, 20, 4, 0, tzinfo=UTC)
        assert found["R3"].at == datetime(2026, 2, 22, 4, 0, tzinfo=UTC), "a day alone is its noon"
        assert (found["R3"].member_id, found["R3"].buyer) == (None, VAULT.blind_index("phone", "+8615000150000"))
    for later in (0, 400):
        assert import_orders(run(database, now=NOW + timedelta(days=later)), path).unchanged
    assert breaches(database) == []
    rows[3][7] = "16"
    changed = import_orders(run(database), write(tmp_path / "o2.csv", ORDERS, rows))
    assert changed.unchanged and codes(changed)["order_conflict"] == [5]


def test_an_unknown_buyer_gets_the_order_when_the_member_comes(database: Database, tmp_path: Path) -> None:
    path = write(tmp_path / "o.csv", ["订单号", "时间", "客户号", "合计"], [["R1", "2026-02-20", "C7", "30"]])
    assert import_orders(run(database), path).written["未识别买家的订单"] == 1
    report = import_members(run(database), write(tmp_path / "m.csv", ["客户号", "手机"], [["C7", "13800138000"]]))
    assert report.written["认领的订单"] == 1
    assert owned(database, "+8613800138000") == {"points": 30}
    assert breaches(database) == []
    with database.transaction() as connection:
        member = identity.find(connection, "shop", "C7", "crm")
        assert member is not None
        marks = buyers.marks_of(connection, member, APP)
        assert adoption.adopt(connection, VAULT, RULES, member, marks, app=APP, by=BY, now=NOW) == 0


@pytest.mark.parametrize("day", ["2025-02-20", "2026-02-20"])
def test_the_number_of_a_merged_member_means_whom_they_are_part_of(
    database: Database, tmp_path: Path, day: str
) -> None:
    with database.transaction() as connection:
        source, target = new_member(connection), new_member(connection)
        merging.merge(connection, VAULT, RULES, source, target, by=BY, reason="同一位", now=NOW)
    rows = [["R1", day, source, "30"], ["R2", day, 10**9, "30"]]
    report = import_orders(run(database), write(tmp_path / "o.csv", ["单号", "时间", "member_id", "金额"], rows))
    assert (report.written["会员订单"], report.written["未识别买家的订单"]) == (1, 1)
    with database.reading() as connection:
        assert connection.scalars(select(table(Order).c.member_id).order_by(table(Order).c.order_no)).all() == [
            target,
            None,
        ]


def test_an_order_with_a_wrong_row_is_left_out_as_a_whole(database: Database, tmp_path: Path) -> None:
    good, phone = "2026-02-20 12:00", "13800138000"
    rows = [
        ["R1", good, phone, "a", "茶", "", "1", "30.00", ""],
        ["R2", good, phone, "a", "茶", "", "-1", "-30.00", ""],
        ["R1", good, phone, "b", "米", "", "1", "12.345", ""],
        ["R3", "不久前", phone, "a", "茶", "", "1", "1", ""],
        ["R4", good, phone, "a", "茶", "", "1", "1", ""],
        ["R4", good, "13900139000", "b", "米", "", "1", "1", ""],
        ["R5", "2026-03-09", phone, "a", "茶", "", "1", "1", ""],
        ["R6", good, "123", "a", "茶", "", "1", "2.50", ""],
        ["", good, phone, "a", "茶", "", "1", "1", ""],
    ]
    rejected = tmp_path / "again.csv"
    report = import_orders(run(database, rejected=rejected), write(tmp_path / "o.csv", ORDERS, rows))
    assert codes(report) == {
        "amount_negative": [3], "amount_decimals": [4], "order_left_out": [2], "date_bad": [5],
        "order_differs": [6, 7], "order_future": [8], "phone_bad": [9], "order_no_missing": [10],
    }  # fmt: skip
    assert dict(report.written)["订单"] == 1, "R6, as nobody's"
    assert (report.read["行"], len(rejected.read_text("utf-8-sig").splitlines())) == (9, 9)
    assert phone not in report.text()


def test_stores_number_their_orders_unless_the_group_does(database: Database, tmp_path: Path) -> None:
    with database.transaction() as connection:
        connection.execute(insert(table(Store)), {"id": "S2", "name": "二店"})
    rows = [["1", "2026-02-20", "S1", "10"], ["1", "2026-02-20", "S2", "20"], ["2", "2026-02-20", "S9", "20"]]
    path = write(tmp_path / "o.csv", ["小票号", "日期", "门店", "实付合计"], rows)
    report = import_orders(run(database), path)
    assert (report.written["订单"], codes(report)) == (2, {"store_unknown": [4]})
    grouped = import_orders(run(database), path, per_store=False)
    assert codes(grouped) == {"order_differs": [2, 3], "store_unknown": [4]}


def test_imported_purchases_raise_the_tier(database: Database, tmp_path: Path) -> None:
    import_members(run(database), write(tmp_path / "m.csv", ["手机号"], [["13800138000"]]))
    rows = [[f"R{n}", f"2025-{n:02d}-15", "13800138000", "1000"] for n in range(6, 10)]
    report = import_orders(run(database), write(tmp_path / "o.csv", ["单号", "时间", "手机号", "金额"], rows))
    assert (report.written["订单"], report.written["升级的会员"]) == (4, 1)
    with database.reading() as connection:
        member = identity.find_by_phone(connection, VAULT, "+8613800138000")
        assert member is not None and tiers.of_member(connection, member) == "银卡"


def test_articles_are_added_and_changed_but_keep_what_the_table_does_not_say(
    database: Database, tmp_path: Path
) -> None:
    header = ["商品编码", "商品名称", "品类", "价格(元)", "品牌", "自有品牌"]
    rows = [["a", "茶", "饮料", "12.50", "山里", "是"], ["b", "米", "粮油", "", "", ""], ["", "无码", "", "", "", ""]]
    report = import_products(run(database), write(tmp_path / "p.csv", header, rows, "gbk"))
    assert (report.written, codes(report)) == ({"新商品": 2, "更新的商品": 0}, {"sku_missing": [4]})
    assert import_products(run(database), tmp_path / "p.csv").unchanged
    changed = import_products(run(database), write(tmp_path / "q.csv", ["sku", "price"], [["a", "13"], ["b", "x"]]))
    assert (changed.written, codes(changed)) == ({"新商品": 0, "更新的商品": 1}, {"amount_bad": [3]})
    goods, kinds = table(Product), table(Category)
    with database.reading() as connection:
        row = connection.execute(select(goods).where(goods.c.sku == "a")).one()
        assert (row.name, row.category, row.price, row.brand, row.own_brand) == ("茶", "饮料", 1300, "山里", True)
        assert sorted(connection.scalars(select(kinds.c.name))) == ["粮油", "饮料"]


class Fuse(Silent):
    """Progress that blows at the nth report."""

    def __init__(self, reports: int) -> None:
        self.left = reports

    def advance(self, amount: int = 1) -> None:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt


def test_an_interrupted_import_goes_on_where_it_stopped(database: Database, tmp_path: Path) -> None:
    people = [[f"138{number:08d}", "5"] for number in range(1200)]
    rows = [[f"R{n}", "2025-02-20", f"138{n % 1200:08d}", "3"] for n in range(700)]
    members = write(tmp_path / "m.csv", ["手机号", "积分"], people)
    receipts = write(tmp_path / "o.csv", ["单号", "时间", "手机号", "金额"], rows)
    with suppress(KeyboardInterrupt):
        import_members(run(database, progress=Fuse(1)), members)
    assert import_members(run(database), members).written["新会员"] == 1200 - 2 * 500
    with suppress(KeyboardInterrupt):
        import_orders(run(database, progress=Fuse(2)), receipts)
    assert import_orders(run(database), receipts).written["订单"] == 700 - 2 * 300
    with database.reading() as connection:
        assert connection.scalar(select(func.count()).select_from(table(Member))) == 1200
        assert connection.scalar(select(func.count()).select_from(table(Order))) == 700
    assert breaches(database) == []


def test_a_chunk_runs_again_when_somebody_was_faster(database: Database) -> None:
    tried = []

    def late(connection: Any) -> str:
        tried.append(1)
        if len(tried) < 3:
            raise IntegrityError("", None, Exception())
        return "done"

    assert run(database).transaction(late) == "done"
    assert len(tried) == 3


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("x.xlsx", b"PK", "另存为 CSV"),
        ("x.csv", b"", "是空的"),
        ("x.csv", b"\xff\xff\xff\x80", "既不是 UTF-8 也不是 GBK"),
        ("x.csv", b"a\0b\n", "不是文本"),
        ("x.csv", "姓名\n张三\n".encode(), "没有一列能认出会员"),
        ("x.csv", "手机号,手机\n1,2\n".encode(), "有两列都是"),
        ("x.parquet", b"PAR1", "不是完好的 Parquet"),
        ("none.csv", None, "没有文件"),
    ],
)
def test_a_file_that_is_no_table_is_refused(tmp_path: Path, name: str, content: bytes | None, why: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(TableError, match=why):
        import_members(run(Database("sqlite://")), tmp_path / name)


@given(fen=st.integers(0, 10**10))
def test_amounts_are_exact(fen: int) -> None:
    yuan, rest = divmod(fen, 100)
    for said in (f"{yuan}.{rest:02d}", f"¥{yuan:,}.{rest:02d}元", f"{yuan}.{rest:02d}00", Decimal(fen) / 100):
        assert cells.amount(said) == fen
    assert cells.amount(fen / 100) == fen, "a float that was meant to be 分 is"


@pytest.mark.parametrize(
    "said", ["1.005", "1e5", "一百", "1,00", "--1", "∞", "0x10", float("inf"), Decimal("NaN"), True]
)
def test_what_is_no_amount_is_refused(said: Any) -> None:
    with pytest.raises(BadCell):
        cells.amount(said)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("2026-07-01 08:30", datetime(2026, 7, 1, 12, 30, tzinfo=UTC)),
        ("2026-01-01 08:30:15", datetime(2026, 1, 1, 13, 30, 15, tzinfo=UTC)),
        ("2026/1/1", datetime(2026, 1, 1, 17, 0, tzinfo=UTC)),
        ("２０２６年１月１日 8时30分", datetime(2026, 1, 1, 13, 30, tzinfo=UTC)),
        ("20260101 08:30", datetime(2026, 1, 1, 13, 30, tzinfo=UTC)),
        ("2026-01-01T08:30:00+08:00", datetime(2026, 1, 1, 0, 30, tzinfo=UTC)),
        (datetime(2026, 1, 1, 8, 30, tzinfo=UTC).replace(tzinfo=None), datetime(2026, 1, 1, 13, 30, tzinfo=UTC)),
        (date(2026, 1, 1), datetime(2026, 1, 1, 17, 0, tzinfo=UTC)),
        ("", None),
    ],
)
def test_instants_are_the_shops(said: Any, expected: datetime | None) -> None:
    assert cells.moment(said, ZoneInfo("America/New_York")) == expected


@pytest.mark.parametrize("said", ["45000", "2026-02-30", "昨天", "2026-1-1 25:00", "0001-01-01", "2026-1-1 8"])
def test_what_is_no_instant_is_refused(said: str) -> None:
    with pytest.raises(BadCell):
        cells.moment(said, SHANGHAI)
