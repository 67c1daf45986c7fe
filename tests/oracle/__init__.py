"""A second, independent reading of the rules on consent, suppression, identity and age, in plain Python.

It decides the cases of `orchestration.deciding.cases` from the rules themselves and shares no code with the models that
production runs, so that a mistake of either shows when both answer the same case. Read `decide.py` first.
"""

from tests.oracle.decide import Answer, decide
from tests.oracle.plans import judge
from tests.oracle.rules import Rules

__all__ = ["Answer", "Rules", "decide", "judge"]
