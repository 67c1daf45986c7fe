"""Quality at the two boundaries: raw rows may enter staging, audience rows may leave for a destination.

dbt tests say that a model is well formed; these expectations say that data may cross. A failed one blocks additions
and never a removal. Great Expectations takes seconds to import: only `engine` imports it, and only checks import that.
"""
