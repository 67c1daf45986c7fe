"""The query that types the rows of a registry's answer (see `reading`), over the table `given`."""

from __future__ import annotations

#: Parameters: result, words and results (what the words of the file mean), kinds and allowed (what the registry lists
#: and may answer), checked_on, national. A row whose day alone does not fit counts without it.
TYPED = r"""
WITH told AS (
    SELECT *, regexp_replace(text, '[\s().-]', '', 'g') AS digits, lower(nullif(word, '')) AS said FROM given
),

read AS (
    SELECT
        row,
        torn,
        text,
        said,
        day,
        CASE
            WHEN starts_with(text, '@') THEN 'domain'
            WHEN contains(text, '@') THEN 'email'
            ELSE 'phone'
        END AS kind,
        CASE
            WHEN starts_with(text, '@')
                THEN CASE WHEN regexp_full_match(text, '@[^@\s]+\.[^@\s]+') THEN lower(text) END
            WHEN contains(text, '@')
                THEN CASE WHEN regexp_full_match(text, '[^@\s]+@[^@\s]+\.[^@\s]+') THEN text END
            WHEN regexp_full_match(digits, '\+[1-9][0-9]{6,14}') THEN digits
            WHEN $national AND regexp_full_match(digits, '1?[2-9][0-9]{9}') THEN '+1' || right(digits, 10)
        END AS identifier,
        coalesce(nullif($result, ''), map($words::VARCHAR[], $results::VARCHAR[])[said]) AS result,
        CASE
            WHEN regexp_matches(day, '^\d{4}-\d\d-\d\d($|[T ])') THEN try_cast(left(day, 10) AS DATE)
            WHEN regexp_full_match(day, '\d{8}') THEN try_strptime(day, '%Y%m%d')::DATE
        END AS since
    FROM told
),

judged AS (
    SELECT
        *,
        CASE
            WHEN torn THEN {'field': 'row', 'reason': 'unreadable'}
            WHEN coalesce(text, '') = '' THEN {'field': 'identifier', 'reason': 'missing'}
            WHEN identifier IS NULL THEN {'field': 'identifier', 'reason': 'not_an_identifier'}
            WHEN NOT list_contains($kinds, kind) THEN {'field': 'identifier', 'reason': 'not_of_this_registry'}
            WHEN result IS NULL AND said IS NULL THEN {'field': 'result', 'reason': 'missing'}
            WHEN result IS NULL THEN {'field': 'result', 'reason': 'unknown_value'}
            WHEN NOT list_contains($allowed, result) THEN {'field': 'result', 'reason': 'not_of_this_registry'}
            WHEN coalesce(day, '') <> '' AND since IS NULL THEN {'field': 'since', 'reason': 'not_date'}
            WHEN since > $checked_on THEN {'field': 'since', 'reason': 'in_the_future'}
        END AS misfit
    FROM read
)

SELECT
    row,
    CASE WHEN coalesce(misfit.field = 'since', true) THEN identifier END AS identifier,
    CASE WHEN coalesce(misfit.field = 'since', true) THEN result END AS result,
    CASE WHEN misfit IS NULL THEN since END AS since,
    misfit.field AS field,
    misfit.reason AS reason
FROM judged
"""
