"""The whole model: value, coupons, and what sales and gifts do to both."""

from dataclasses import dataclass

from tests.properties.model_sales import Sales
from tests.properties.model_value import Refused

__all__ = ["Model", "Refused"]


@dataclass
class Model(Sales):
    """Everything that a group of shops and its members may own or owe."""
