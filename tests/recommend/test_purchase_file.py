"""Another shop's file: which column is what, how days count, what is dropped, what is said of a bad one."""

from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
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


def test_a_week_of_a_year_is_its_monday(file: Path) -> None:
    file.write_text("member,week,item\na,202452,x\na,202501,x\na,202502,x\n")
    found = read(file)
    assert found.dated and np.diff(found.shop.log.day).tolist() == [7, 7]


def test_a_date_far_outside_all_others_is_left_out_and_said(file: Path) -> None:
    rows = "".join(f"m{n % 50},{date(2024, 1, 1) + timedelta(days=n % 200)},x{n % 7}\n" for n in range(3000))
    file.write_text(f"member,date,item\n{rows}odd,2199-12-31,x1\nm1,1970-01-01,x1\n")
    found = read(file)
    assert found.dropped == {"日期远在别的日期之外": 2} and found.lines == 3002
    assert found.shop.log.day.max() - found.shop.log.day.min() == 199 and "odd" not in found.shop.log.members.tolist()


@pytest.mark.parametrize(
    ("name", "written", "fen"),
    [
        ("amount", "150", 150), ("amount", "1.50", 150), ("金额", "1.5", 150), ("金额(元)", "2", 200),
        ("实付", "150", 150), ("sales_value", "1.555", 156), ("amount_fen", "-150", -150),
        ("销售额(元)", "¥1,234.50", 123450),
    ],
)  # fmt: skip
def test_money_is_in_yuan_where_the_name_or_any_decimals_say_so(file: Path, name: str, written: str, fen: int) -> None:
    file.write_text(f'会员,日期,商品,{name}\na,2024-01-01,x,"{written}"\n', "utf-8")
    assert read(file).shop.log.amount.tolist() == [fen]


@pytest.mark.parametrize(
    "header",
    [
        "订单号,时间,门店,手机号,商品编码,商品名称,数量,金额", "会员卡号,购买时间,商品条码,品名",
        "用户ID,交易时间,商品ID", "會員,日期,商品名称", "customer_id,t_dat,article_id",
    ],
)  # fmt: skip
def test_the_headings_of_other_systems_are_known(file: Path, header: str) -> None:
    cells = {"数量": "1", "金额": "3.5"}
    row = ",".join(cells.get(name, "2024-03-01" if "时间" in name or "日期" in name or name == "t_dat" else "7")
                   for name in header.split(","))  # fmt: skip
    file.write_text(f"{header}\n{row}\n", "utf-8")
    assert read(file).lines == 1 and set(read(file).columns) >= {"member", "day", "item"}


def test_a_column_of_blanks_is_as_if_it_were_not_there(file: Path) -> None:
    file.write_text("member,date,item,小类,大类\na,2024-01-01,x,奶,\nb,2024-01-01,y,,\n", "utf-8")
    shop = read(file).shop
    assert shop.levels == ("product", "type") and shop.categories is None


@pytest.mark.parametrize("start", [1, 27_601_281_299, 20_240_301])
@pytest.mark.parametrize("name", ["order_number", "basket", "第几单", "basket_index"])
def test_numbers_of_receipts_may_run_over_the_whole_shop(file: Path, name: str, start: int) -> None:
    rows = [(member, start + 9 * n, item) for n, (member, item) in enumerate(zip("abcabba", "xyzxyxz", strict=True))]
    file.write_text(f"会员,{name},商品\n" + "".join(f"{m},{n},{item}\n" for m, n, item in rows), "utf-8")
    found = read(file)
    assert found.shop.order_only and not found.dated
    assert found.shop.log.day.tolist() == [1, 4, 7, 2, 5, 6, 3], "by member: places among all receipts"


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
        ("day,item\n1,b\n", "没有「会员」列:可以叫 会员、会员号、会员编号、会员id、member、member_id"),
        ("member,day\na,1\n", "没有「商品」列"),
        ("member,day,item\na,1,b\na,soon,b\n", "第 3 行「day」列:日期认不出来,要写成 2024-03-01,或整数(soon)"),
        ("member,day,item\na,1,b\na,2024-01-01,b\n", "第 3 行「day」列:日期和数字混在一列里"),
        ("member,date,item\na,2024-02-30,b\n", "第 2 行「date」列:日期写的那一天不存在"),
        ("member,day,item\na,99999999,b\n", "第 2 行「day」列:第几天或第几单的数太大"),
        ("member,day,item,quantity\na,1,b,two\n", "第 2 行「quantity」列:数量不是数字(two)"),
        ("member,day,item,amount\na,1,b,dear\n", "第 2 行「amount」列:金额不是数字(dear)"),
        ("member,day,item,amount\na,1,b,99999999999999\n", "第 2 行「amount」列:金额太大"),
        ("member,date,item\na,202401,b\n", "第 2 行「date」列:只有年和月,日期要写到哪一天"),
        ("member,week,item\na,202454,b\n", "第 2 行「week」列:那一年没有这一周"),
        ('member,day,item\na,1,b\na,"2,c\na,3,d\n', "第 3 行读不下去:引号没有配对"),
        ('mem"ber,"day"x,item\na,1,b\n', "第 1 行读不下去:引号没有配对"),
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
