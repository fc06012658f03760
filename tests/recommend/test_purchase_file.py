"""Another shop's file: which column is what, how days count, what is dropped, what is said of a bad one."""

from datetime import datetime
from pathlib import Path

import pytest

from members.importing.tabular import TableError
from recommend.evaluating.purchase_file import Bought, read

Row = tuple[str, int, str, int, int]


def rows(found: Bought) -> list[Row]:
    log = found.shop.log
    columns = (log.members[log.member], log.day, log.items[log.item], log.quantity, log.amount)
    return list(zip(*(column.tolist() for column in columns), strict=True))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "bought.csv"


def test_the_plain_columns(file: Path) -> None:
    file.write_text("member,day,item,quantity,amount\nb,3,tea,2,900\na,1,milk,1,300\nb,3,tea,-1,-450\n", "utf-8")
    found = read(file)
    assert rows(found) == [("a", 1, "milk", 1, 300), ("b", 3, "tea", 1, 450)]
    assert (found.lines, found.dropped, found.unused, found.dated) == (3, {}, [], False)
    assert found.shop.levels == ("product",)


def test_names_of_other_shops_dates_money_in_yuan_and_labels(file: Path) -> None:
    file.write_text(
        "household_id,week,transaction_timestamp,PRODUCT_ID,qty,sales_value,product_category,aisle,store\n"
        "7,1,1970-01-03 09:00:00,12,1,2.5,DRINKS,tea,9\n7,2,1970-01-10,5,,0.99,,bread,9\n"
        "8,2,1970-01-10,5,0.4,1,FOOD,bread,9\n",
        "utf-8",
    )
    found = read(file)
    assert rows(found) == [("7", 2, "12", 1, 250), ("7", 9, "5", 1, 99), ("8", 9, "5", 1, 100)]
    assert found.columns["day"] == "transaction_timestamp" and set(found.unused) == {"store", "week"}
    assert found.dated and not found.shop.order_only
    assert found.shop.types is not None and found.shop.types.tolist() == ["tea", "bread"]
    assert found.shop.categories is not None and found.shop.categories.tolist() == ["DRINKS", "FOOD"]


@pytest.mark.parametrize("start", [1, 27_601_281_299, 20_240_301])
@pytest.mark.parametrize("name", ["order_number", "basket", "第几单", "basket_index"])
def test_numbers_of_receipts_may_run_over_the_whole_shop(file: Path, name: str, start: int) -> None:
    rows = [(member, start + 9 * n, item) for n, (member, item) in enumerate(zip("abcabba", "xyzxyxz", strict=True))]
    file.write_text(f"会员,{name},商品\n" + "".join(f"{m},{n},{item}\n" for m, n, item in rows), "utf-8")
    found = read(file)
    assert found.shop.order_only and not found.dated
    assert found.shop.log.day.tolist() == [0, 3, 6, 1, 4, 5, 2], "by member: places among all receipts"


def test_baskets_by_number_are_order_only_and_weeks_are_seven_days(file: Path) -> None:
    file.write_text("user_id,order_number,item\n" + "".join(f"{u},{n},milk\n" for u in "ab" for n in (1, 2, 3)))
    assert read(file).shop.order_only
    file.write_text("customer,week,sku\na,1,milk\na,3,milk\n")
    assert [row[1] for row in rows(read(file))] == [7, 21]


def test_seconds_and_eight_digits_are_dates(file: Path) -> None:
    file.write_text("user,timestamp,item\na,1000000000,milk\n")
    assert (rows(read(file))[0][1], read(file).dated) == (11574, True)
    file.write_text("user,date,item\na,20010909,milk\n")
    assert (rows(read(file))[0][1], read(file).dated) == (11574, True)


def test_what_is_dropped_is_counted(file: Path) -> None:
    file.write_text(
        "会员,日期,商品,数量\n,2024-01-01,茶,1\na,,茶,1\na,2024-01-01,,1\na,2024-01-01,茶,0\na,2024-01-02,茶,1\n"
    )
    found = read(file)
    assert (found.lines, len(found.shop.log)) == (5, 1)
    assert found.dropped == {"没有会员": 1, "没有日期": 1, "没有商品": 1, "数量为零": 1}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("member,item\na,b\n", "没有「日期或第几单」列"),
        ("day,item\n1,b\n", "没有「会员」列:可以叫 member、member_id"),
        ("member,day\na,1\n", "没有「商品」列"),
        ("member,day,item\na,1,b\na,soon,b\n", "第 3 行「day」列:日期认不出来,要写成 2024-03-01,或整数(soon)"),
        ("member,day,item\na,1,b\na,2024-01-01,b\n", "第 3 行「day」列:日期和数字混在一列里"),
        ("member,date,item\na,2024-02-30,b\n", "第 2 行「date」列:日期写的那一天不存在"),
        ("member,day,item\na,99999999,b\n", "第 2 行「day」列:第几天或第几单的数太大"),
        ("member,day,item,quantity\na,1,b,two\n", "第 2 行「quantity」列:数量不是数字(two)"),
        ("member,day,item,amount\na,1,b,1.5\n", "第 2 行「amount」列:金额以分计"),
        ("member,day,item,sales_value\na,1,b,1.555\n", "第 2 行「sales_value」列:金额多于两位小数"),
        ("member,day,item\n", "没有可用的购买"),
        ("member,day,item\n,1,b\n", "没有可用的购买(去掉了:没有会员 1 行)"),
        ("member,member,day,item\na,a,1,b\n", "有两列都是「member」"),
        ("", "是空的"),
    ],
)
def test_a_bad_file_says_what_and_where(file: Path, text: str, said: str) -> None:
    file.write_text(text, "utf-8")
    with pytest.raises(TableError) as refused:
        read(file)
    assert said in str(refused.value)


def test_parquet_reads_as_csv_does(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    path = tmp_path / "bought.parquet"
    day = datetime.fromisoformat("1970-01-03 09:00")
    table = {"household_id": [7, 7, None], "date": [day, day, day], "item": [1.0, 2.0, 3.0], "quantity": [1, -1, 1]}
    pq.write_table(pa.table(table), path)
    found = read(path)
    assert rows(found) == [("7", 2, "1", 1, 0), ("7", 2, "2", -1, 0)]
    assert found.dropped == {"没有会员": 1}
    path.write_bytes(b"no parquet")
    with pytest.raises(TableError, match="不是完好的 Parquet"):
        read(path)
