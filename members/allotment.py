"""Sharing amounts among lines: in proportion and exact, and the most that several demands can take together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Demand:
    """What a coupon takes off alone, and how much of it from each line at most."""

    amount: int
    most: tuple[int, ...]


def shares(amount: int, weights: Sequence[int]) -> list[int]:
    """Split `amount` (≤ the sum of weights) by weight by largest remainder; nobody gets more than their weight."""
    whole = sum(weights)
    if not whole:
        return [0] * len(weights)
    split = [amount * weight // whole for weight in weights]
    by_rest = sorted(range(len(weights)), key=lambda place: (-(amount * weights[place] % whole), place))
    for place in by_rest[: amount - sum(split)]:
        split[place] += 1
    return split


def allot(demands: Sequence[Demand], costs: Sequence[int]) -> list[list[int]]:
    """Return how much each demand takes from each line so that the sum is the greatest possible (maximum flow).

    Each in turn takes its part from its lines by what is left of them, in proportion; where that leaves somebody short,
    others make room along augmenting paths.
    """
    left, flow = list(costs), []
    for one in demands:
        room = [min(most, rest) for most, rest in zip(one.most, left, strict=True)]
        taken = shares(min(one.amount, sum(room)), room)
        left = [rest - part for rest, part in zip(left, taken, strict=True)]
        flow.append(taken)
    for number, one in enumerate(demands):
        while sum(flow[number]) < one.amount and _augment(demands, flow, left, number):
            pass
    return flow


def _augment(demands: Sequence[Demand], flow: list[list[int]], left: list[int], number: int) -> bool:
    """Move some flow so that demand `number` takes more; False when no path is left."""
    came: dict[int, tuple[int, int]] = {}
    queue, seen, end = [number], {number}, -1
    while queue and end < 0:
        giver = queue.pop(0)
        for line, most in enumerate(demands[giver].most):
            if line in came or flow[giver][line] >= most:
                continue
            came[line] = (giver, most - flow[giver][line])
            if left[line] > 0:
                end = line
                break
            for other in range(len(demands)):
                if other not in seen and flow[other][line] > 0:
                    seen.add(other)
                    came[-1 - other] = (line, flow[other][line])
                    queue.append(other)
    if end < 0:
        return False
    _push(demands, flow, left, number, end, came)
    return True


def _push(
    demands: Sequence[Demand], flow: list[list[int]], left: list[int], number: int, end: int,
    came: Mapping[int, tuple[int, int]],
) -> None:  # fmt: skip
    path, amount, line = [], min(left[end], demands[number].amount - sum(flow[number])), end
    while True:
        giver, room = came[line]
        amount = min(amount, room)
        if giver == number:
            path.append((giver, line, -1))
            break
        through, moved = came[-1 - giver]
        amount = min(amount, moved)
        path.append((giver, line, through))
        line = through
    left[end] -= amount
    for giver, to, away in path:
        flow[giver][to] += amount
        if away >= 0:
            flow[giver][away] -= amount
