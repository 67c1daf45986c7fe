"""From decisions to destinations: state, gate, plan, apply and the speed lane; runs without Dagster."""
