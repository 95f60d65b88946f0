-- Words and pictures of a product are the program's; what changes about it is here.
CREATE TABLE IF NOT EXISTS products (
    id bigint PRIMARY KEY,
    name text NOT NULL,
    category text NOT NULL,
    list_price_cents bigint NOT NULL,
    -- Set when the price stands; without it, it moves around the list price.
    price_cents bigint CHECK (price_cents > 0),
    priced_at timestamptz,
    stock bigint NOT NULL DEFAULT 400
);

CREATE TABLE IF NOT EXISTS sessions (
    id text PRIMARY KEY,
    last_seen timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX IF NOT EXISTS sessions_by_age ON sessions (last_seen);

CREATE TABLE IF NOT EXISTS cart_items (
    session text REFERENCES sessions ON DELETE CASCADE,
    product bigint REFERENCES products,
    quantity bigint NOT NULL,
    PRIMARY KEY (session, product)
);

CREATE TABLE IF NOT EXISTS orders (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    instance text NOT NULL,
    total_cents bigint NOT NULL,
    placed_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE IF NOT EXISTS order_lines (
    order_id bigint REFERENCES orders,
    product bigint REFERENCES products,
    quantity bigint NOT NULL,
    amount_cents bigint NOT NULL,
    PRIMARY KEY (order_id, product)
);
