"""The tables of `memberbot evaluate` in Chinese, from the plain data that --json prints."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.cells import cell_len

Data = Mapping[str, Any]
LEVELS = {"product": "商品", "type": "类型", "category": "品类"}
METHODS = {
    "memberbot": "memberbot",
    "global top": "全店最常买",
    "personal top": "自己最常买",
    "decayed frequency, tuned": "自己常买、近的更重(自调)",
    "item-kNN": "商品近邻 item-kNN",
    "UP-CF@r, tuned": "会员近邻 UP-CF@r(自调)",
    "TIFU-KNN, published": "TIFU-KNN(论文设定)",
    "TIFU-KNN, tuned": "TIFU-KNN(自调)",
    "most frequent now (control)": "对照:最常买的现在就提醒",
    "median gap": "间隔的中位数",
    "mean gap": "平均间隔",
    "gamma": "gamma 间隔",
    "Weibull": "Weibull 间隔",
}
MEASURES = {
    "recall": "Recall@10", "ndcg": "NDCG@10", "new_in_ten": "新商品,十个里", "new_of_ten": "新商品,另列十个",
    "AUC": "AUC", "recall@10": "Recall@10",
}  # fmt: skip
BASES = {"coupon mailed": "每张寄出的券", "mailing": "每次寄给一户", "mailed household": "每户收到过券的"}
SINCE = {
    "all": "全部有先例的", "29 March": "3 月 29 日起", "8 May": "5 月 8 日起", "8 August": "8 月 8 日起",
    "30 October": "10 月 30 日起",
}  # fmt: skip
QUESTIONS = {
    "children in the household": "家里有孩子",
    "two or more children, or none": "两个以上孩子,或没有",
    "one child, or none": "一个孩子,或没有",
    "three persons or more": "三口人以上",
    "head under 35": "户主 35 岁以下",
    "head 65 or older": "户主 65 岁以上",
    "head 55 or older": "户主 55 岁以上",
    "income of 75K or more": "年收入 7.5 万美元以上",
}
PAIRED = "区间都是 95%,会员整户重抽、成对比较"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table: the first column to the left, figures to the right, a Chinese letter two wide."""
    wide = [max(cell_len(row[at]) for row in (head, *rows)) for at in range(len(head))]
    for row in (head, *rows):
        cells = [" " * (size - cell_len(cell)) + cell for cell, size in zip(row, wide, strict=True)]
        cells[0] = row[0] + " " * (wide[0] - cell_len(row[0]))
        yield "  ".join(cells).rstrip()


def number(value: float | None, digits: int = 4) -> str:
    """Return a figure as text, a dash where there is none."""
    return "—" if value is None else f"{value:,.{digits}f}"


def between(ends: Sequence[float | None], digits: int = 4) -> str:
    """Return the interval of a difference, a dash where there is none."""
    known = [f"{end:+.{digits}f}" for end in ends if end is not None]
    return " … ".join(known) if len(known) == 2 else "—"


def method(name: str) -> str:
    """Return what a method is called."""
    return METHODS.get(name, name)


def about(data: Data) -> Iterator[str]:
    """Yield what was read."""
    if data.get("columns"):
        words = {"member": "会员", "item": "商品", "day": "日期或第几单", "quantity": "数量", "amount": "金额",
                 "type": "类型", "category": "品类"}  # fmt: skip
        yield "用到的列:" + "、".join(f"{column}→{words[field]}" for field, column in data["columns"].items())
        if data["unused"]:
            yield "没有用到的列:" + "、".join(data["unused"])
        dropped = "、".join(f"{why} {many:,} 行" for why, many in data["dropped"].items())
        yield f"读了 {data['lines']:,} 行,去掉 {sum(data['dropped'].values()):,} 行" + (dropped and f"({dropped})")
    if data["order_only"]:
        yield "只知道先后、没有日期:每位会员的最后一单就是要猜的"


def next_basket(found: Sequence[Data]) -> Iterator[str]:
    """Yield the tables of the next basket."""
    for one in found:
        name = LEVELS[one["level"]]
        if "skipped" in one:
            yield f"\n下一单 · {name}:跳过,{one['skipped']}"
            continue
        left = f",不常见的去掉 {one['dropped_items']:,} 种" if one["dropped_items"] else ""
        yield f"\n下一单 · {name}:{one['members']:,} 位会员,{one['items']:,} 种{left}"
        head = ("方法", *list(MEASURES.values())[:4], "拟合 CPU 秒", "毫秒/会员", "内存峰值 MiB")
        rows = [
            (method(row["method"]), *(number(row[name]) for name in list(MEASURES)[:4]),
             number(row["fit_seconds"], 1), number(row["member_ms"], 2), number(row["peak_mib"], 0))
            for row in one["methods"]
        ]  # fmt: skip
        yield from table(head, rows)
        for row in one["standings"]:
            gain = "—" if row["gain"] is None else f"{row['gain']:+.1%}"
            yield (
                f"{MEASURES[row['measure']]}:比最好的「{method(row['rival'])}」{gain},"
                f"差 {between((row['low'], row['high']))}"
            )


def timing(found: Data) -> Iterator[str]:
    """Yield the tables of the reminders."""
    if "skipped" in found:
        yield f"\n补货时间:跳过,{found['skipped']}"
        return
    sent = found["reminders"]
    yield (
        f"\n补货时间 · {LEVELS[found['level']]}:四周,每周可问 {min(found['pairs']):,}–{max(found['pairs']):,} 对"
        f"(会员 × {LEVELS[found['level']]},买过四天以上),提醒其中一成,共 {sent['all']:,} 次"
        f"(慢的,间隔中位数 14 天以上:{sent['slow']:,} 次);命中 = 提醒后 1–7 天内买"
    )
    rows = [
        (method(row["method"]), number(row["hits"]["all"], 3), between(row["against"].get("all", ()), 3),
         number(row["hits"]["slow"], 3), between(row["against"].get("slow", ()), 3),
         number(row["error_days"], 1))
        for row in found["methods"]
    ]  # fmt: skip
    yield from table(("方法", "命中率", "与对照之差", "慢的命中率", "与对照之差", "误差(天)"), rows)
    told, cost = found["reliability"], found["cost"]
    yield f"概率的 Brier {told['brier']:.4f}(只报平均命中率是 {told['base']:.4f})"
    lines = [
        (f"{row[0]:.2f}–{row[1]:.2f}", f"{row[2]:,}", number(row[3], 3), number(row[4], 3)) for row in told["bins"]
    ]
    yield from table(("说的机会", "对", "平均说", "实际"), lines)
    yield (
        f"拟合 {cost['fit_seconds']:.1f} CPU 秒,预测 {cost['member_ms']:.2f} 毫秒/会员,"
        f"内存峰值 {number(cost['peak_mib'], 0)} MiB"
    )


def coupons(found: Data) -> Iterator[str]:
    """Yield the tables of coupon choice."""
    yield "\n选券:每次寄券只用此前已结束的寄券来学"
    yield "核销率(说的是什么的比例,差 14 倍):" + ";".join(
        f"{BASES[one['base']]} {one['rate']:.1%}({one['redeemed']:,}/{one['of']:,})" for one in found["rates"]
    )
    rows = [
        (f"{SINCE[row['since']]} {MEASURES[row['measure']]}", f"{row['pairs']:,}", number(row["own"], 3),
         number(row["other"], 3), between((row["low"], row["high"]), 3))
        for row in found["choices"]
    ]  # fmt: skip
    yield from table(("哪张券被用", "户次", "memberbot", "自己的购买次数", "差"), rows)
    lines = [
        (SINCE[row["since"]], f"{row['mailings']:,}", f"{row['rate']:.1%}", number(row["own"], 3),
         number(row["other"], 3), number(row["brier"]), number(row["base_brier"]))
        for row in found["responses"]
    ]  # fmt: skip
    head = ("会不会用", "户次", "每次寄给一户的核销率", "AUC", "从前用券省的钱 AUC", "Brier", "只报平均")
    yield from table(head, lines)
    cost = found["cost"]
    yield (
        f"学习 {cost['fit_seconds']:.1f} CPU 秒,打分 {cost['member_ms']:.2f} 毫秒/户次,"
        f"内存峰值 {number(cost['peak_mib'], 0)} MiB"
    )


def traits(found: Sequence[Data]) -> Iterator[str]:
    """Yield the table of household traits."""
    yield "\n家庭特征:只从购买推断,问卷只用来核对;「校准」看过其余九成家庭的答案"
    rows = [
        (QUESTIONS[row["question"]], f"{row['households']:,}", f"{row['share']:.1%}", number(row["auc"], 3),
         f"{row['low']:.3f} … {row['high']:.3f}", number(row["brier"]), number(row["calibrated"]),
         number(row["base_brier"]))
        for row in found
    ]  # fmt: skip
    yield from table(("问题", "户", "答是", "AUC", "95%", "Brier", "校准后", "只报比例"), rows)
