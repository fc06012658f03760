"""Complete Journey with the names of its goods, as the benchmarks about members and associations read it."""

from datetime import date

from recommend.evaluating.demo_shop import END, EPOCH, Column
from recommend.evaluating.demo_shop import NamedShop as Shop
from recommend.evaluating.demo_shop import named_shop as shop
from recommend.evaluating.measures import auc

__all__ = ["CUT", "DRAWS", "END", "Column", "Shop", "auc", "shop"]
CUT = (date(2017, 10, 8) - EPOCH).days
DRAWS = 2000
