-- What is read at start is found without reading what is not. Kept equal to ../postgres/0002_tail.sql.

CREATE INDEX fills_market ON fills (market_id, matched_at);
CREATE INDEX fills_unsettled ON fills (order_id) WHERE status NOT IN ('confirmed', 'failed');
CREATE INDEX journals_corrections ON journals (at) WHERE trade_id IS NULL;
