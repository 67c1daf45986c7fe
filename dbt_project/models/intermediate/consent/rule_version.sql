select 'r-{{ rules_hash() }}' as rule_version
