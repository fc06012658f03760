"""The next basket end to end on a small shop whose members keep to habits: no peeking, no settings, no surprises."""

from dataclasses import replace
from functools import cache
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from recommend import candidates, model_file, nextbasket, nextbasket_file
from recommend.matrix import BadPurchases, PurchaseLog, from_arrays
from recommend.model_file import BadModelFile
from recommend.nextbasket import NextBasket
from recommend.ranked import ALIKE, NOBODY, OWN, POPULAR, Ranked, nobody

Lines = tuple[np.ndarray, np.ndarray, np.ndarray]
CUT, END, ITEMS = 90, 110, 20


def lines(members: int = 40, order_only: bool = False) -> Lines:
    """Every member has four habits with own gaps, and takes something else now and then."""
    rng = np.random.default_rng(11)
    found = []
    for member in range(members):
        gaps = {int(item): int(rng.integers(5, 25)) for item in rng.choice(ITEMS, 4, replace=False)}
        trips = range(int(rng.integers(0, 6)), END, int(rng.integers(3, 8)))
        last = dict.fromkeys(gaps, -99)
        for number, day in enumerate(trips):
            due = [item for item, gap in gaps.items() if day - last[item] >= gap]
            last.update(dict.fromkeys(due, day))
            taken = set(due) | ({int(rng.integers(ITEMS))} if rng.random() < 0.3 else set())
            found += [(f"m{member:03}", number if order_only else day, f"i{item:02}") for item in sorted(taken)]
    member, day, item = zip(*found, strict=True)
    return np.array(member), np.array(day), np.array(item)


def fitted(of: Lines, cut: int | None = CUT) -> NextBasket:
    return nextbasket.fit(from_arrays(*of), cut)


def answer(of: Ranked) -> list[object]:
    figures = (of.probability, of.long_term, of.short_term, of.source, of.count, of.last)
    return [of.items.tolist(), *(figure.tolist() for figure in figures), *(answer(of.fresh) if of.fresh else [])]


def plainly(of: Ranked) -> Ranked:
    """Return the lists with the first letter of each label dropped."""
    return replace(of, items=np.array([[one and one[1:] for one in row] for row in of.items.tolist()], object))


@cache
def once() -> tuple[NextBasket, Ranked]:
    model = fitted(lines())
    return model, model.score(fresh=5)


def hits(found: Ranked, log: PurchaseLog) -> float:
    """Return the share of the first basket from the cut on that the lists hold."""
    coming = log.since(CUT)
    first = {int(member): int(coming.day[coming.member == member].min()) for member in np.unique(coming.member)}
    shares = []
    for label, row in zip(found.members.tolist(), found.items.tolist(), strict=True):
        code = int(np.searchsorted(log.members, label))
        rows = (coming.member == code) & (coming.day == first.get(code, -1))
        if rows.any():
            shares.append(np.mean(np.isin(log.items[coming.item[rows]], [item for item in row if item])))
    return float(np.mean(shares))


def test_habits_are_found() -> None:
    model, _ = once()
    log = from_arrays(*lines())
    popular = np.argsort(-np.bincount(log.before(CUT).item))[:4]
    mine = hits(model.score(k=4), log)
    every = np.tile(log.items[popular], (len(log.members), 1)).astype(object)
    assert mine > 2 * hits(replace(nobody(log.members, log.items, 4), items=every), log)


def test_the_future_the_order_of_lines_and_names_change_nothing_and_a_seed_fixes_all() -> None:
    member, day, item = lines()
    item, late = item.copy(), day >= CUT
    item[late] = np.random.default_rng(1).permutation(item[late])
    member = np.where(late, "m001", member)
    order = np.random.default_rng(2).permutation(len(member))
    found = fitted((np.char.add("x", member)[order], day[order], np.char.add("y", item)[order])).score(fresh=5)
    assert found.fresh is not None
    plain = replace(plainly(found), fresh=plainly(found.fresh))
    assert answer(plain) == answer(once()[1])


def test_members_asked_in_another_order_get_their_own_lists() -> None:
    model, found = once()
    some = np.array(["m030", "m003", "m020"])
    asked = model.score(some)
    rows = np.searchsorted(found.members, some)
    assert asked.items.tolist() == found.items[rows].tolist()
    assert asked.probability == pytest.approx(found.probability[rows], abs=1e-6)


def test_figures_are_probabilities_and_lists_fall_and_hold_no_item_twice() -> None:
    found = once()[1]
    assert ((found.probability >= 0) & (found.probability <= 1)).all()
    assert (np.diff(found.probability, axis=1) <= 1e-6).all()
    for row in found.items.tolist():
        named = [item for item in row if item]
        assert len(named) == len(set(named))


def test_strangers_get_what_is_popular_beside_members() -> None:
    model, found = once()
    asked = model.score(np.array(["zoe", "m003", "adam"]))
    assert asked.items[0].tolist() == asked.items[2].tolist()
    assert None not in asked.items[0].tolist()
    assert asked.items[1].tolist() == found.items[3].tolist()
    assert (asked.long_term[0] == 0).all() and (asked.probability[0] > 0).all()


def test_a_member_with_one_basket_gets_that_basket_and_more() -> None:
    member, day, item = lines()
    model = fitted((np.append(member, ["new", "new"]), np.append(day, [80, 80]), np.append(item, ["i01", "i05"])))
    (row,) = model.score(np.array(["new"])).items.tolist()
    assert {"i01", "i05"} <= set(row) and len([one for one in row if one]) == 10


def test_new_only_leaves_out_what_was_bought() -> None:
    model, _ = once()
    found, past = model.score(new_only=True), model.log
    known = set(zip(past.members[past.member].tolist(), past.items[past.item].tolist(), strict=True))
    for member, row in zip(found.members.tolist(), found.items.tolist(), strict=True):
        assert not {(member, item) for item in row if item} & known
    assert (found.long_term == 0).all()


def test_new_items_come_in_the_same_pass() -> None:
    model, found = once()
    assert found.fresh is not None and found.fresh.items.shape == (40, 5)
    assert answer(found.fresh) == answer(model.score(k=5, new_only=True))
    assert answer(replace(found, fresh=None)) == answer(model.score())


def test_each_item_says_how_it_came_how_often_it_was_bought_and_when_last() -> None:
    model, found = once()
    past = model.log
    assert found.fresh is not None
    for one in (found, found.fresh):
        for (row, place), code in np.ndenumerate(one.codes):
            days = past.day[(past.member == row) & (past.item == code)]
            assert one.count[row, place] == len(days)
            assert one.last[row, place] == days.max(initial=-1)
            assert (one.source[row, place] == OWN) == (len(days) > 0)
    assert (found.fresh.source != OWN).all() and (found.fresh.source[found.fresh.codes < 0] == NOBODY).all()
    assert {OWN, ALIKE} <= set(found.source.ravel().tolist())
    stranger = model.score(np.array(["zoe"]), fresh=3)
    assert stranger.fresh is not None and stranger.fresh.items.tolist() == stranger.items[:, :3].tolist()
    assert (stranger.source == POPULAR).all() and (stranger.count == 0).all() and (stranger.last == -1).all()


def test_blocks_of_members_get_the_lists_they_get_together(monkeypatch: pytest.MonkeyPatch) -> None:
    model, found = once()
    monkeypatch.setattr(nextbasket, "SCORED_AT_ONCE", 7)
    parts = [model.score(found.members[start : start + 15], fresh=5) for start in range(0, 40, 15)]
    assert np.concatenate([part.items for part in parts]).tolist() == found.items.tolist()
    assert found.fresh is not None
    fresh = np.concatenate([part.fresh.items for part in parts if part.fresh])
    assert fresh.tolist() == found.fresh.items.tolist()


def test_of_many_members_a_fixed_sample_teaches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nextbasket, "LEARNERS", 30)
    monkeypatch.setattr(candidates, "REFERENCES", 20)
    one, two = (fitted(lines()) for _ in range(2))
    assert len(one.around.rows) == 20 and answer(one.score()) == answer(two.score())
    assert None not in one.score().items.ravel().tolist()


def test_a_log_of_basket_numbers_is_understood() -> None:
    model = fitted(lines(order_only=True), None)
    assert model.learnt.order_only and model.now == 0
    found = model.score()
    assert None not in found.items.ravel().tolist()
    own = model.log.member == 0
    assert found.items[0, 0] in model.log.items[model.log.item[own]].tolist()
    number = from_arrays(*lines(order_only=True)).day[own]
    assert found.last[0, 0] == number[model.log.item[own] == found.codes[0, 0]].max()


def test_parents_are_used_and_one_is_needed_for_each_item() -> None:
    log = from_arrays(*lines(30))
    kinds = np.array([f"k{int(item[1:]) % 5}" if item != "i03" else "" for item in log.items.tolist()])
    model = nextbasket.fit(log, CUT, parents=[kinds])
    assert "level_0_part" in model.learnt.names
    assert len(model.score().items) == 30
    with pytest.raises(BadPurchases, match="one parent"):
        nextbasket.fit(log, CUT, parents=[kinds[1:]])


def test_too_small_a_shop_falls_back_to_the_simple_score() -> None:
    model = nextbasket.fit(from_arrays(["a", "a", "a", "b"], [1, 4, 9, 2], ["x", "x", "y", "y"]))
    assert model.learnt.forests is None
    assert model.score().items[0].tolist()[:2] == ["y", "x"]
    single = nextbasket.fit(from_arrays(["a"], [1], ["x"])).score(np.array(["a", "b"]), k=3)
    assert single.items.tolist() == [["x", None, None], ["x", None, None]]


def test_a_model_comes_back_from_its_file_and_a_damaged_file_is_refused(tmp_path: Path) -> None:
    model, found = once()
    checksum = nextbasket_file.save(model.learnt, tmp_path / "model")
    back = nextbasket_file.load(tmp_path / "model")
    assert answer(nextbasket.asked_at(back, from_arrays(*lines()), CUT).score(fresh=5)) == answer(found)
    whole = (tmp_path / "model").read_bytes()
    assert whole.startswith(checksum.encode())
    (tmp_path / "model").write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(BadModelFile, match="checksum"):
        nextbasket_file.load(tmp_path / "model")
    model_file.write(tmp_path / "model", "timing 1", {"renewal": np.ones(4)})
    with pytest.raises(BadModelFile, match="not a next_basket"):
        nextbasket_file.load(tmp_path / "model")
    none = nextbasket.fit(from_arrays(["a"], [1], ["x"])).learnt
    nextbasket_file.save(none, tmp_path / "model")
    assert nextbasket_file.load(tmp_path / "model") == none


def test_a_file_as_it_was_written_before_kinds_were_is_refused(tmp_path: Path) -> None:
    packed = BytesIO()
    np.savez_compressed(packed, about=np.array('{"version": 2}'))
    old = sha256(packed.getvalue()).hexdigest().encode() + b"\n" + packed.getvalue()
    (tmp_path / "model").write_bytes(old)
    with pytest.raises(BadModelFile, match="not a next_basket"):
        nextbasket_file.load(tmp_path / "model")


def test_what_was_learnt_is_asked_about_a_later_day_without_learning() -> None:
    later = nextbasket.asked_at(once()[0].learnt, from_arrays(*lines()), END)
    assert later.learnt is once()[0].learnt and later.now == END
    assert len(later.log) > len(once()[0].log)
    with pytest.raises(BadPurchases, match="another kind"):
        nextbasket.asked_at(later.learnt, from_arrays(*lines(order_only=True)))


def test_bad_questions_are_refused() -> None:
    with pytest.raises(BadPurchases, match="before the cut"):
        fitted(lines(5), 0)
    with pytest.raises(BadPurchases, match="twice"):
        once()[0].score(np.array(["m001", "m001"]))
