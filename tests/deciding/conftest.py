"""One home to ask what-ifs in: dbt parses the project once for all that ask there."""

import pytest

from orchestration.home import Home


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("what_ifs"))
    home.data.mkdir()
    return home
