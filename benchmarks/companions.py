"""Companions, trade-up and audiences of slow articles on Complete Journey: learnt before week 41, judged after it."""

import numpy as np

from benchmarks.known_shop import CUT, DRAWS, Column, Shop, auc
from recommend import association, bundle, trade_up
from recommend.leaning import unit_price
from recommend.matrix import PurchaseLog

JUDGED, ITEMS = 1.0, 300


def held_out(log: PurchaseLog, pairs: association.Pairs) -> tuple[Column, Column]:
    """Return (seen, expected by chance) of each pair in the baskets after the cut."""
    found = association.baskets(log.since(CUT), int(log.day.max()) + 1, least=1)
    place = np.full(len(log.items), -1, dtype=np.int64)
    place[found.items] = np.arange(len(found.items))
    left, right = place[pairs.left], place[pairs.right]
    known = (left >= 0) & (right >= 0)
    seen, expected = np.zeros(len(left)), np.zeros(len(left))
    held = found.holds.tocsc()
    rows = np.flatnonzero(known)
    for part in np.array_split(rows, max(1, len(rows) // association.CHUNK)):
        both = held[:, left[part]].multiply(held[:, right[part]])
        seen[part] = np.asarray(both.sum(axis=0)).ravel()
    expected[rows] = association.by_chance(found, left[rows], right[rows])
    return seen, expected


def naive(pairs: association.Pairs) -> Column:
    """Return which pairs pass a one-sided Fisher test against independent baskets, Benjamini–Hochberg at 5%."""
    from scipy.stats import false_discovery_control, hypergeom

    p = hypergeom.sf(pairs.baskets - 1, pairs.total, pairs.of_left, pairs.of_right)
    return np.asarray(np.minimum(1, false_discovery_control(p) * pairs.asked / len(p)) <= 0.05)


def companions(name: str, log: PurchaseLog) -> None:
    """Print how each way of choosing companions holds after the cut."""
    pairs = association.pairs(log, CUT)
    seen, expected = held_out(log, pairs)
    random = np.random.default_rng(4)
    fisher = naive(pairs)
    chosen = {
        "all pairs seen five times": np.arange(len(pairs.left)),
        "lift above 1": np.flatnonzero(pairs.lift > 1),
        "Fisher, BH 5%": np.flatnonzero(fisher),
        "Fisher, BH 5%, 200 of the highest lift": np.flatnonzero(fisher)[np.argsort(-pairs.lift[fisher])[:200]],
        "beyond chance, BH 5%": np.flatnonzero(pairs.q <= 0.05),
        "beyond chance, the first 200": np.flatnonzero(pairs.q <= 0.05)[
            np.argsort(-pairs.beyond[pairs.q <= 0.05], kind="stable")[:200]
        ],
    }
    for way, rows in chosen.items():
        if not len(rows):
            continue
        ratio = seen[rows].sum() / max(expected[rows].sum(), 1e-9)
        draws = random.integers(0, len(rows), (200, min(len(rows), 20_000)))
        pooled = [seen[rows][draw].sum() / max(expected[rows][draw].sum(), 1e-9) for draw in draws]
        low, high = np.quantile(pooled, (0.025, 0.975))
        judged = rows[expected[rows] >= JUDGED]
        holds = (seen[judged] > expected[judged]).mean() if len(judged) else float("nan")
        before = pairs.baskets[rows].sum() / pairs.expected[rows].sum()
        print(
            f"| {name} | {way} | {len(rows):,} of {pairs.asked:,} | {before:.2f} | {ratio:.2f} ({low:.2f}–{high:.2f}) "
            f"| {holds:.3f} of {len(judged):,} |",
            flush=True,
        )
    if name != "product":
        first = pairs.companions()
        for row in range(min(8, len(first.left))):
            print(
                f"  {log.items[first.left[row]]} + {log.items[first.right[row]]}: {first.beyond[row]:.1f} times chance"
            )


def upgrades(data: Shop) -> None:
    """Print what came of trade-up offers by themselves after the cut, beside the type's dearer best-seller."""
    log, width = data.log, len(data.log.items)
    later, kind = log.since(CUT), np.unique(data.kind, return_inverse=True)[1]
    kinds = int(kind.max()) + 1
    shopped = np.unique(later.member.astype(np.int64) * kinds + kind[later.item])
    bought = np.unique(later.member.astype(np.int64) * width + later.item)
    price = unit_price(log.before(CUT))
    print(
        "\n| trade-up by | offers | bought it | claimed | best-seller | 95% | 分 more | best-seller | 95% |\n|"
        + "---|" * 9
    )
    for prefer in ("money", "chance"):
        offers = trade_up.trade_ups(log, CUT, data.kind, prefer=prefer)
        other = best_sellers(log, offers, kind)
        rows = np.flatnonzero(np.isin(offers.member * kinds + kind[offers.usual], shopped) & (other >= 0))
        member, usual = offers.member[rows], offers.usual[rows]
        took, plain = (np.isin(member * width + item, bought) for item in (offers.premium[rows], other[rows]))
        more, less = took * offers.extra[rows], plain * (price[other[rows]] - price[usual])
        hits, money = gained(member, took, plain), gained(member, more, less)
        print(
            f"| {prefer} | {len(rows):,} | {took.mean():.4f} | {offers.chance[rows].mean():.4f} | {plain.mean():.4f} "
            f"| {hits[0]:+.4f} … {hits[1]:+.4f} | {more.mean():.2f} | {less.mean():.2f} "
            f"| {money[0]:+.2f} … {money[1]:+.2f} |"
        )


def gained(member: Column, own: Column, other: Column) -> tuple[float, float]:
    """Return the 95% interval of the mean difference over offers, members drawn with replacement."""
    owner = np.unique(member, return_inverse=True)[1]
    size = int(owner.max()) + 1
    weights = np.random.default_rng(5).multinomial(size, np.full(size, 1 / size), DRAWS)
    total, gain = np.bincount(owner, minlength=size), np.bincount(owner, own.astype(float) - other, size)
    low, high = np.quantile(weights @ gain / (weights @ total), (0.025, 0.975))
    return float(low), float(high)


def best_sellers(log: PurchaseLog, offers: trade_up.TradeUps, kind: Column) -> Column:
    """Return, for each offer, the type's best-selling item in the same price band that the member has not tried; −1."""
    past = log.before(CUT)
    price, sold = unit_price(past), np.bincount(past.item, minlength=len(log.items))
    tried = set(np.unique(past.member.astype(np.int64) * len(log.items) + past.item).tolist())
    order = np.lexsort((-sold, kind))
    begin = np.searchsorted(kind[order], np.arange(kind.max() + 2))
    found = np.full(len(offers.member), -1, dtype=np.int64)
    for row, (member, usual) in enumerate(zip(offers.member.tolist(), offers.usual.tolist(), strict=True)):
        of_type = order[begin[kind[usual]] : begin[kind[usual] + 1]]
        band = (price[of_type] >= trade_up.DEARER * price[usual]) & (price[of_type] <= trade_up.AT_MOST * price[usual])
        fits = (item for item in of_type[band].tolist() if member * len(log.items) + item not in tried)
        found[row] = next(fits, -1)
    return found


def audiences(data: Shop) -> None:
    """Print how well buyers of rarely sold articles are told before they buy, beside two simple audiences."""
    log, width = data.log, len(data.log.items)
    past, later = log.before(CUT), log.since(CUT)
    pairs = np.unique(past.member.astype(np.int64) * width + past.item)
    buyers = np.bincount(pairs % width, minlength=width)
    after = np.unique(later.member.astype(np.int64) * width + later.item)
    new = after[~np.isin(after, pairs)]
    fresh, every = np.bincount(new % width, minlength=width), np.bincount(after % width, minlength=width)
    rare = np.flatnonzero((buyers >= 5) & (buyers <= 60) & (fresh >= 5))
    rare = np.random.default_rng(6).permutation(rare)[:ITEMS]
    kind = np.unique(data.kind, return_inverse=True)[1]
    found = bundle.tastes(log, CUT)
    activity = np.asarray(found.weight.sum(axis=1)).ravel()
    figures = []
    for item in rare.tolist():
        own = np.isin(np.arange(len(log.members)), pairs[pairs % width == item] // width)
        true = np.isin(np.arange(len(log.members)), after[after % width == item] // width)
        likely = bundle.likely_buyers(found, item, np.flatnonzero(kind == kind[item])).score
        of_type = np.asarray(found.weight[:, np.flatnonzero(kind == kind[item])].sum(axis=1)).ravel() + activity / 1e6
        row = [auc(true[~own], score[~own]) for score in (likely, of_type, activity)]
        row += [true[np.argsort(-score)[:50]].mean() for score in (likely, of_type, activity)]
        figures.append((*row, true.mean()))
    mean = np.array(figures).mean(axis=0)
    random = np.random.default_rng(7)
    means = np.array([np.array(figures)[random.integers(0, len(rare), len(rare))].mean(axis=0) for _ in range(DRAWS)])
    low, high = np.quantile(means[:, 0] - means[:, 1], (0.025, 0.975))
    print(
        f"\n{len(rare)} articles with 5–60 buyers before; who buys after (base {mean[6]:.4f}, {every[rare].mean():.1f} "
        "members):\n\n| audience | AUC among members new to it | hits among the first 50 |\n|---|---|---|"
    )
    for at, name in enumerate(("likely buyers", "buyers of its type", "most active")):
        print(f"| {name} | {mean[at]:.3f} | {mean[3 + at]:.4f} |")
    print(f"likely buyers against buyers of its type, AUC: {mean[0] - mean[1]:+.3f} ({low:+.3f} … {high:+.3f})")


def report(data: Shop) -> None:
    """Print everything about associations."""
    print(
        "\n| level | chosen before the cut | pairs | times chance before | times chance after (95%) | hold after |\n|"
        + "---|" * 6
    )
    companions("product_category", data.log.at_level(data.category))
    companions("product_type", data.log.at_level(data.kind))
    companions("product", data.log)
    upgrades(data)
    audiences(data)
