"""What holds for all tests."""

import os

from hypothesis import settings

# The default suite says the same of the same code; `make test-slow` looks for new examples.
settings.register_profile("fixed", derandomize=True)
settings.register_profile("explore", print_blob=True)
settings.load_profile("explore" if os.environ.get("DOCRE_EXPLORE") else "fixed")
