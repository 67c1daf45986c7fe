"""Access tokens in state: shared by all processes, kept over restarts."""

from __future__ import annotations

from sqlalchemy import delete, insert, select

from dlt_sources.tokens import Token
from orchestration.activation.ledger import reading
from orchestration.activation.state import State, tokens


class Tokens:
    """The token store of `dlt_sources.tokens`, kept in the deliveries store."""

    def __init__(self, state: State) -> None:
        self.state = state

    def get(self, account: str) -> Token | None:
        """The kept token, if any."""
        with reading(self.state.deliveries) as connection:
            row = connection.execute(select(tokens).where(tokens.c.account == account)).first()
        return Token(row.access, row.expires_at, row.refresh) if row else None

    def put(self, account: str, token: Token) -> None:
        """Keep a token in place of the former one."""
        with self.state.write_deliveries() as connection:
            connection.execute(delete(tokens).where(tokens.c.account == account))
            connection.execute(
                insert(tokens).values(
                    account=account, access=token.access, refresh=token.refresh, expires_at=token.expires_at
                )
            )
