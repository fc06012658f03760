"""What a member reads of the demo shop: Chinese names, phones and card numbers, all derived, none random."""

import csv
import math
import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files

from members.identity import luhn

UNCLASSIFIED = "UNCLASSIFIED"
UNCLASSIFIED_NAME = "未分类"
SPREAD = 61_803_399
MAX_HOUSEHOLD = 10**8
CENTRE = (math.radians(31.2304), math.radians(121.4737))  # 人民广场, which the chat page sends as its place
NAMED_STORES = (
    "人民路", "中山路", "解放路", "建设路", "和平路", "新华路", "光明路", "胜利路", "友谊路", "文化路",
    "长江路", "黄河路", "北京路", "南京路", "上海路", "广州路", "天津路", "杭州路", "苏州路", "成都路",
    "朝阳街", "幸福里", "梧桐街", "桂花巷", "银杏路", "柳荫街", "樱花路", "玉兰路", "海棠街", "紫荆路",
    "学院路", "科技路", "创业街", "体育场", "图书馆", "火车站", "东门", "西门", "南门", "北门",
    "滨江道", "湖滨路", "翠湖路", "青山路", "白云路", "星海路", "锦绣路", "金桥路", "虹桥路", "世纪大道",
    "花园路", "果园路", "竹园路", "梅园路", "兴业路", "丰收路", "团结路", "复兴路", "长安街", "永安里",
)  # fmt: skip
_UNITS = {
    "OZ": "盎司", "OZS": "盎司", "FL OZ": "液盎司", "Z": "盎司", "CT": "个装", "PK": "包", "LB": "磅", "ML": "毫升",
    "L": "升", "LTR": "升", "GAL": "加仑", "GA": "加仑", "QT": "夸脱", "PT": "品脱", "IN": "英寸", "SQ FT": "平方英尺",
    "FT": "英尺", "YD": "码", "PC": "件", "STEM": "支", "STEMS": "支", "LOAD": "次用量", "LOADS": "次用量",
    "LD": "次用量", "LDS": "次用量", "USE": "次用量", "USES": "次用量", "DZ": "打", "CTN": "盒", "ROLL": "卷",
    "KIT": "套", "CUP": "杯", "SHEETS": "张", "CM": "厘米", "GM": "克", "G": "克", "SZ": "号",
}  # fmt: skip
_WORDS = {
    "GAL": "1加仑", "HALF GAL": "半加仑", "QT": "1夸脱", "PT": "1品脱", "LB": "1磅", "L": "1升", "DZ": "1打",
    "PK": "1包", "DOZ": "1打", "CTN": "1盒", "LARGE": "大号", "MED": "中号", "MEDIUM": "中号", "SMALL": "小号",
    "MINI": "迷你",
}  # fmt: skip
_PREFIX = re.compile(r"^(?:ALL|AB|P|N|R|L) +(?=[\d.])")
_SUFFIX = re.compile(r"(?<=[A-Z]) +(?:BTL|CAN|BAG|PET|BOX|PLST|NR|LOOSE|TUBE|POT|JAR)$|\*$")
_PART = re.compile(
    r" */? *(?P<many>\d{1,4}/(?=\.|[1-9]))??"
    r"(?P<number>(?:\d+ )?[1357]/[2348]|(?:\d{1,4}(?:\.\d*)?(?!\d)|\.\d+)(?:-\d*\.?\d+)?)"
    r" *(?P<unit>" + "|".join(sorted(_UNITS, key=len, reverse=True)) + r")(?![A-Z])"
)


def _table(name: str) -> Iterator[dict[str, str]]:
    text = files("members.importing").joinpath(name).read_text("utf-8")
    return csv.DictReader(text.splitlines())


@cache
def categories() -> dict[str, tuple[str, str]]:
    """Return {category code: (Chinese name, group of the shop)}, the unclassified one included."""
    named = {row["code"]: (row["name_zh"], row["group"]) for row in _table("completejourney_categories.csv")}
    return named | {UNCLASSIFIED: (UNCLASSIFIED_NAME, UNCLASSIFIED_NAME)}


@cache
def departments() -> dict[str, str]:
    """Return {department: Chinese name}."""
    return {row["code"]: row["name_zh"] for row in _table("completejourney_departments.csv")}


@cache
def types() -> dict[tuple[str, str], str]:
    """Return {(category, or '' for any; product type): Chinese name} of the types that sell most."""
    return {(row["category"], row["type"]): row["name_zh"] for row in _table("completejourney_types.csv")}


def type_name(category: str, kind: str) -> str:
    """Return what an article of this category and type is called: the type's name, else the category's."""
    named = types().get((category, kind)) or types().get(("", kind))
    return named or categories().get(category, (UNCLASSIFIED_NAME, ""))[0]


@cache
def pack_name(size: str) -> str:
    """Return a pack size in Chinese ('12PK12 OZ' → '12包×12盎司'), or '' when it is not understood."""
    plain = _SUFFIX.sub("", _PREFIX.sub("", " ".join(size.upper().split())))
    if plain in _WORDS:
        return _WORDS[plain]
    parts, position = [], 0
    while found := _PART.match(plain, position):
        if found["many"]:
            parts.append(found["many"].rstrip("/"))
        number = found["number"]
        parts.append(("0" if number.startswith(".") else "") + number + _UNITS[found["unit"]])
        position = found.end()
    return "×".join(parts) if parts and position == len(plain) else ""


def product_name(category: str, kind: str, size: str) -> str:
    """Return the name a member reads under 上次: '纯牛奶 1加仑'."""
    return f"{type_name(category, kind)} {pack_name(size)}".rstrip()


def store_name(store: int, rank: int) -> str:
    """Return a store's name; the best-visited (rank from 0) are called after a street."""
    return f"邻家生鲜 {NAMED_STORES[rank]}店" if rank < len(NAMED_STORES) else f"邻家生鲜 门店{store}"


def store_place(rank: int) -> dict[str, str | float | None]:
    """Return where a store is said to be and when it is open: the named ones on a sunflower spiral around a square."""
    if rank >= len(NAMED_STORES):
        return {"address": "", "lat": None, "lon": None, "hours": ""}
    turn, kilometres = math.radians(137.508 * rank), 0.9 * math.sqrt(rank + 0.5)
    north, east = kilometres * math.cos(turn) / 111.2, kilometres * math.sin(turn) / (111.2 * math.cos(CENTRE[0]))
    return {
        "address": f"{NAMED_STORES[rank]}{8 + 7 * rank}号", "lat": round(math.degrees(CENTRE[0]) + north, 4),
        "lon": round(math.degrees(CENTRE[1]) + east, 4), "hours": "07:30-22:00",
    }  # fmt: skip


def spread(household: int) -> int:
    """Return a number below 10^8 for a household, one to one: what looks random in the demo is this."""
    if not 0 <= household < MAX_HOUSEHOLD:
        raise ValueError(f"household {household} is out of range")
    return (household * SPREAD + 20_170_101) % MAX_HOUSEHOLD


def demo_phone(household: int) -> str:
    """Return the phone (11 digits) of a demo household: one to one, and hard to guess from a neighbour's."""
    return f"139{spread(household):08d}"


def demo_card(household: int) -> str:
    """Return the card number (16 digits, the last a Luhn check digit) of a demo household: one to one."""
    body = f"8860017{spread(household):08d}"
    return body + luhn(body)
