"""Codes of coupons: 55 random bits in an alphabet without look-alikes, and a symbol that catches slips."""

import secrets

from members.errors import MemberError

# Crockford's base 32: no I, L, O, U; 11 random symbols are 55 bits, the twelfth checks
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
SYMBOLS = 11
PRIMITIVE = 0b100101
_TYPED = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})


def new_code() -> str:
    """Return a new code: 55 random bits and a check symbol."""
    body = "".join(ALPHABET[secrets.randbelow(32)] for _ in range(SYMBOLS))
    return body + check_symbol(body)


def check_symbol(body: str) -> str:
    """Return the symbol that catches every single wrong symbol and every two neighbours swapped.

    The symbols are the elements of GF(32) = GF(2)[x]/(x⁵+x²+1), a primitive polynomial; the check is Σ αⁱ·symbol with a
    different power of α for each place, the check symbol's own being α⁰. Two places differ in weight, so a swap changes
    the sum as a slip does.
    """
    total = 0
    for symbol in body:
        total ^= ALPHABET.index(symbol)
        total = total << 1 ^ (PRIMITIVE if total & 16 else 0)
    return ALPHABET[total]


def former_check_symbol(body: str) -> str:
    """Return the check symbol of codes made before GF(32): a weighted sum modulo 31, which takes 0 and Z for one."""
    return ALPHABET[sum((i + 1) * ALPHABET.index(symbol) for i, symbol in enumerate(body)) % 31]


def normalise_code(text: str) -> str:
    """Return a typed code without dashes, spaces and look-alikes; MemberError when it can't be one.

    Former codes pass too. A slip in a new code that happens to look like a former one is found where it is looked up:
    `exact` tells which of the two refusals such a code deserves.
    """
    plain = text.upper().translate(_TYPED)
    if len(plain) != SYMBOLS + 1 or any(symbol not in ALPHABET for symbol in plain):
        raise MemberError("coupon_unknown")
    if not exact(plain) and former_check_symbol(plain[:-1]) != plain[-1]:
        raise MemberError("coupon_mistyped")
    return plain


def exact(plain: str) -> bool:
    """Tell whether a normalised code fits today's check symbol."""
    return check_symbol(plain[:-1]) == plain[-1]


def spell(code: str) -> str:
    """Return a code as people read it: K7QF-2MDX-9TA0."""
    return "-".join(code[i : i + 4] for i in range(0, len(code), 4))
