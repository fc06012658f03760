"""Money in words: 分 are what the books count, 元 what people read."""


def yuan(fen: int) -> str:
    """Return 分 as people read money: ¥1,234.50."""
    sign = "-" if fen < 0 else ""
    return f"{sign}¥{abs(fen) // 100:,}.{abs(fen) % 100:02d}"
