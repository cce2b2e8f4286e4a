"""Drives py-clob-client-v2 1.2.1 through everything that it can do at this venue. One line a step; the first failure ends it."""

import logging
import time

from polymarket._internal.environment import PRODUCTION_CONFIG
from polymarket._internal.wallet import (
    derive_beacon_deposit_wallet_address,
    derive_proxy_wallet_address,
    derive_safe_wallet_address,
)
from py_clob_client_v2.client import ClobClient
from py_clob_client_v2.clob_types import (
    BalanceAllowanceParams,
    BookParams,
    MarketOrderArgsV2,
    OpenOrderParams,
    OrderArgsV2,
    OrderMarketCancelParams,
    OrderPayload,
    OrderType,
    PartialCreateOrderOptions,
    PostOrdersV2Args,
    TradeParams,
)
from py_clob_client_v2.config import get_contract_config
from py_clob_client_v2.exceptions import PolyApiException
from py_clob_client_v2.order_utils import ExchangeOrderBuilderV2
from py_clob_client_v2.order_utils.model.order_data_v2 import OrderV2

from venue import check, equal, fee_rate, load, ok, taker_fee, until

CHAIN = 137
logging.disable(logging.CRITICAL)


def refused(what, call, status, text):
    try:
        answer = call()
    except PolyApiException as error:
        equal(f"{what}: status", error.status_code, status)
        check(f"{what}: text", text in str(error.error_msg), error.error_msg)
        return error.error_msg
    check(f"{what} must be refused", False, answer)


def order_hash(client, order, version="2", exchange=None):
    """The id that the client's own code gives the order."""
    exchange = exchange or get_contract_config(CHAIN).exchange_v2
    builder = ExchangeOrderBuilderV2(exchange, CHAIN, client.signer, domain_version=version)
    unsigned = OrderV2(**{key: value for key, value in vars(order).items() if key != "signature"})
    return builder.build_order_hash(builder.build_order_typed_data(unsigned))


class Run:
    def __init__(self, venue):
        self.venue = venue
        self.account = venue.accounts[0]
        self.yes, self.no = (token["token_id"] for token in venue.quiet["tokens"])
        self.market = venue.quiet["condition_id"]
        self.client = ClobClient(venue.clob, CHAIN, key=self.account["private_key"])

    def order(self, price, size, side="BUY", token=None, **more):
        args = OrderArgsV2(token_id=token or self.yes, price=price, size=size, side=side, **more)
        return self.client.create_order(args)

    def post(self, order, kind=OrderType.GTC, **more):
        return self.client.post_order(order, kind, **more)

    def collateral(self):
        answer = self.client.get_balance_allowance(BalanceAllowanceParams(asset_type="COLLATERAL"))
        check("an allowance for every exchange", len(answer["allowances"]) == 3, answer)
        return int(answer["balance"])

    def shares(self, token):
        params = BalanceAllowanceParams(asset_type="CONDITIONAL", token_id=token)
        return int(self.client.get_balance_allowance(params)["balance"])

    def server(self):
        check("ok", self.client.get_ok() == "OK")
        check("server time", abs(self.client.get_server_time() - time.time()) < 5)
        equal("version", self.client.get_version(), 2)
        ok("server time and version")

    def keys(self):
        client = self.client
        refused("deriving before creating", client.derive_api_key, 400, "derive")
        made = client.create_api_key()
        refused("creating twice", client.create_api_key, 400, "create")
        equal("derived", vars(client.derive_api_key()), vars(made))
        equal("created or derived", vars(client.create_or_derive_api_key()), vars(made))
        other = client.create_api_key(nonce=7)
        check("a nonce selects a key", other.api_key != made.api_key)
        client.set_api_creds(other)
        equal("delete", client.delete_api_key(), "OK")
        refused("a deleted key", client.get_api_keys, 401, "Unauthorized")
        client.set_api_creds(made)
        equal("keys", client.get_api_keys()["apiKeys"], [made.api_key])
        equal("closed only", client.get_closed_only_mode()["closed_only"], False)
        ok("API keys: create, derive, delete, refuse")

    def books(self):
        client = self.client
        book = client.get_order_book(self.yes)
        equal("best bid last", book["bids"][-1]["price"], "0.4")
        equal("best ask last", book["asks"][-1]["price"], "0.6")
        equal("hash", client.get_order_book_hash(dict(book)), book["hash"])
        mirror = client.get_order_book(self.no)
        equal("mirrored bid", mirror["bids"][-1], book["asks"][-1] | {"price": "0.4"})
        equal("books", [b["asset_id"] for b in client.get_order_books([BookParams(self.yes), BookParams(self.no)])], [self.yes, self.no])
        equal("midpoint", client.get_midpoint(self.yes), {"mid": "0.5"})
        equal("midpoints", client.get_midpoints([BookParams(self.yes)]), {self.yes: "0.5"})
        equal("spread", client.get_spread(self.yes), {"spread": "0.2"})
        equal("spreads", client.get_spreads([BookParams(self.no)]), {self.no: "0.2"})
        equal("price", client.get_price(self.yes, "BUY"), {"price": "0.4"})
        equal("prices", client.get_prices([BookParams(self.yes, "SELL")]), {self.yes: {"SELL": "0.6"}})
        equal("tick size", client.get_tick_size(self.yes), "0.01")
        equal("neg risk", client.get_neg_risk(self.yes), False)
        info = client.get_clob_market_info(self.market)
        equal("market", {token["t"] for token in info["t"]}, {self.yes, self.no})
        equal("market by id", client.get_market(self.market)["condition_id"], self.market)
        check("market list", any(m["condition_id"] == self.market for m in client.get_markets()["data"]))
        equal("flat fee", client.get_fee_rate_bps(self.yes), 1000 if fee_rate(self.venue) else 0)
        refused("unknown token", lambda: client.get_order_book("1"), 404, "No orderbook exists")
        ok("books, prices and market data")

    def limit(self):
        before = self.collateral()
        order = self.order(0.45, 10)
        answer = self.post(order)
        equal("status", (answer["success"], answer["errorMsg"], answer["status"]), (True, "", "live"))
        equal("order id", answer["orderID"], order_hash(self.client, order))
        refused("the same bytes again", lambda: self.post(order), 400, f"order {answer['orderID']} is invalid. Duplicated.")
        (listed,) = self.client.get_open_orders(OpenOrderParams(asset_id=self.yes))
        equal("listed", (listed["id"], listed["original_size"], listed["size_matched"], listed["price"], listed["side"], listed["status"]), (answer["orderID"], "10", "0", "0.45", "BUY", "LIVE"))
        equal("owner", listed["owner"], self.client.creds.api_key)
        equal("by id", self.client.get_order(answer["orderID"]), listed)
        equal("balance stays", self.collateral(), before)
        equal("cancel", self.client.cancel_order(OrderPayload(orderID=answer["orderID"])), {"canceled": [answer["orderID"]], "not_canceled": {}})
        again = self.client.cancel_order(OrderPayload(orderID=answer["orderID"]))
        equal("cancel again", (again["canceled"], list(again["not_canceled"])), ([], [answer["orderID"]]))
        equal("afterwards", self.client.get_order(answer["orderID"])["status"], "CANCELED")
        equal("open", self.client.get_open_orders(), [])
        equal("by id in the list", self.client.get_open_orders(OpenOrderParams(id=answer["orderID"]))[0]["status"], "CANCELED")
        ok("limit order: id, duplicate, open orders, order by id, cancel")

    def rules(self):
        small = self.order(0.45, 4)
        refused("too small", lambda: self.post(small), 400, "Size (4) lower than the minimum: 5")
        fine = self.client.create_order(
            OrderArgsV2(token_id=self.yes, price=0.45, size=10, side="BUY")
        )
        fine.makerAmount = "4555000"
        refused("changed after signing", lambda: self.post(fine), 400, "invalid signature")
        crossing = self.order(0.6, 10)
        refused("crossing post-only", lambda: self.post(crossing, post_only=True), 400, "invalid post-only order: order crosses book")
        equal("post-only that rests", self.post(self.order(0.44, 10), post_only=True)["status"], "live")
        refused("a sale without shares", lambda: self.post(self.order(0.9, 10, "SELL")), 400, "not enough balance / allowance")
        refused("a purchase without money", lambda: self.post(self.order(0.5, 10_000_000)), 400, "not enough balance / allowance")
        late = self.order(0.44, 10, expiration=int(time.time()) + 60)
        refused("a short GTD", lambda: self.post(late, OrderType.GTD), 400, "invalid expiration")
        equal("a GTD", self.post(self.order(0.43, 10, expiration=int(time.time()) + 600), OrderType.GTD)["status"], "live")
        legacy = self.client.builder.build_order(
            OrderArgsV2(token_id=self.yes, price=0.45, size=10, side="BUY"),
            PartialCreateOrderOptions(tick_size="0.01", neg_risk=False),
            version=1,
        )
        refused("a legacy order", lambda: self.post(legacy), 400, "order_version_mismatch")
        self.client.cancel_all()
        ok("rules: size, signature, post-only, balance, GTD, legacy")

    def take(self):
        before, held = self.collateral(), self.shares(self.yes)
        order = self.client.create_market_order(
            MarketOrderArgsV2(token_id=self.yes, amount=6, side="BUY", order_type=OrderType.FOK)
        )
        answer = self.post(order, OrderType.FOK)
        equal("status", answer["status"], "matched")
        equal("order id", answer["orderID"], order_hash(self.client, order))
        equal("amounts", (answer["makingAmount"], answer["takingAmount"]), ("6", "10"))
        check("hashes once mined", answer["transactionsHashes"], answer)
        fee = int(taker_fee(10, "0.6", fee_rate(self.venue)) * 1_000_000)
        equal("paid", before - self.collateral(), 6_000_000 + fee)
        equal("got", self.shares(self.yes) - held, 10_000_000)
        trades = [t for t in self.client.get_trades() if t["taker_order_id"] == answer["orderID"]]
        equal("trades", [t["id"] for t in trades], answer["tradeIDs"])
        equal("trade", (trades[0]["size"], trades[0]["price"], trades[0]["side"], trades[0]["trader_side"], trades[0]["asset_id"]), ("10", "0.6", "BUY", "TAKER", self.yes))
        until("confirmed", lambda: self.client.get_trades(TradeParams(id=trades[0]["id"]))[0]["status"] == "CONFIRMED")
        equal("matched order", self.client.get_order(answer["orderID"])["status"], "MATCHED")
        equal("nothing from the future", self.client.get_trades(TradeParams(after=str(int(time.time()) + 100))), [])
        ok("FOK purchase: amounts, fee, trade, settlement")

        kill = self.client.create_market_order(
            MarketOrderArgsV2(token_id=self.yes, amount=9000, side="BUY", price=0.6, order_type=OrderType.FOK)
        )
        before = self.collateral()
        refused("FOK without enough", lambda: self.post(kill, OrderType.FOK), 400, "order couldn't be fully filled. FOK orders are fully filled or killed.")
        refused("a killed order again", lambda: self.post(kill, OrderType.FOK), 400, "Duplicated.")
        equal("nothing paid", self.collateral(), before)
        ok("FOK killed, and a duplicate afterwards")

        held = self.shares(self.yes)
        sale = self.client.create_market_order(
            MarketOrderArgsV2(token_id=self.yes, amount=5, side="SELL", order_type=OrderType.FAK)
        )
        answer = self.post(sale, OrderType.FAK)
        equal("sold", (answer["status"], answer["makingAmount"], answer["takingAmount"]), ("matched", "5", "2"))
        equal("left", held - self.shares(self.yes), 5_000_000)
        ok("FAK sale")

    def many(self):
        batch = [PostOrdersV2Args(order=self.order(0.3, 5 + n), orderType=OrderType.GTC) for n in range(3)]
        batch.append(PostOrdersV2Args(order=self.order(0.3, 1), orderType=OrderType.GTC))
        answers = self.client.post_orders(batch)
        equal("batch", [a["success"] for a in answers], [True, True, True, False])
        check("batch refusal", "lower than the minimum" in answers[3]["errorMsg"], answers[3])
        other = self.post(self.order(0.3, 5, token=self.no))["orderID"]
        ids = [a["orderID"] for a in answers[:3]]
        equal("cancel two", self.client.cancel_orders(ids[:2])["canceled"], ids[:2])
        equal("cancel of a token", self.client.cancel_market_orders(OrderMarketCancelParams(asset_id=self.yes))["canceled"], ids[2:])
        equal("cancel of a market", self.client.cancel_market_orders(OrderMarketCancelParams(market=self.market))["canceled"], [other])
        placed = set()
        for start in range(0, 120, 15):
            orders = [PostOrdersV2Args(order=self.order(0.01, 5 + n), orderType=OrderType.GTC) for n in range(start, start + 15)]
            placed |= {answer["orderID"] for answer in self.client.post_orders(orders)}
        equal("two pages", {order["id"] for order in self.client.get_open_orders()}, placed)
        equal("the first page", len(self.client.get_open_orders(only_first_page=True)), 100)
        equal("cancel all", set(self.client.cancel_all()["canceled"]), placed)
        equal("none left", self.client.get_open_orders(), [])
        ok("batches, cancel of a token, of a market, of all; pages")

    def wallets(self):
        key = self.account["address"]
        derivation = PRODUCTION_CONFIG.wallet_derivation
        funders = {
            1: derive_proxy_wallet_address(key, derivation),
            2: derive_safe_wallet_address(key, derivation),
            3: derive_beacon_deposit_wallet_address(key, derivation),
        }
        for kind, funder in funders.items():
            client = ClobClient(self.venue.clob, CHAIN, key=self.account["private_key"], creds=self.client.creds, signature_type=kind, funder=funder)
            order = client.create_order(OrderArgsV2(token_id=self.yes, price=0.2, size=5, side="BUY"))
            answer = client.post_order(order)
            equal(f"type {kind}", (answer["status"], answer["orderID"]), ("live", order_hash(client, order)))
            equal(f"maker of type {kind}", client.get_order(answer["orderID"])["maker_address"], funder)
            foreign = ClobClient(self.venue.clob, CHAIN, key=self.account["private_key"], creds=self.client.creds, signature_type=kind, funder=self.venue.accounts[1]["address"])
            stolen = foreign.create_order(OrderArgsV2(token_id=self.yes, price=0.2, size=5, side="BUY"))
            refused(f"another's wallet with type {kind}", lambda: foreign.post_order(stolen), 400, "maker address not allowed")
        self.client.cancel_all()
        ok("signature types 1, 2 and 3")

    def newer_protocol(self):
        if self.venue.newer is None:
            print("skipped: no market of the newer protocol is listed", flush=True)
            return
        position = self.venue.newer["tokens"][0]["token_id"]
        order = self.client.create_order(OrderArgsV2(position_id=position, price=0.2, size=5, side="BUY"))
        answer = self.post(order)
        wanted = order_hash(self.client, order, "3", get_contract_config(CHAIN).exchange_v3)
        equal("order id", (answer["status"], answer["orderID"]), ("live", wanted))
        older = self.client.create_order(OrderArgsV2(token_id=position, price=0.2, size=5, side="BUY"))
        refused("signed for the older exchange", lambda: self.post(older), 400, "order_version_mismatch")
        self.client.cancel_all()
        ok("position of the newer protocol")

    def heartbeat(self):
        first = self.client.post_heartbeat("")["heartbeat_id"]
        second = self.client.post_heartbeat(first)["heartbeat_id"]
        check("a new id each time", second and second != first, (first, second))
        error = refused("a stale id", lambda: self.client.post_heartbeat(first), 400, "Invalid Heartbeat ID")
        equal("the expected id", error["heartbeat_id"], second)
        third = self.client.post_heartbeat(error["heartbeat_id"])["heartbeat_id"]
        resting = self.post(self.order(0.2, 5))["orderID"]
        until("the sweep", lambda: self.client.get_order(resting)["status"] == "CANCELED", 25.0)
        self.client.post_heartbeat(third)
        ok("heartbeats: chain, mismatch, sweep")


def main():
    run = Run(load())
    run.server()
    run.keys()
    run.books()
    run.limit()
    run.rules()
    run.take()
    run.many()
    run.wallets()
    run.newer_protocol()
    run.heartbeat()
    equal("at the end", run.client.get_open_orders(), [])
    ok("done")


if __name__ == "__main__":
    main()
