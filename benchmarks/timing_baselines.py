"""Classical repurchase timing, compactly: each answers a score, a day of the week and a predicted wait per pair.

Renewal models answer with the chance that the next gap ends 1 … 7 days after the reminder, on its best day.
Sources: Ehrenberg 1959 (NBD) for gamma gaps; BG/NBD: Fader, Hardie & Lee, Marketing Science 2005.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from recommend.evaluating.timing import Answer, Method, Round
from recommend.hazard import HORIZON, middle
from recommend.renewal import BgNbd
from recommend.timing import windows_of
from recommend.timing_features import Asked, Events, own_rhythm

Column = NDArray[Any]
WEEK = 7
CHUNK = 5000
SPREAD = 0.7


def due(events: Events, ask: Asked, kind: str) -> Answer:
    """Remind four days before last + median or mean gap; the soundest cycles first, of those due this week.

    Soundness: hits / (gaps + 1), a hit being a gap within max(2 days, a quarter) of it: what the chat used before.
    """
    rhythm = own_rhythm(events, ask)
    wait = rhythm[kind] - rhythm["elapsed"]
    count = ask.last - ask.first
    row = np.repeat(np.arange(len(ask)), count)
    place = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count) + ask.first[row] + 1
    near = np.abs(np.diff(events.day, prepend=0)[place] - rhythm[kind][row]) <= np.maximum(2, rhythm[kind] / 4)[row]
    sound = np.bincount(row, near, len(ask)) / (count + 1)
    reach = (wait >= 1) & (wait < 2 * WEEK)
    return Answer(sound + reach, np.clip(np.round(wait) - 4, 0, WEEK - 1).astype(int), np.maximum(0, wait))


def gamma(events: Events, ask: Asked) -> Answer:
    """Gamma gaps per pair by moments, the variance shrunk towards a spread of 0.7 means with the weight of 3 gaps."""
    mean, variance, elapsed = _moments(events, ask)
    shape, scale = mean**2 / variance, variance / mean
    return _renewal(lambda days, rows: stats.gamma.sf(days, shape[rows, None], scale=scale[rows, None]), elapsed)


def weibull(events: Events, ask: Asked) -> Answer:
    """Weibull gaps per pair, shape by the usual power of the shrunk spread (k ≈ cv^−1.086)."""
    mean, variance, elapsed = _moments(events, ask)
    shape = (np.sqrt(variance) / mean) ** -1.086
    scale = mean / special.gamma(1 + 1 / shape)
    return _renewal(lambda days, rows: stats.weibull_min.sf(days, shape[rows, None], scale=scale[rows, None]), elapsed)


def _moments(events: Events, ask: Asked) -> tuple[Column, Column, Column]:
    rhythm = own_rhythm(events, ask)
    gaps, mean = rhythm["count"] - 1, rhythm["mean"]
    variance = (gaps * rhythm["spread"] ** 2 + 3 * (SPREAD * mean) ** 2) / (gaps + 3)
    return mean, variance, rhythm["elapsed"]


def _renewal(waits: Callable[[Column, Column], Column], elapsed: Column) -> Answer:
    """Answer from the chance of a gap of more than so many days, given what has elapsed."""

    def surviving(rows: Column) -> Column:
        days = elapsed[rows, None] + np.arange(HORIZON + 1) - 0.5
        return np.asarray(waits(days, rows) / np.maximum(waits(days[:, :1], rows), 1e-12))

    return answered(surviving, len(elapsed))


def answered(surviving: Callable[[Column], Column], size: int) -> Answer:
    """Answer from rows × (horizon + 1) chances to wait at least so long, in chunks."""
    parts = []
    for begin in range(0, size, CHUNK):
        chances = surviving(np.arange(begin, min(size, begin + CHUNK)))
        windows = windows_of(chances)
        parts.append((windows.max(axis=1), windows.argmax(axis=1), middle(chances)))
    return Answer(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def recency(events: Events, ask: Asked) -> tuple[Column, Column, Column]:
    """Return repeat purchases, the age at the last one, and the age now, per pair."""
    first = events.day[ask.first]
    return ask.last - ask.first, events.day[ask.last] - first, ask.day - first


def bg_nbd(model: BgNbd, events: Events, ask: Asked) -> Answer:
    """Answer from P(alive) and the posterior of the rate: what the product falls back on in small shops."""
    count, last, age = recency(events, ask)
    return answered(lambda rows: model.surviving(count[rows], last[rows], age[rows], HORIZON), len(ask))


def methods(first: Round) -> Mapping[str, Method]:
    """Return every baseline but the control, fitted on the first round where it has something to fit."""
    known = BgNbd.fit(*recency(first.events, first.ask))
    return {
        "median gap": lambda week: due(week.events, week.ask, "median"),
        "mean gap": lambda week: due(week.events, week.ask, "mean"),
        "gamma": lambda week: gamma(week.events, week.ask),
        "Weibull": lambda week: weibull(week.events, week.ask),
        "BG/NBD": lambda week: bg_nbd(known, week.events, week.ask),
    }
