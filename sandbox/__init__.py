"""Stand-in platforms for demos and tests, written from the platforms' public documentation.

Nothing here is shared with the product, so the two cannot share a mistake. Start with `running` (a context manager)
or `python -m sandbox`; both lead to a `Sandbox`, which tells the stand-ins what to do and what to believe.
"""

from sandbox.client import ActResult, Sandbox
from sandbox.server import running

__all__ = ["ActResult", "Sandbox", "running"]
