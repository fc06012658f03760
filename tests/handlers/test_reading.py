"""The literal reading of a line: total over Unicode, stable, and blind to how a thing is typed."""

from hypothesis import example, given
from hypothesis import strategies as st

from handlers.reading import MAX_TEXT, code_in, normalise, phone_in, signs, squeeze

ANY = st.text(st.characters(), max_size=MAX_TEXT + 50)


@given(ANY)
@example("İ")
@example("\x00\x1f\x7f\u200b\ufeff")
@example("\ud83d")
@example("ﷺ" * MAX_TEXT)
def test_nothing_raises(text: str) -> None:
    plain = normalise(text)
    for found in (squeeze(text), signs(text), phone_in(plain), code_in(plain, expecting=True)):
        assert found is None or isinstance(found, str)


@given(ANY)
def test_squeezed_text_has_no_space(text: str) -> None:
    assert not any(character.isspace() for character in squeeze(text))


@given(
    st.sampled_from(["积分", "余额", "优惠券", "我的会员码"]),
    st.text(st.sampled_from(" 。,!?😀🎫\n\t…~·“”"), max_size=6),
)
def test_signs_and_emoji_around_words_change_nothing(word: str, noise: str) -> None:
    assert squeeze(noise + word + noise) == word


@given(
    st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True),
    st.lists(st.sampled_from(["", "", " ", "-", "."]), min_size=11, max_size=11),
)
def test_a_phone_is_found_whatever_stands_between_its_digits(phone: str, gaps: list[str]) -> None:
    typed = "".join(digit + gap for digit, gap in zip(phone, gaps, strict=True))
    assert phone_in(normalise(f"电话{typed}")) == phone


@given(st.from_regex(r"[0-9]{12,20}", fullmatch=True))
def test_longer_numbers_hold_no_phone_unless_they_begin_with_the_country(number: str) -> None:
    if not number.startswith(("86", "0086")):
        assert phone_in(number) is None


def test_traditional_full_width_and_numerals() -> None:
    assert normalise("  餘額 ＡＢＣ１２３  ") == "余额 abc123"
    assert normalise("幺三八零零一三八零零〇") == "13800138000"
    assert normalise("第一次") == "第一次"
    assert normalise("١٢٣٤٥٦") == "123456"
