-- What Hermes remembers. Amounts are decimal text, times are microseconds since the epoch (UTC), documents are JSON.
-- Forward only: this file never changes once released; a change is a new file. Kept equal to ../sqlite/0001_ledger.sql.

-- Everything that was ever committed, in its order. A row's hash covers all its columns and the hash of the row before, so that
-- no row can be changed, taken out or put in without every later hash being wrong. Every other table but `lease` follows
-- from this one: it says where things stand now, and in which row of the log that is written.
CREATE TABLE log (
    seq      BIGINT  PRIMARY KEY,
    at       BIGINT  NOT NULL,
    token    BIGINT  NOT NULL,
    kind     TEXT    NOT NULL,
    subject  TEXT    NOT NULL,
    what     TEXT    NOT NULL,
    document TEXT    NOT NULL,
    prev     TEXT    NOT NULL,
    hash     TEXT    NOT NULL
);
CREATE INDEX log_subject ON log (kind, subject, seq);

-- Who may write: one row. Its token grows with every turn.
CREATE TABLE lease (
    id         BIGINT  PRIMARY KEY CHECK (id = 1),
    token      BIGINT  NOT NULL,
    holder     TEXT    NOT NULL,
    expires_at BIGINT  NOT NULL
);
INSERT INTO lease (id, token, holder, expires_at) VALUES (1, 0, '', 0);

-- One row for each intent ever taken from the stream, committed with what became of it. Its key is what makes a redelivery
-- harmless.
CREATE TABLE inbox (
    intent_id TEXT    NOT NULL,
    attempt   BIGINT  NOT NULL,
    entry     TEXT    NOT NULL,
    boot      TEXT    NOT NULL,
    seq       BIGINT  NOT NULL,
    PRIMARY KEY (intent_id, attempt)
);

CREATE TABLE orders (
    intent_id  TEXT    NOT NULL,
    attempt    BIGINT  NOT NULL,
    order_id   TEXT    UNIQUE,
    strategy   TEXT    NOT NULL,
    market_id  TEXT    NOT NULL,
    state      TEXT    NOT NULL,
    adopted    BOOLEAN NOT NULL,
    sent       BOOLEAN NOT NULL,
    accepted   BOOLEAN NOT NULL,
    open       BOOLEAN NOT NULL,
    created_at BIGINT  NOT NULL,
    seq        BIGINT  NOT NULL,
    PRIMARY KEY (intent_id, attempt)
);
CREATE INDEX orders_open ON orders (created_at) WHERE open;
CREATE INDEX orders_created ON orders (created_at);

CREATE TABLE fills (
    trade_id   TEXT    NOT NULL,
    order_id   TEXT    NOT NULL,
    strategy   TEXT,
    market_id  TEXT    NOT NULL,
    status     TEXT    NOT NULL,
    matched_at BIGINT  NOT NULL,
    seq        BIGINT  NOT NULL,
    PRIMARY KEY (trade_id, order_id)
);
CREATE INDEX fills_order ON fills (order_id);
CREATE INDEX fills_matched ON fills (matched_at);

-- Double entries.
CREATE TABLE journals (
    id       TEXT    PRIMARY KEY,
    kind     TEXT    NOT NULL,
    at       BIGINT  NOT NULL,
    trade_id TEXT,
    order_id TEXT,
    seq      BIGINT  NOT NULL
);
CREATE INDEX journals_order ON journals (order_id);

-- What could not be executed. `seq` is where the letter is, `state_seq` where the last thing that was done about it is.
CREATE TABLE dead_letters (
    id        TEXT    PRIMARY KEY,
    intent_id TEXT,
    attempt   BIGINT  NOT NULL,
    waiting   BOOLEAN NOT NULL,
    published BOOLEAN NOT NULL,
    seq       BIGINT  NOT NULL,
    state_seq BIGINT  NOT NULL
);
CREATE INDEX dead_letters_unpublished ON dead_letters (seq) WHERE NOT published;
CREATE INDEX dead_letters_intent ON dead_letters (intent_id, attempt);

-- Where the newest of its kind is: a market's description, a token's mark, a day's reference, the latch, facts about the ledger.
CREATE TABLE facts (
    kind    TEXT    NOT NULL,
    subject TEXT    NOT NULL,
    seq     BIGINT  NOT NULL,
    PRIMARY KEY (kind, subject)
);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END
$$;
CREATE TRIGGER log_kept BEFORE UPDATE OR DELETE ON log FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER log_stays BEFORE TRUNCATE ON log FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER inbox_kept BEFORE UPDATE OR DELETE ON inbox FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER inbox_stays BEFORE TRUNCATE ON inbox FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER journals_kept BEFORE UPDATE OR DELETE ON journals FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER journals_stay BEFORE TRUNCATE ON journals FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
