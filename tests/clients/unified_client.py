"""polymarket-client, unmodified, against the simulated venues: REST and both socket channels."""

import asyncio
import dataclasses
from decimal import Decimal

from common import QUIET, VENUE, YES, check, ok
from polymarket import AsyncSecureClient
from polymarket._internal.environment import create_environment, get_environment_config
from polymarket.environments import PRODUCTION
from polymarket.streams import MarketSpec, UserSpec

ACCOUNT = VENUE["accounts"][2]
ENVIRONMENT = create_environment(
    name="simulated",
    config=dataclasses.replace(
        get_environment_config(PRODUCTION),
        clob_url=VENUE["clob"],
        clob_market_ws_url=VENUE["clob_ws"] + "/ws/market",
        clob_user_ws_url=VENUE["clob_ws"] + "/ws/user",
        gamma_url=VENUE["gamma"],
    ),
)


async def heard(handle, what, wanted, seconds=15):
    async def listen():
        async for event in handle:
            if wanted(event):
                return event

    try:
        return await asyncio.wait_for(listen(), seconds)
    except asyncio.TimeoutError:
        check(False, f"waited {seconds} s to hear {what}")


async def main():
    client = await AsyncSecureClient.create(
        private_key=ACCOUNT["private_key"], wallet=ACCOUNT["address"], environment=ENVIRONMENT
    )
    ok("key derivation", key=client.credentials.key)
    book = await client.get_order_book(token_id=YES)
    check(Decimal(str(book.asks[-1].price)) == Decimal("0.6"), f"book: {book}")
    ok("book", ask=book.asks[-1].price)

    market = await client.subscribe(MarketSpec(token_ids=[YES]))
    user = await client.subscribe(UserSpec(markets=[QUIET["condition_id"]]))
    snapshot = await heard(market, "a book", lambda event: "book" in type(event).__name__.lower())
    ok("market channel", event=type(snapshot).__name__)

    placed = await client.place_limit_order(token_id=YES, price="0.44", size="10", side="BUY")
    check(placed.ok, f"limit: {placed}")
    ok("limit", order=placed.order_id)
    event = await heard(user, "the placement", lambda event: "order" in type(event).__name__.lower())
    ok("user channel: order", event=type(event).__name__)
    change = await heard(market, "the price change", lambda event: "pricechange" in type(event).__name__.lower().replace("_", ""))
    ok("market channel: change", event=type(change).__name__)

    pages = [order async for order in (client.list_open_orders(market=QUIET["condition_id"])).iter_items()]
    check([order.id for order in pages] == [placed.order_id], f"open orders: {pages}")
    ok("open orders", count=len(pages))

    bought = await client.place_market_order(token_id=YES, side="BUY", amount="6", max_price="0.6", order_type="FOK")
    check(bought.ok and bought.status == "matched", f"FOK: {bought}")
    ok("FOK", order=bought.order_id)
    trade = await heard(user, "the trade", lambda event: "trade" in type(event).__name__.lower())
    ok("user channel: trade", event=type(trade).__name__)
    trades = [trade async for trade in client.list_account_trades(market=QUIET["condition_id"]).iter_items()]
    check(any(trade.taker_order_id == bought.order_id for trade in trades), f"trades: {trades}")
    ok("trades", count=len(trades))

    gone = await client.cancel_order(order_id=placed.order_id)
    check(list(gone.canceled) == [placed.order_id], f"cancel: {gone}")
    ok("cancel", order=placed.order_id)
    for price in ("0.41", "0.42"):
        await client.place_limit_order(token_id=YES, price=price, size="5", side="BUY")
    gone = await client.cancel_all()
    check(len(gone.canceled) == 2, f"cancel all: {gone}")
    ok("cancel-all", cancelled=len(gone.canceled))
    beat = await client.send_order_heartbeat()
    follow = await client.send_order_heartbeat(heartbeat_id=beat.heartbeat_id)
    check(follow.heartbeat_id != beat.heartbeat_id, f"heartbeat: {beat} {follow}")
    ok("heartbeat", id=follow.heartbeat_id)
    await market.close()
    await user.close()
    await client.close()
    print("done")


asyncio.run(main())
