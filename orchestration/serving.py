"""The two servers of the command line: the webhook receiver, and the speed lane without Dagster."""

from __future__ import annotations

import logging
import os
import signal
import threading

from dlt_sources.errors import ConfigurationError
from orchestration import console
from orchestration.home import Home


def receive(*, host: str, port: int, metrics_port: int = 0, as_json: bool = False) -> int:
    """Serve the webhook receiver until TERM or Ctrl-C; requests under way are finished first.

    With `metrics_port` its figures are served there, on 127.0.0.1 alone, and not beside the webhooks.
    """
    import uvicorn

    from orchestration.landing.receiver import app

    receiver = app(Home.current(), with_metrics=not metrics_port)
    if metrics_port:
        from prometheus_client import start_http_server

        try:
            start_http_server(metrics_port, addr="127.0.0.1", registry=receiver.state.metrics.registry)
        except OSError as error:
            raise ConfigurationError(f"--metrics-port {metrics_port}: {error.strerror}.") from None
    if as_json:
        console.print_json({"address": f"http://{host}:{port}", "path": "/webhooks/{platform}/{account}"})
    console.err.print(f"Receiving on http://{host}:{port}/webhooks/<platform>/<account>; Ctrl-C stops.")
    # No access log: some platforms carry a person's identifier in the URL.
    config = uvicorn.Config(receiver, host=host, port=port, log_level=_level(), access_log=False, lifespan="on")
    uvicorn.Server(config).run()
    return 0


def work_speed_lane() -> int:
    """Settle the speed lane and make the calls it owes until TERM or Ctrl-C."""
    from orchestration.activation.speed_lane import Worker
    from orchestration.activation.state import State

    logging.basicConfig(level=_level().upper(), format="%(asctime)s %(levelname)s %(message)s")
    home, stop = Home.current(), threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    state = State.of(home)
    console.err.print("Working the speed lane; Ctrl-C stops.")
    try:
        done = Worker.of(home, state).run(stop)
    finally:
        state.close()
    console.err.print(f"Settled {done.requests} webhooks; {done.calls} calls were owed.")
    return 0


def _level() -> str:
    return "debug" if os.environ.get("AUDIENCES_DEBUG") else "warning"
