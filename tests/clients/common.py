"""What both drivers share: the venue's addresses from the environment, and steps that say what they saw."""

import json
import os
import sys
import time

VENUE = json.loads(os.environ["VENUE"])
QUIET = next(market for market in VENUE["markets"] if market["slug"].startswith("quiet"))
YES, NO = (token["token_id"] for token in QUIET["tokens"])


def ok(step, **seen):
    print("ok:", step, json.dumps(seen, default=str), flush=True)


def check(condition, what):
    if not condition:
        print("FAILED:", what, flush=True)
        sys.exit(1)


def until(what, ask, seconds=15):
    """Asks again until there is an answer; for what the venue does in its own time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answer = ask()
        if answer:
            return answer
        time.sleep(0.1)
    check(False, f"waited {seconds} s for {what}")
