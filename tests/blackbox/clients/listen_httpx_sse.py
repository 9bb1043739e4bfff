"""Prints each event of the stream at argv[1] as a line of JSON; resumes as httpx-sse says, from its id and retry."""

import json
import sys
import time

import httpx
from httpx_sse import connect_sse

last_event_id, delay = "", 0.1
with httpx.Client(timeout=60) as client:
    while True:
        headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
        try:
            with connect_sse(client, "GET", sys.argv[1], headers=headers) as source:
                for event in source.iter_sse():
                    last_event_id = event.id
                    delay = event.retry / 1000 if event.retry is not None else delay
                    print(json.dumps({"type": event.event, "data": event.data, "id": event.id}), flush=True)
        except httpx.TransportError:
            pass
        time.sleep(delay)
