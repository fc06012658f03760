"""What the demo data is called in Chinese, and how flaws in it are told, on rows small enough to check by hand."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pyarrow.parquet as pq
import pytest

from members.identity import luhn
from members.importing import completejourney_names as names
from members.importing import completejourney_source as source
from members.importing.completejourney_shop import typical_prices, with_unlisted
from members.vault import normalise_phone

MILK = source.Article(7, 1, "GROCERY", "Private", "FLUID MILK PRODUCTS", "FLUID MILK WHITE ONLY", "1 GAL")
FUEL = source.Article(9, 2, "FUEL", "National", "FUEL", source.FUEL_TYPE, "")
NOON = int(datetime(2017, 6, 1, 16, tzinfo=UTC).timestamp())


def lines(*rows: tuple[int, int, int, int]) -> source.Lines:
    """Return lines of (basket, product, quantity, sales), all of one household at one noon."""
    basket, product, quantity, sales = (np.array(column, dtype=np.int64) for column in zip(*rows, strict=True))
    same = np.ones(len(rows), dtype=np.int64)
    return source.Lines(same, same, basket, product, quantity, sales, same * 0, same * 0, same * NOON)


def counts(found: source.Lines) -> dict[str, int]:
    """Return how often each flaw occurs."""
    return {flaw.code: flaw.count for flaw in source.flaws(found, [MILK, FUEL]) if flaw.count}


def test_void_and_negative_lines_are_rejected_with_their_baskets() -> None:
    found = lines((1, 7, 1, 299), (1, 7, 0, 0), (2, 7, 0, 0), (3, 7, -1, 299), (3, 7, 1, -1))
    assert counts(found) == {"amount_negative": 2, "line_void": 2, "basket_void": 2}
    assert source.mend(found, [MILK, FUEL]).sales.tolist() == [299]


def test_a_negative_discount_is_rejected_too() -> None:
    found = lines((1, 7, 1, 299), (1, 9, 1, 300))
    found = replace(found, discount=np.array([0, -5]))
    assert counts(found) == {"amount_negative": 1}


def test_quantities_are_mended_to_pieces() -> None:
    found = lines((1, 7, 0, 299), (1, 9, 9024, 2006), (2, 9, 1, 100), (3, 7, 144, 2400), (4, 7, 2, 0))
    assert counts(found) == {"quantity_zero": 1, "fuel_quantity": 1, "quantity_huge": 1, "line_free": 1}
    assert source.mend(found, [MILK, FUEL]).quantity.tolist() == [1, 1, 1, 144, 2]


def test_repeated_and_unlisted_products_are_told_and_kept() -> None:
    found = lines((1, 7, 1, 299), (1, 8, 1, 5), (1, 7, 2, 598), (2, 7, 1, 299))
    assert counts(found) == {"line_repeated": 1, "product_unlisted": 1}
    assert len(source.mend(found, [MILK, FUEL]).basket) == 4
    (stand_in,) = (article for article in with_unlisted([FUEL, MILK], found) if article.id == 8)
    assert names.product_name(stand_in.category, stand_in.type, stand_in.size) == "未分类"
    assert [article.id for article in with_unlisted([FUEL, MILK], found)] == [7, 8, 9]


def test_hours_are_new_yorks_and_late_baskets_return_into_the_year() -> None:
    found = lines((1, 7, 1, 299), (2, 7, 1, 299))
    new_year = int(datetime(2018, 1, 1, 4, 1, 20, tzinfo=UTC).timestamp())
    found = replace(found, seconds=np.array([NOON, new_year]))
    assert counts(found) == {"time_zone": 1}
    assert source.local(NOON) == datetime(2017, 6, 1, 12)  # noqa: DTZ001
    assert source.local(new_year) == datetime(2017, 12, 31, 23, 1, 20)  # noqa: DTZ001


def test_the_typical_price_is_the_lower_median_rounded_half_up() -> None:
    found = lines((1, 7, 2, 301), (2, 7, 1, 100), (3, 7, 1, 500), (4, 7, 4, 0), (5, 9, 1, 7), (6, 9, 1, 9))
    assert typical_prices(found) == {7: 151, 9: 7}


def test_every_category_department_and_type_of_the_package_is_known_by_its_name() -> None:
    found = pq.ParquetFile(source.data_folder() / "products.parquet").read()
    categories = set(found["product_category"].to_pylist()) - {None}
    assert len(categories) == 303
    assert set(names.categories()) == categories | {names.UNCLASSIFIED}
    assert set(names.departments()) == set(found["department"].to_pylist())
    called = [name for name, _ in names.categories().values()]
    assert len(set(called)) == len(called)
    kinds = {*zip(found["product_category"].to_pylist(), found["product_type"].to_pylist(), strict=True)}
    kinds |= {("", kind) for _, kind in kinds}
    assert set(names.types()) <= kinds
    words = [*called, *names.departments().values(), *names.types().values()]
    assert all(any("\u4e00" <= letter <= "\u9fff" for letter in word) for word in words)


@pytest.mark.parametrize(
    ("size", "chinese"),
    [
        ("16 OZ", "16盎司"), ("1 GAL", "1加仑"), ("GAL", "1加仑"), ("HALF GAL", "半加仑"), ("2 L", "2升"),
        ("12PK12 OZ", "12包×12盎司"), ("12 PK/12 OZ", "12包×12盎司"), ("10 3/4 OZ", "10 3/4盎司"), (".5 L", "0.5升"),
        ("6/.5 L", "6×0.5升"), ("1/2 GAL", "1/2加仑"), ("P    16 OZ", "16盎司"), ("20 OZ BTL", "20盎司"),
        ("5-6 LB", "5-6磅"), ("100 CT", "100个装"), ("SQ FT", ""), ("CELL PK", ""), ("MN15 VRDZSS", ""), ("", ""),
    ],
)  # fmt: skip
def test_pack_sizes_in_chinese_or_not_at_all(size: str, chinese: str) -> None:
    assert names.pack_name(size) == chinese


def test_a_product_is_called_by_its_type_or_else_its_category() -> None:
    assert names.product_name(MILK.category, MILK.type, MILK.size) == "纯牛奶 1加仑"
    assert names.product_name("BACON", "PREMIUM", "") == "优质培根"
    assert names.product_name("PASTA SAUCE", "PREMIUM", "24 OZ") == "优质意面酱 24盎司"
    assert names.product_name("YOGURT", "NEVER HEARD OF", "6 OZ") == "酸奶 6盎司"


def test_phones_and_cards_are_valid_and_never_shared() -> None:
    households = range(2501)
    assert len({normalise_phone(names.demo_phone(household)) for household in households}) == len(households)
    cards = {names.demo_card(household) for household in households}
    assert len(cards) == len(households)
    assert all(len(card) == 16 and luhn(card[:-1]) == card[-1] for card in cards)
    with pytest.raises(ValueError, match="out of range"):
        names.demo_phone(10**8)


def test_a_missing_package_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "PACKAGE", "completejourney_that_is_not_there")
    with pytest.raises(source.DataMissing, match="pip install"):
        source.data_folder()
