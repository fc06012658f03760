"""How long the search goes on: `--hypothesis-profile=long` looks for MEMBERBOT_PROPERTY_HOURS hours (1 by default)."""

import os

from hypothesis import HealthCheck, Phase, settings

SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)
settings.register_profile(
    "books", deadline=None, max_examples=int(os.environ.get("MEMBERBOT_PROPERTY_EXAMPLES", "30")),
    stateful_step_count=70, suppress_health_check=SLOW, print_blob=True,
)  # fmt: skip
settings.register_profile(
    "long", settings.get_profile("books"), max_examples=500, stateful_step_count=120,
    phases=tuple(phase for phase in Phase if phase is not Phase.explain),
)  # fmt: skip
settings.register_profile("quick", settings.get_profile("books"), phases=(Phase.explicit, Phase.generate))
