"""The sandbox's own reading of the rules: who is one person, who consented, how old they are, where they live.

Plain Python over the facts, and nothing of the product's: no code, table or list is shared.
"""
