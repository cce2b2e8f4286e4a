"""py-clob-client-v2, unmodified, against the simulated CLOB."""

from decimal import Decimal

from common import NO, QUIET, VENUE, YES, check, ok, until
from py_clob_client_v2.client import ClobClient
from py_clob_client_v2.clob_types import (
    AssetType,
    BalanceAllowanceParams,
    MarketOrderArgs,
    OpenOrderParams,
    OrderArgs,
    OrderMarketCancelParams,
    OrderPayload,
    OrderType,
    PartialCreateOrderOptions,
    TradeParams,
)

account = VENUE["accounts"][1]
client = ClobClient(VENUE["clob"], key=account["private_key"], chain_id=137, signature_type=0)
check(client.get_ok() == "OK", "ok")
check(abs(client.get_server_time() - __import__("time").time()) < 5, "server time")
creds = client.create_or_derive_api_key()
again = client.derive_api_key()
check(creds.api_key == again.api_key and creds.api_secret == again.api_secret, "derivation gives the created key")
client.set_api_creds(creds)
ok("key derivation", key=creds.api_key)

book = client.get_order_book(YES)
bids, asks = (book["bids"], book["asks"]) if isinstance(book, dict) else (book.bids, book.asks)
price = lambda level: level["price"] if isinstance(level, dict) else level.price
check(price(bids[-1]) == "0.4" and price(asks[-1]) == "0.6", f"best prices are last: {book}")
check(Decimal(client.get_midpoint(YES)["mid"]) == Decimal("0.5"), "midpoint")
check(Decimal(str(client.get_tick_size(YES))) == Decimal("0.01"), "tick size")
check(client.get_neg_risk(YES) is False, "neg risk")
ok("book", bid=price(bids[-1]), ask=price(asks[-1]))

options = PartialCreateOrderOptions(tick_size="0.01", neg_risk=False)
collateral = BalanceAllowanceParams(asset_type=AssetType.COLLATERAL, signature_type=0)
before = int(client.get_balance_allowance(collateral)["balance"])
check(before == 10_000_000_000, f"balance {before}")

limit = client.create_order(OrderArgs(token_id=YES, price=0.45, size=10, side="BUY"), options)
answer = client.post_order(limit, OrderType.GTC)
check(answer["success"] and answer["status"] == "live", f"limit: {answer}")
first = answer["orderID"]
listed = client.get_open_orders(OpenOrderParams(market=QUIET["condition_id"]))
check([o["id"] for o in listed] == [first] and listed[0]["price"] == "0.45", f"open orders: {listed}")
check(client.get_order(first)["status"] == "LIVE", "order by id")
ok("limit", order=first)

try:
    client.post_order(limit, OrderType.GTC)
    check(False, "the same bytes again must be refused")
except Exception as error:  # the client's own exception type carries the venue's words
    check("Duplicated" in str(error), f"duplicate: {error}")
ok("duplicate refused")

fok = client.create_market_order(MarketOrderArgs(token_id=YES, amount=12, side="BUY", price=0.6), options)
answer = client.post_order(fok, OrderType.FOK)
check(answer["success"] and answer["status"] == "matched", f"FOK: {answer}")
check(Decimal(answer["takingAmount"]) == 20 and Decimal(answer["makingAmount"]) == 12, f"FOK amounts: {answer}")
shares = BalanceAllowanceParams(asset_type=AssetType.CONDITIONAL, token_id=YES, signature_type=0)
check(int(client.get_balance_allowance(shares)["balance"]) == 20_000_000, "20 shares")
after = int(client.get_balance_allowance(collateral)["balance"])
check(before - after >= 12_000_000, f"paid {before - after}")
ok("FOK", order=answer["orderID"], paid=before - after)

trades = client.get_trades(TradeParams(market=QUIET["condition_id"]))
mine = [t for t in trades if t["taker_order_id"] == answer["orderID"]]
check(len(mine) == 1 and mine[0]["trader_side"] == "TAKER" and mine[0]["size"] == "20", f"trades: {trades}")
settled = until(
    "settlement",
    lambda: [t for t in client.get_trades(TradeParams(id=mine[0]["id"])) if t["status"] == "CONFIRMED"],
)
check(settled[0]["transaction_hash"].startswith("0x"), "a transaction hash once it is mined")
ok("trades", trade=mine[0]["id"], status=settled[0]["status"])

too_big = client.create_market_order(MarketOrderArgs(token_id=YES, amount=5_000, side="BUY", price=0.6), options)
try:
    client.post_order(too_big, OrderType.FOK)
    check(False, "a FOK beyond the book must be killed")
except Exception as error:
    check("FOK orders are fully filled or killed" in str(error), f"kill: {error}")
ok("FOK killed")

answer = client.cancel_order(OrderPayload(orderID=first))
check(answer["canceled"] == [first] and not answer["not_canceled"], f"cancel: {answer}")
check(client.get_order(first)["status"] == "CANCELED", "cancelled")
ok("cancel", order=first)

for cents in (41, 42, 43):
    order = client.create_order(OrderArgs(token_id=YES, price=cents / 100, size=5, side="BUY"), options)
    client.post_order(order, OrderType.GTC)
order = client.create_order(OrderArgs(token_id=NO, price=0.41, size=5, side="BUY"), options)
client.post_order(order, OrderType.GTC)
answer = client.cancel_market_orders(OrderMarketCancelParams(market="", asset_id=NO))
check(len(answer["canceled"]) == 1, f"cancel one token: {answer}")
answer = client.cancel_all()
check(len(answer["canceled"]) == 3, f"cancel all: {answer}")
check(client.get_open_orders() == [], "nothing is left")
ok("cancel-all", cancelled=len(answer["canceled"]))

beat = client.post_heartbeat("")
follow = client.post_heartbeat(beat["heartbeat_id"])
check(follow["heartbeat_id"] and follow["heartbeat_id"] != beat["heartbeat_id"], f"heartbeat: {beat} {follow}")
ok("heartbeat", id=follow["heartbeat_id"])
print("done")
