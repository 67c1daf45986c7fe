"""`python -m sandbox`: run the stand-ins until interrupted."""

from __future__ import annotations

import argparse
import asyncio
import sys
from datetime import datetime
from pathlib import Path

from sandbox.server import DEFAULT_PEOPLE, DEFAULT_SEED, Host


def main() -> int:
    """Parse the command line, print the addresses, serve; 1 when the sandbox cannot start."""
    parser = argparse.ArgumentParser(prog="python -m sandbox", description="Stand-in platforms with a demo population.")
    parser.add_argument("--home", type=Path, required=True, help="folder that keeps the platforms' state")
    parser.add_argument("--people", type=int, default=DEFAULT_PEOPLE, help="size of a new population (%(default)s)")
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED, help="seed of a new population (%(default)s)")
    parser.add_argument("--as-of", type=datetime.fromisoformat, help="moment a new population stands at (default: now)")
    parser.add_argument("--ports", type=int, default=0, help="first port, the others follow (default 0: free ports)")
    parser.add_argument("--receiver", help="address that webhooks are sent to, without /webhooks/...")
    parser.add_argument("--public-url", help="address that webhooks are signed for, when it differs from --receiver")
    parser.add_argument("--job-seconds", type=float, default=0.3, help="how long asynchronous jobs take")
    parser.add_argument("--shopify-plan", choices=["basic", "advanced", "plus"], default="basic", help="whose limits")
    parser.add_argument("--unlimited", action="store_true", help="switch rate limits off")
    parser.add_argument("--fresh", action="store_true", help="forget what the home holds and start again")
    given = parser.parse_args()
    settings = {
        "receiver": given.receiver, "public_url": given.public_url, "unlimited": given.unlimited,
        "job_seconds": given.job_seconds, "shopify_plan": given.shopify_plan,
    }  # fmt: skip
    as_of = given.as_of.astimezone() if given.as_of else None
    try:
        with Host(given.home, given.people, given.seed, as_of, given.ports, given.fresh, settings) as host:
            for platform, url in host.described()["urls"].items():
                sys.stdout.write(f"{platform:<10} {url}\n")
            sys.stdout.flush()
            asyncio.run(host.serve())
    except (RuntimeError, ValueError) as problem:
        sys.stderr.write(f"sandbox: {problem}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
