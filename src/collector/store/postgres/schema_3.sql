-- The collector's database on PostgreSQL, schema 3: the tables of ../schema.sql, in its types.
--
-- One rule: a key begins with the install where it can, and a number or a name is never made by the database:
-- no sequences, triggers or foreign keys. Engines that spread rows over machines can hold these tables.
-- Days are UTC days since 1970, times are seconds since 1970.

-- What this database is: `what`, `schema`, and `key`, the fingerprint of the key that ids are hashed with.
CREATE TABLE meta (
    name TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    value TEXT COLLATE "C" NOT NULL
);

-- Ids are hashed with `hashed_as`, the first name, so that a new name does not make every install new.
CREATE TABLE products (
    product BIGINT NOT NULL PRIMARY KEY,
    name TEXT COLLATE "C" NOT NULL,
    hashed_as TEXT COLLATE "C" NOT NULL,
    standing BIGINT NOT NULL
);

-- Every name that a product's heartbeats may carry.
CREATE TABLE names (
    name TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    product BIGINT NOT NULL
);

-- One row per install. `install` is HMAC-SHA-256(key, product, 0, id). `recent` holds the times of the heartbeats
-- that were stored in the last 48 h: what makes a repeated one known, and the fourth of a day too many. `received` is
-- the day on which its first heartbeat was received; rows of schema 1 do not say. `flood` is 1 for a marked install.
-- `revision` is another number after each heartbeat: what two collectors notice each other by.
-- `checked` is a sum over all of the row but `recent`, so that damage is noticed: see `sum.rs`; rows that schema 1
-- wrote last have none.
CREATE TABLE installs (
    install BYTEA NOT NULL PRIMARY KEY,
    product BIGINT NOT NULL,
    day0 BIGINT NOT NULL,
    last_day BIGINT NOT NULL,
    days BYTEA NOT NULL,
    first_facts TEXT COLLATE "C" NOT NULL,
    now_facts TEXT COLLATE "C" NOT NULL,
    server_configured BIGINT,
    server_connected BIGINT,
    client_seen BIGINT,
    tools_searched BIGINT,
    real_tool_call BIGINT,
    versions TEXT COLLATE "C" NOT NULL,
    clients TEXT COLLATE "C" NOT NULL,
    carried_over BIGINT NOT NULL,
    days_since_install BIGINT,
    install_day BIGINT,
    clock_wrong BIGINT NOT NULL,
    recent BYTEA NOT NULL,
    received BIGINT,
    flood BIGINT NOT NULL DEFAULT 0,
    checked BIGINT,
    revision BIGINT NOT NULL
);

-- One row per install and day: see `packed/day.rs`.
CREATE TABLE days (
    install BYTEA NOT NULL,
    day BIGINT NOT NULL,
    packed BYTEA NOT NULL,
    PRIMARY KEY (install, day)
);

-- What was answered on each day of receipt: how often, and nothing else.
CREATE TABLE counts (
    day BIGINT NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    n BIGINT NOT NULL,
    PRIMARY KEY (day, name)
);

-- Installs that were erased, by the key of `installs`: nothing of them is stored until the day after `until`.
CREATE TABLE erased (
    install BYTEA NOT NULL PRIMARY KEY,
    until BIGINT NOT NULL
);

-- Versions of products that are told to stop.
CREATE TABLE retired (
    product BIGINT NOT NULL,
    version TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (product, version)
);

-- What the operator has to say about a day: a mark on charts.
CREATE TABLE notes (
    day BIGINT NOT NULL,
    text TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (day, text)
);

-- Files of heartbeats that were imported, by the SHA-256 of each, and how many of its lines are stored.
CREATE TABLE imports (
    file BYTEA NOT NULL PRIMARY KEY,
    lines BIGINT NOT NULL
);

-- Aggregates of rows that have expired: see `frozen.rs`. `kind` is `installs` (`day`: the Monday of the week of day 0),
-- `days` (`day`: the UTC day) or `first_day` (of the product here). The cell without a name is the sum over the others.
CREATE TABLE frozen (
    product BIGINT NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    day BIGINT NOT NULL,
    cell TEXT COLLATE "C" NOT NULL,
    n BIGINT NOT NULL,
    PRIMARY KEY (product, kind, day, cell)
);

-- The process that brings this database to another schema, and the second until which it holds this row.
CREATE TABLE migrating (
    id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    target BIGINT NOT NULL,
    owner TEXT COLLATE "C" NOT NULL,
    until BIGINT NOT NULL
);
