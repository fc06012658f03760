"""What leads from item to item, on baskets small enough to count by hand, and what a shop of tastes gains by it."""

import numpy as np
import pytest
from scipy import sparse

from recommend import nextbasket
from recommend.evaluating.cases import case_of
from recommend.evaluating.measures import best, quality
from recommend.links import SHRUNK, blended, linked_scores, links_of
from recommend.matrix import PurchaseLog, from_arrays
from recommend.ranking_features import SUPPLY, own_columns, supply_tells
from recommend.ranking_history import History, history

TEA, CUP, SOAP = range(3)
HOT = np.arange(3)


def past_of(*rows: tuple[int, int, int], pieces: tuple[int, ...] = ()) -> History:
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    return history(from_arrays(*columns, np.array(pieces) if pieces else None), 1_000)


def three() -> History:
    """Two members begin with tea and take a cup next; one has tea with soap, then tea again."""
    return past_of((1, 1, TEA), (1, 2, CUP), (2, 1, TEA), (2, 5, CUP), (3, 1, TEA), (3, 1, SOAP), (3, 2, TEA))


def held(past: History) -> sparse.csr_matrix:
    return past.vectors(np.ones(len(past.start), dtype=np.float32)).tocsr()


def test_near_is_the_shrunk_cosine_of_who_bought_by_hand() -> None:
    past = three()
    near = links_of(past, held(past), HOT).near.toarray()
    # tea: three members, cup: two of them, soap: one of them
    assert near[TEA, CUP] == pytest.approx(2 / np.sqrt((3 + SHRUNK) * (2 + SHRUNK)))
    assert near[TEA, SOAP] == pytest.approx(1 / np.sqrt((3 + SHRUNK) * (1 + SHRUNK)))
    assert near[CUP, SOAP] == 0
    assert (near.diagonal() == 0).all()
    assert near == pytest.approx(near.T)


def test_follows_counts_first_purchases_in_the_next_basket_by_hand() -> None:
    past = three()
    follows = links_of(past, held(past), HOT).follows.toarray()
    # three baskets with tea have a next one; in two of them a cup was bought for the first time
    assert follows[TEA, CUP] == pytest.approx(2 / (3 + SHRUNK) ** 0.7 / (2 + SHRUNK) ** 0.3)
    assert np.count_nonzero(follows) == 1


def test_scores_of_a_member_who_has_tea_by_hand() -> None:
    past = three()
    links = links_of(past, held(past), HOT)
    own = sparse.csr_matrix(np.array([[0.25, 0, 0]], dtype=np.float32))
    found = linked_scores(own, own, links, HOT)
    assert found["near"][0] == pytest.approx(0.5 * links.near.toarray()[TEA])
    assert found["follows"][0] == pytest.approx(0.25 * links.follows.toarray()[TEA])
    assert (found["taste"] >= 0).all()


def test_blended_scores_weigh_alike() -> None:
    one, other = np.array([[1, 3]], np.float32), np.array([[200, 200]], np.float32)
    assert blended([one, other])[0].tolist() == [1.5, 2.5]
    assert blended([one, np.zeros_like(one)])[0].tolist() == [0.5, 1.5]


def tastes(
    members: int = 200, items: int = 120, kinds: int = 8, *, baskets: int = 9, favourites: bool = False
) -> PurchaseLog:  # fmt: skip
    """Everybody has one of eight tastes and takes hardly anything but a favourite again (in every other basket)."""
    random = np.random.default_rng(3)
    rows = []
    for member in range(members):
        mine = np.flatnonzero(np.arange(items) % kinds == member % kinds)
        for basket in range(baskets):
            rows += [(member, basket, int(item)) for item in random.choice(mine, 2, replace=False)]
            rows += [(member, basket, int(mine[member % 7]))] * (favourites and (member + basket) % 2)
    return from_arrays(*(np.array(column) for column in zip(*rows, strict=True)))


def test_where_tastes_are_shared_new_items_are_found_far_beyond_popularity() -> None:
    case = case_of(tastes(), order_only=True)
    model = nextbasket.fit(case.log, case.cut)
    members = case.log.members[case.asked]
    fresh = model.score(members, 10, new_only=True).codes
    popular = np.bincount(case.past.item, minlength=len(case.log.items)).astype(float)
    bought = np.zeros((len(case.log.members), len(popular)), dtype=np.bool_)
    bought[case.past.member, case.past.item] = True
    top = best(np.where(bought[case.asked], -np.inf, popular[None, :]))
    found = quality(fresh, fresh, case).mean("new_of_ten")
    assert found > 0.9 > 3 * quality(top, top, case).mean("new_of_ten")


def test_a_log_of_three_baskets_a_member_is_learnt_from_as_well() -> None:
    few = nextbasket.fit(tastes(400, baskets=3, favourites=True))
    assert few.learnt.forests is not None


def test_how_long_a_quantity_lasts_by_hand() -> None:
    # one piece lasts five days, then three are bought, and seven days have gone by
    past = past_of((1, 983, TEA), (1, 988, TEA), (1, 993, TEA), pieces=(1, 1, 3))
    assert own_columns(past)[SUPPLY] == pytest.approx([7 / 15])
    once = past_of((1, 990, TEA))
    assert np.isnan(own_columns(once)[SUPPLY]).all()


@pytest.mark.parametrize(("lasts", "told"), [(True, True), (False, False)])
def test_quantities_are_looked_at_only_where_gaps_follow_them(lasts: bool, told: bool) -> None:
    random = np.random.default_rng(4)
    rows, pieces = [], []
    for member in range(80):
        day = int(random.integers(9))
        while day < 150:
            many = int(random.integers(1, 5))
            rows.append((member, day, TEA))
            pieces.append(many)
            day += (4 * many if lasts else 10) + int(random.integers(3))
    assert supply_tells(past_of(*rows, pieces=tuple(pieces))) is told


def test_without_three_purchases_of_anything_quantities_tell_nothing() -> None:
    assert not supply_tells(three())
