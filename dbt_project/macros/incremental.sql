{#
    Tables that are brought up to date rather than made anew.

    Each row bears `written_in`, the run of dbt that wrote it; runs count up, also those that broke
    off. A model reads what was written after its own newest row. A table that other SQL or other
    seeds have made is made anew, as with --full-refresh.
#}

{# Configures a model as a table of one row per key, whose changed rows are replaced. #}
{% macro incremental_by(keys) %}
    {{ config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key=keys,
        on_schema_change='append_new_columns',
        post_hook='{{ remember_inputs() }}',
    ) }}
{% endmacro %}

{# The number of this run, which begins by counting on (see dbt_project.yml). #}
{% macro this_run() -%}
    (
        select last_value from duckdb_sequences()
        where database_name = current_database() and sequence_name = 'runs'
    )
{%- endmacro %}

{# The newest run that wrote a row of this table: what later runs wrote elsewhere is news to it. #}
{% macro last_written() -%}
    coalesce((select max(written_in) from {{ this }}), 0)
{%- endmacro %}

{# dbt asks this of every incremental model and seed. #}
{% macro should_full_refresh() %}
    {%- set asked = config.get('full_refresh') -%}
    {%- set asked = flags.FULL_REFRESH if asked is none else asked -%}
    {{ return(asked or (model.config.materialized == 'incremental' and is_outdated())) }}
{% endmacro %}

{# True when the table stands, and was made by other SQL or seeds than now. #}
{% macro is_outdated() %}
    {%- if not execute or load_relation(this) is none -%}
        {{ return(false) }}
    {%- endif -%}
    {%- set remembered = run_query(
        "select comment from duckdb_tables() where database_name = '" ~ this.database
        ~ "' and schema_name = '" ~ this.schema ~ "' and table_name = '" ~ this.identifier ~ "'"
    ) -%}
    {{ return(remembered.columns[0].values() | list != [inputs_of(model.unique_id)]) }}
{% endmacro %}

{# Notes on the table by which SQL and seeds it was made. #}
{% macro remember_inputs() -%}
    comment on table {{ this }} is '{{ inputs_of(model.unique_id) }}'
{%- endmacro %}

{#
    A hash of every model and seed that the model is made from, itself included; of those beside staging
    only, when `beyond_staging` is true.
#}
{% macro inputs_of(unique_id, beyond_staging=false) %}
    {%- set found = [unique_id] -%}
    {#- Raise the number when a macro changes what incremental tables hold: dbt shows no macro's text. -#}
    {%- set checksums = ['macros 1'] -%}
    {#- The list grows while it is walked. -#}
    {%- for id in found if id in graph.nodes -%}
        {%- if not (beyond_staging and 'staging' in graph.nodes[id].fqn) -%}
            {%- do checksums.append(graph.nodes[id].checksum.checksum) -%}
        {%- endif -%}
        {%- for parent in graph.nodes[id].depends_on.nodes if parent not in found -%}
            {%- do found.append(parent) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(local_md5(checksums | sort | join(' '))) }}
{% endmacro %}

{#
    A hash of everything that decides: models, seeds and the project's own policies. Staging is left
    out, since case files, which have another one, are answered by the same rules.
#}
{% macro rules_hash() %}
    {%- if execute -%}
        {%- set inputs = inputs_of('model.audiences.decisions', beyond_staging=true) -%}
        {{ return(local_md5(inputs ~ var('policies', {}))[:12]) }}
    {%- endif -%}
{% endmacro %}
