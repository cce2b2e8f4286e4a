"""Drives polymarket-client 0.14.0 (the unified SDK) with both of its sockets. One line a step; the first failure ends it."""

import asyncio
import dataclasses
import json
import threading
import time
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer

from polymarket import AsyncSecureClient
from polymarket._internal.environment import PRODUCTION_CONFIG, create_environment
from polymarket._internal.wallet import derive_beacon_deposit_wallet_address
from polymarket.errors import OrderHeartbeatMismatchError, RequestRejectedError
from polymarket.streams import MarketSpec, UserSpec

from venue import check, equal, fee_rate, load, ok, taker_fee

NOWHERE = "http://127.0.0.1:9"


class Relayer(BaseHTTPRequestHandler):
    """Says that every wallet is deployed: the one question that the client asks another host about a deposit wallet."""

    def do_GET(self):
        body = json.dumps({"deployed": True}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def environment(venue, relayer):
    """Only the hosts differ from production; those that the venue does not serve lead nowhere."""
    config = dataclasses.replace(
        PRODUCTION_CONFIG,
        clob_url=venue.clob,
        clob_market_ws_url=f"{venue.clob_ws}/ws/market",
        clob_user_ws_url=f"{venue.clob_ws}/ws/user",
        gamma_url=venue.gamma,
        relayer_url=relayer,
        data_url=NOWHERE,
        rfq_url=NOWHERE,
        rpc_url=NOWHERE,
        perps_url=NOWHERE,
        builder_gateway_url=NOWHERE,
        collateral_return_url=NOWHERE,
    )
    return create_environment(name="cockpit-sim", config=config)


class Stream:
    """Collects a subscription's events and waits for one that fits."""

    def __init__(self, name, handle):
        self.name, self.handle, self.seen = name, handle, []
        self.arrived = asyncio.Condition()
        self.task = asyncio.create_task(self.collect())

    async def collect(self):
        async for event in self.handle:
            async with self.arrived:
                self.seen.append(event)
                self.arrived.notify_all()

    async def wait(self, what, fits, seconds=15):
        def found():
            return next((event for event in self.seen if fits(event)), None)

        try:
            async with self.arrived:
                await asyncio.wait_for(self.arrived.wait_for(lambda: found() is not None), seconds)
        except TimeoutError:
            check(f"{self.name}: {what} within {seconds} s", False, [(e.type, e.payload) for e in self.seen][-6:])
        return found()

    async def close(self):
        await self.handle.close()
        await self.task


async def collect(paginator):
    return [item async for page in paginator for item in page.items]


class Run:
    def __init__(self, venue, client):
        self.venue, self.client = venue, client
        self.yes, self.no = (token["token_id"] for token in venue.quiet["tokens"])
        self.market = venue.quiet["condition_id"]

    async def subscribe(self):
        client = self.client
        self.books = Stream("market", await client.subscribe(MarketSpec(asset_ids=[self.yes, self.no], custom_feature_enabled=True)))
        self.own = Stream("user", await client.subscribe(UserSpec()))
        for token in (self.yes, self.no):
            event = await self.books.wait("snapshot", lambda e: e.type == "book" and e.payload.asset_id == token)
            equal("best bid", event.payload.bids[-1].price, Decimal("0.4"))
            equal("best ask", event.payload.asks[-1].price, Decimal("0.6"))
        ok("both sockets: subscription and snapshot")

    async def read(self):
        client = self.client
        book = await client.get_order_book(asset_id=self.yes)
        equal("tick size", (book.tick_size, book.min_order_size, book.neg_risk), (Decimal("0.01"), Decimal(5), False))
        equal("midpoint", await client.get_midpoint(asset_id=self.yes), Decimal("0.5"))
        equal("spread", await client.get_spread(asset_id=self.yes), Decimal("0.2"))
        equal("price", await client.get_price(asset_id=self.yes, side="SELL"), Decimal("0.6"))
        equal("books", len(await client.get_order_books(asset_ids=[self.yes, self.no])), 2)
        await client.get_last_trade_price(asset_id=self.yes)
        equal("estimate", await client.estimate_market_price(asset_id=self.yes, side="BUY", amount=6), Decimal("0.6"))
        check("keys", client.credentials.key in await client.fetch_api_keys())
        equal("closed only", await client.get_closed_only_mode(), False)
        equal("notifications", await client.get_notifications(), ())
        ok("books, prices, keys")

    async def collateral(self):
        return (await self.client.get_balance_allowance(asset_type="COLLATERAL")).balance

    async def limit(self):
        client = self.client
        placed = await client.place_limit_order(asset_id=self.yes, price="0.45", size=10, side="BUY")
        equal("placed", (placed.ok, placed.status), (True, "live"))
        event = await self.own.wait("placement", lambda e: e.type == "order" and e.payload.id == placed.order_id)
        equal("placement", (event.payload.order_event_type, event.payload.status, event.payload.original_size, event.payload.price), ("PLACEMENT", "LIVE", Decimal(10), Decimal("0.45")))

        def level(size, token, side, price):
            def fits(event):
                return event.type == "price_change" and any(
                    (c.asset_id, c.side, c.price, c.size) == (token, side, Decimal(price), Decimal(size))
                    for c in event.payload.price_changes
                )

            return fits

        await self.books.wait("the new level", level(10, self.yes, "BUY", "0.45"))
        await self.books.wait("its mirror", level(10, self.no, "SELL", "0.55"))
        best = await self.books.wait("the best bid", lambda e: e.type == "best_bid_ask" and e.payload.asset_id == self.yes)
        equal("best bid", best.payload.best_bid, Decimal("0.45"))
        order = await client.get_order(order_id=placed.order_id)
        equal("order by id", (order.status, order.size_matched, order.original_size), ("LIVE", Decimal(0), Decimal(10)))
        check("open orders", placed.order_id in [o.id for o in await collect(client.list_open_orders())])
        gone = await client.cancel_order(order_id=placed.order_id)
        equal("cancelled", gone.canceled, (placed.order_id,))
        await self.own.wait("cancellation", lambda e: e.type == "order" and e.payload.order_event_type == "CANCELLATION" and e.payload.id == placed.order_id)
        await self.books.wait("the level is gone", level(0, self.yes, "BUY", "0.45"))
        equal("afterwards", (await client.get_order(order_id=placed.order_id)).status, "CANCELED")
        ok("limit order on both sockets, open orders, order by id, cancel")

    async def refusals(self):
        client = self.client

        async def refused(what, text, **order):
            try:
                answer = await client.place_limit_order(asset_id=self.yes, side="BUY", **order)
            except RequestRejectedError as error:
                equal(f"{what}: status", error.status, 400)
                check(what, text in str(error), str(error))
            else:
                check(f"{what} must be refused", False, answer)

        await refused("post-only", "order crosses book", price="0.6", size=10, post_only=True)
        await refused("size", "lower than the minimum", price="0.4", size=4)
        await refused("money", "not enough balance / allowance", price="0.5", size=10_000_000)
        signed = await client.create_limit_order(asset_id=self.yes, price="0.3", size=5, side="BUY")
        first = await client.post_order(signed)
        equal("placed", first.status, "live")
        try:
            await client.post_order(signed)
        except RequestRejectedError as error:
            check("duplicate", f"order {first.order_id} is invalid. Duplicated." in str(error), str(error))
        else:
            check("a duplicate must be refused", False)
        later = int(time.time()) + 600
        gtd = await client.place_limit_order(asset_id=self.yes, price="0.3", size=5, side="BUY", expiration=later)
        equal("GTD", int((await client.get_order(order_id=gtd.order_id)).expires_at.timestamp()), later)
        gone = await client.cancel_all()
        equal("cancel all", set(gone.canceled), {first.order_id, gtd.order_id})
        equal("open", await collect(client.list_open_orders()), [])
        ok("refusals, duplicate, GTD, cancel-all")

    async def take(self):
        client = self.client
        before = await self.collateral()
        placed = await client.place_market_order(asset_id=self.yes, side="BUY", amount=6, order_type="FOK")
        equal("matched", (placed.ok, placed.status), (True, "matched"))
        equal("amounts", (placed.making_amount, placed.taking_amount), (Decimal(6), Decimal(10)))
        for status in ("MATCHED", "MINED", "CONFIRMED"):
            event = await self.own.wait(status, lambda e: e.type == "trade" and e.payload.taker_order_id == placed.order_id and e.payload.status == status)
            equal("trade", (event.payload.size, event.payload.price, event.payload.trader_side), (Decimal(10), Decimal("0.6"), "TAKER"))
        hashes = await client.wait_for_order_fill_settlement(placed)
        equal("hashes", len(hashes), len(placed.trade_ids))
        last = await self.books.wait("last trade", lambda e: e.type == "last_trade_price" and e.payload.asset_id == self.yes)
        equal("last trade", (last.payload.price, last.payload.side), (Decimal("0.6"), "BUY"))
        (trade,) = [t for t in await collect(client.list_account_trades()) if t.taker_order_id == placed.order_id]
        equal("trade", (trade.status, trade.size, trade.price, trade.trader_side), ("CONFIRMED", Decimal(10), Decimal("0.6"), "TAKER"))
        equal("trade ids", placed.trade_ids, (trade.id,))
        fee = int(taker_fee(10, "0.6", fee_rate(self.venue)) * 1_000_000)
        equal("paid", before - await self.collateral(), 6_000_000 + fee)
        held = (await client.get_balance_allowance(asset_type="CONDITIONAL", asset_id=self.yes)).balance
        equal("shares", held, 10_000_000)
        ok("FOK purchase on both sockets: MATCHED, MINED, CONFIRMED; trades, balances")

        try:
            killed = await client.place_market_order(asset_id=self.yes, side="BUY", amount=9000, max_price="0.6", order_type="FOK")
        except RequestRejectedError as error:
            check("kill", "FOK orders are fully filled or killed" in str(error), str(error))
        else:
            check("a FOK without enough must be killed", False, killed)
        sold = await client.place_market_order(asset_id=self.yes, side="SELL", shares=5, order_type="FAK")
        equal("sold", (sold.status, sold.making_amount, sold.taking_amount), ("matched", Decimal(5), Decimal(2)))
        ok("FOK killed, FAK sale")

    async def rest_and_match(self):
        """Ours rests and is matched by a second account: the maker's side of the socket."""
        client, venue = self.client, self.venue
        placed = await client.place_limit_order(asset_id=self.yes, price="0.5", size=10, side="BUY")
        other = venue.accounts[2 if len(venue.accounts) > 2 else 0]
        async with await AsyncSecureClient.create(private_key=other["private_key"], wallet=other["address"], environment=client.environment) as taker:
            taken = await taker.place_limit_order(asset_id=self.no, price="0.5", size=6, side="BUY")
            equal("minted", (taken.status, taken.making_amount, taken.taking_amount), ("matched", Decimal(3), Decimal(6)))
        update = await self.own.wait("update", lambda e: e.type == "order" and e.payload.id == placed.order_id and e.payload.order_event_type == "UPDATE")
        equal("partly matched", (update.payload.size_matched, update.payload.status), (Decimal(6), "LIVE"))
        trade = await self.own.wait("trade as maker", lambda e: e.type == "trade" and e.payload.trader_side == "MAKER")
        (part,) = [part for part in trade.payload.maker_orders if part.order_id == placed.order_id]
        equal("our part", (part.asset_id, part.side, part.matched_amount, part.price), (self.yes, "BUY", Decimal(6), Decimal("0.5")))
        equal("the taker's", (trade.payload.asset_id, trade.payload.side), (self.no, "BUY"))
        gone = await client.cancel_market_orders(market=self.market)
        equal("rest cancelled", gone.canceled, (placed.order_id,))
        ok("a pair minted with another account, told to the maker")

    async def newer_protocol(self):
        if self.venue.newer is None:
            print("skipped: no market of the newer protocol is listed", flush=True)
            return
        position = self.venue.newer["tokens"][1]["token_id"]
        placed = await self.client.place_limit_order(asset_id=position, price="0.3", size=5, side="BUY")
        equal("placed", placed.status, "live")
        balance = await self.client.get_balance_allowance(asset_type="CONDITIONAL-V2", asset_id=position)
        equal("balance", balance.balance, 0)
        await self.client.cancel_all()
        ok("position of the newer protocol")

    async def deposit_wallet(self):
        account = self.venue.accounts[1]
        wallet = derive_beacon_deposit_wallet_address(account["address"], PRODUCTION_CONFIG.wallet_derivation)
        created = AsyncSecureClient.create(private_key=account["private_key"], wallet=wallet, environment=self.client.environment)
        async with await created as client:
            equal("wallet type", client.wallet_type, "DEPOSIT_WALLET")
            placed = await client.place_limit_order(asset_id=self.yes, price="0.2", size=5, side="BUY")
            order = await client.get_order(order_id=placed.order_id)
            equal("maker", (order.status, order.maker_address), ("LIVE", wallet))
            await client.cancel_all()
        ok("order of a deposit wallet")

    async def heartbeat(self):
        client = self.client
        first = (await client.send_order_heartbeat()).heartbeat_id
        second = (await client.send_order_heartbeat(heartbeat_id=first)).heartbeat_id
        check("chain", first != second, first)
        try:
            await client.send_order_heartbeat(heartbeat_id=first)
        except OrderHeartbeatMismatchError as error:
            equal("expected id", error.heartbeat_id, second)
        else:
            check("a stale heartbeat must be refused", False)
        ok("heartbeats")


async def main():
    venue = load()
    relayer = HTTPServer(("127.0.0.1", 0), Relayer)
    threading.Thread(target=relayer.serve_forever, daemon=True).start()
    account = venue.accounts[1]
    created = AsyncSecureClient.create(
        private_key=account["private_key"],
        wallet=account["address"],
        environment=environment(venue, f"http://127.0.0.1:{relayer.server_port}"),
    )
    async with await created as client:
        equal("wallet type", client.wallet_type, "EOA")
        ok("API key derived")
        run = Run(venue, client)
        await run.subscribe()
        await run.read()
        await run.limit()
        await run.refusals()
        await run.take()
        await run.rest_and_match()
        await run.newer_protocol()
        await run.deposit_wallet()
        await run.heartbeat()
        equal("at the end", await collect(client.list_open_orders()), [])
        await run.books.close()
        await run.own.close()
    relayer.shutdown()
    ok("done")


if __name__ == "__main__":
    asyncio.run(main())
