"""What became of the calls that asked for a witness."""

import asyncio
import collections
import contextlib

import peer_pb2 as pb

# How long `tell` waits for a call to get as far as asked for, in seconds.
PATIENCE = 10


class Observed:
    def __init__(self):
        self.started = asyncio.Event()
        self.ended = asyncio.Event()
        self.cancelled = False


class Witnesses:
    def __init__(self):
        self._calls = collections.defaultdict(Observed)

    def attend(self, key):
        """Notes the start of a call, and returns what notes its end."""
        call = self._calls[key]
        call.started.set()

        def leave(cancelled):
            call.cancelled = cancelled
            call.ended.set()

        return leave

    async def tell(self, request):
        call = self._calls[request.key]
        event = call.ended if request.until_ended else call.started
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(event.wait(), PATIENCE)
        return pb.WitnessReply(
            started=call.started.is_set(),
            ended=call.ended.is_set(),
            cancelled=call.cancelled,
        )
