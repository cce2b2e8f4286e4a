-- What Hermes remembers. Amounts are decimal text, times are microseconds since the epoch (UTC), documents are JSON.
-- Forward only: this file never changes once released; a change is a new file.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

-- One row for each intent ever taken from the stream, committed with what became of it. Its key is what makes a redelivery
-- harmless.
CREATE TABLE inbox (
    intent_id   TEXT    NOT NULL,
    attempt     INTEGER NOT NULL,
    entry       TEXT    NOT NULL,
    boot        TEXT    NOT NULL,
    payload     TEXT    NOT NULL,
    received_at INTEGER NOT NULL,
    PRIMARY KEY (intent_id, attempt)
) STRICT;

-- Where each order stands now: a projection of order_events.
CREATE TABLE orders (
    intent_id  TEXT    NOT NULL,
    attempt    INTEGER NOT NULL,
    order_id   TEXT    UNIQUE,
    state      TEXT    NOT NULL,
    digest     TEXT,
    adopted    INTEGER NOT NULL,
    sent       INTEGER NOT NULL,
    accepted   INTEGER NOT NULL,
    open       INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    document   TEXT    NOT NULL,
    PRIMARY KEY (intent_id, attempt)
) STRICT;
CREATE INDEX orders_open ON orders (open) WHERE open = 1;
CREATE INDEX orders_created ON orders (created_at);

CREATE TABLE order_events (
    seq       INTEGER PRIMARY KEY AUTOINCREMENT,
    intent_id TEXT    NOT NULL,
    attempt   INTEGER NOT NULL,
    at        INTEGER NOT NULL,
    what      TEXT    NOT NULL,
    document  TEXT    NOT NULL
) STRICT;
CREATE INDEX order_events_order ON order_events (intent_id, attempt);

-- Where each fill stands now: a projection of fill_events.
CREATE TABLE fills (
    trade_id   TEXT    NOT NULL,
    order_id   TEXT    NOT NULL,
    status     TEXT    NOT NULL,
    matched_at INTEGER NOT NULL,
    document   TEXT    NOT NULL,
    PRIMARY KEY (trade_id, order_id)
) STRICT;

CREATE TABLE fill_events (
    seq      INTEGER PRIMARY KEY AUTOINCREMENT,
    trade_id TEXT    NOT NULL,
    order_id TEXT    NOT NULL,
    status   TEXT    NOT NULL,
    at       INTEGER NOT NULL,
    document TEXT    NOT NULL
) STRICT;

-- Descriptions of the markets that were traded: fees and names after a restart.
CREATE TABLE markets (
    market_id TEXT PRIMARY KEY,
    document  TEXT NOT NULL
) STRICT;

-- What each token that is held was last valued at: a restart must not look like a loss.
CREATE TABLE marks (
    token TEXT    PRIMARY KEY,
    price TEXT    NOT NULL,
    at    INTEGER NOT NULL
) STRICT;

-- Every change of the latch; the newest row is in force.
CREATE TABLE kill_latch (
    seq      INTEGER PRIMARY KEY AUTOINCREMENT,
    at       INTEGER NOT NULL,
    document TEXT    NOT NULL
) STRICT;

CREATE TABLE days (
    day       INTEGER PRIMARY KEY,
    day_start TEXT NOT NULL,
    peak      TEXT NOT NULL
) STRICT;

-- Double entries.
CREATE TABLE journals (
    id       TEXT    PRIMARY KEY,
    kind     TEXT    NOT NULL,
    at       INTEGER NOT NULL,
    document TEXT    NOT NULL
) STRICT;

-- Who may write: one row.
CREATE TABLE lease (
    id         INTEGER PRIMARY KEY CHECK (id = 1),
    token      INTEGER NOT NULL,
    holder     TEXT    NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
INSERT INTO lease VALUES (1, 0, '', 0);

-- What could not be executed, kept until it lies on the bus and after.
CREATE TABLE dead_letters (
    seq       INTEGER PRIMARY KEY AUTOINCREMENT,
    id        TEXT    NOT NULL UNIQUE,
    waiting   INTEGER NOT NULL DEFAULT 1,
    published INTEGER NOT NULL DEFAULT 0,
    document  TEXT    NOT NULL
) STRICT;
CREATE INDEX dead_letters_waiting ON dead_letters (published) WHERE published = 0;

CREATE TRIGGER order_events_kept BEFORE UPDATE ON order_events BEGIN SELECT RAISE(ABORT, 'order_events is append-only'); END;
CREATE TRIGGER order_events_stay BEFORE DELETE ON order_events BEGIN SELECT RAISE(ABORT, 'order_events is append-only'); END;
CREATE TRIGGER fill_events_kept BEFORE UPDATE ON fill_events BEGIN SELECT RAISE(ABORT, 'fill_events is append-only'); END;
CREATE TRIGGER fill_events_stay BEFORE DELETE ON fill_events BEGIN SELECT RAISE(ABORT, 'fill_events is append-only'); END;
CREATE TRIGGER kill_latch_kept BEFORE UPDATE ON kill_latch BEGIN SELECT RAISE(ABORT, 'kill_latch is append-only'); END;
CREATE TRIGGER kill_latch_stay BEFORE DELETE ON kill_latch BEGIN SELECT RAISE(ABORT, 'kill_latch is append-only'); END;
CREATE TRIGGER inbox_kept BEFORE UPDATE ON inbox BEGIN SELECT RAISE(ABORT, 'inbox is append-only'); END;
CREATE TRIGGER inbox_stay BEFORE DELETE ON inbox BEGIN SELECT RAISE(ABORT, 'inbox is append-only'); END;
