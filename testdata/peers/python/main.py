"""The grpcio peer: the test service and a client program for it.

    main.py server    reads a Listen from the first line of standard input,
                      prints the port, and serves until its input ends
    main.py client    reads a Job a line, and prints a Done a line

Lines are protobuf JSON.
"""

import asyncio
import sys

import client
import server
from words import Input


async def main() -> None:
    commands = {"server": server.serve, "client": client.work}
    if len(sys.argv) != 2 or sys.argv[1] not in commands:
        sys.exit("usage: main.py server|client")
    await commands[sys.argv[1]](await Input.open())


asyncio.run(main())
