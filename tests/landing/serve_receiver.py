"""A receiver in a process of its own: prints its port, serves until it is told to stop. Arguments: home, port."""

import asyncio
import sys
from pathlib import Path

import uvicorn

from orchestration.home import Home
from orchestration.landing.receiver import app


async def serve(folder: str, port: int = 0) -> None:
    config = uvicorn.Config(
        app(Home(Path(folder))), host="127.0.0.1", port=port, log_level="critical", access_log=False
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.005)
    print(server.servers[0].sockets[0].getsockname()[1], flush=True)
    await task


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], *map(int, sys.argv[2:])))
