"""The reasons a member reads beside what is suggested: all of their words, whoever worked them out."""

from datetime import date

POPULAR = "大家常买"
ALIKE = "和您买得相近的顾客常买"


def cycle(last: date, gap: int) -> str:
    """Return when something was bought last and every how many days it is."""
    return f"上次 {_day(last)},平均 {gap} 天一次"


def cycle_of_orders(ago: int, gap: int) -> str:
    """Return the same of purchases without dates: so many orders ago, every so many."""
    return f"上次在 {ago} 单之前,平均 {gap} 单一次"


def often(times: int, days: int) -> str:
    """Return how often something was bought in the last days."""
    return f"近{days}天买过{times}次"


def bought(times: int, last: date, *, long_ago: bool) -> str:
    """Return how often something was bought and when last, with the year when that is long ago."""
    when = f"{last.year} 年 {_day(last)}" if long_ago else _day(last)
    return f"买过 {times} 次,上次 {when}" if times > 1 else f"{when}买过"


def of_category(name: str, words: str) -> str:
    """Return what is told of a whole category, said beside one article of it."""
    return f"{name}{words}"


def together(name: str) -> str:
    """Return with which article it is bought."""
    return f"常和{name}一起买"


def premium(usual: str, name: str, share: float, dearer: int | None) -> str:
    """Return how many who bought the usual article took up the dearer one, and what it costs more today (分)."""
    more = "" if dearer is None else f",每件多{dearer / 100:.2f}元"
    return f"您常买{usual};买过它的会员后来有{share:.0%}也买了{name}{more}"


def companion(usual: str, name: str, share: float, beyond: float) -> str:
    """Return on how many days with the usual article members bought the other one too, and that this is no chance."""
    return f"您常买{usual};买它的那些天里{share:.0%}也买了{name},是各买各的{beyond:.1f}倍"


def bundle(usual: str, name: str, own: bool, share: float, base: float) -> str:
    """Return what a member buys that speaks for an article: itself, what its buyers buy more, or one of its kind."""
    if own:
        return f"您买过{name}"
    if share:
        return f"您买过{usual};买{name}的会员里{share:.0%}也买它,所有会员里是{base:.0%}"
    return f"您买过{usual},和{name}是同一类"


def _day(day: date) -> str:
    return f"{day.month} 月 {day.day} 日"
