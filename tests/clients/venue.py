"""What both drivers share: where the venue is, which market to try, and how a step reports."""

import json
import os
import sys
import time
import urllib.request
from decimal import Decimal
from types import SimpleNamespace

def load():
    """The venue as `cockpit sim --json` describes it, from the file named by COCKPIT_SIM."""
    with open(os.environ["COCKPIT_SIM"], encoding="utf-8") as file:
        sim = json.load(file)
    quiet = [market for market in sim["markets"] if "updown" not in market["slug"]]
    assert quiet, f"no quiet market among {[market['slug'] for market in sim['markets']]}"
    return SimpleNamespace(
        clob=sim["clob"].rstrip("/"),
        clob_ws=sim["clob_ws"].rstrip("/"),
        gamma=sim.get("gamma", "http://127.0.0.1:9"),
        accounts=sim["accounts"],
        quiet=next(market for market in quiet if not market["slug"].endswith("-v3")),
        newer=next((market for market in quiet if market["slug"].endswith("-v3")), None),
    )


def fee_rate(venue):
    """The taker fee of the quiet market as the venue describes it."""
    with urllib.request.urlopen(f"{venue.clob}/clob-markets/{venue.quiet['condition_id']}", timeout=5) as answer:
        schedule = json.load(answer).get("fd")
    return Decimal(str(schedule["r"])) if schedule else Decimal(0)


def ok(step):
    print(f"ok: {step}", flush=True)


def equal(what, got, wanted):
    if got != wanted:
        sys.exit(f"FAILED: {what}: got {got!r}, wanted {wanted!r}")


def check(what, holds, seen=None):
    if not holds:
        sys.exit(f"FAILED: {what}: {seen!r}")


def until(what, probe, seconds=15.0):
    """Asks until the answer is truthy; that is a wait for the event, with a limit."""
    deadline = time.monotonic() + seconds
    while True:
        answer = probe()
        if answer:
            return answer
        if time.monotonic() > deadline:
            sys.exit(f"FAILED: {what}: not within {seconds} s")
        time.sleep(0.05)


def taker_fee(shares, price, rate):
    """The published formula with the market's own rate: five decimals."""
    fee = Decimal(shares) * rate * Decimal(price) * (1 - Decimal(price))
    return fee.quantize(Decimal("0.00001"))
