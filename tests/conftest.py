"""What holds for every test: a machine that is busy is no failure of the code, so hypothesis watches no clock.

The longest modules come first, so that no worker is left alone with one of them at the end.
"""

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")

#: Whole runs first, then what builds the models; all else is a matter of seconds.
_LONGEST = ("tests/end_to_end/", "tests/dbt/", "tests/deciding/", "tests/orchestration/test_redeciding.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: next((n for n, path in enumerate(_LONGEST) if item.nodeid.startswith(path)), 99))
