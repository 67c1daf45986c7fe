"""One package per platform; `dlt_sources.registry` finds them by walking this folder."""
