"""Settings for every test: how many examples Hypothesis tries."""

import os

from hypothesis import settings

# No deadline: two workers on two cores make single examples slow without any fault of theirs.
settings.register_profile("dev", max_examples=50, deadline=None)
settings.register_profile("ci", max_examples=300, deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev"))
