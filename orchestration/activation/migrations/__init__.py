"""Schema migrations of the two state stores, run by Alembic when a store is opened."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from filelock import FileLock
from sqlalchemy import Engine, inspect, text

from dlt_sources.errors import ConfigurationError

_HERE = Path(__file__).resolve().parent


def upgrade(store: str, engine: Engine, folder: Path) -> None:
    """Bring `store` (ledger or deliveries) to the newest revision; processes starting together wait for one another.

    Raises ConfigurationError when a later version of this program has been there: its tables are not ours to read.
    """
    newest, found = head(store), _revision(engine)
    if found == newest:
        return
    if found is not None and found > newest:
        raise ConfigurationError(f"The {store} has revision {found}, this version knows {newest}: install a newer one.")
    from alembic import command
    from alembic.config import Config

    with FileLock(folder / f"{store}.migrating"):
        config = Config()
        config.set_main_option("script_location", str(_HERE / store))
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, newest)


@cache
def head(store: str) -> str:
    """The newest revision: the last file name, since files are numbered and each follows the one before."""
    return max(path.stem for path in (_HERE / store / "versions").glob("[0-9]*.py"))


def _revision(engine: Engine) -> str | None:
    if not inspect(engine).has_table("alembic_version"):
        return None
    with engine.connect() as connection:
        return connection.execute(text("select version_num from alembic_version")).scalar()
