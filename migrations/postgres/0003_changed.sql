-- Orders that changed since a checkpoint are found without reading the others. Kept equal to ../sqlite/0003_changed.sql.

CREATE INDEX orders_seq ON orders (seq);
