-- The collector's database, schema 3.
--
-- One rule: a key begins with the install where it can, and a number or a name is never made by the database:
-- no sequences, triggers or foreign keys. Engines that spread rows over machines can hold these tables.
-- Days are UTC days since 1970, times are seconds since 1970.

-- What this database is: `what`, `schema`, and `key`, the fingerprint of the key that ids are hashed with.
CREATE TABLE meta (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

-- Ids are hashed with `hashed_as`, the first name, so that a new name does not make every install new.
CREATE TABLE products (
    product INTEGER NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    hashed_as TEXT NOT NULL,
    standing INTEGER NOT NULL
);

-- Every name that a product's heartbeats may carry.
CREATE TABLE names (
    name TEXT NOT NULL PRIMARY KEY,
    product INTEGER NOT NULL
) WITHOUT ROWID;

-- One row per install. `install` is HMAC-SHA-256(key, product, 0, id). `recent` holds the times of the heartbeats
-- that were stored in the last 48 h: what makes a repeated one known, and the fourth of a day too many. `received` is
-- the day on which its first heartbeat was received; rows of schema 1 do not say. `flood` is 1 for a marked install.
-- `checked` is a sum over all of the row but `recent`, so that damage is noticed: see `sum.rs`; rows that schema 1
-- wrote last have none.
CREATE TABLE installs (
    install BLOB NOT NULL PRIMARY KEY,
    product INTEGER NOT NULL,
    day0 INTEGER NOT NULL,
    last_day INTEGER NOT NULL,
    days BLOB NOT NULL,
    first_facts TEXT NOT NULL,
    now_facts TEXT NOT NULL,
    server_configured INTEGER,
    server_connected INTEGER,
    client_seen INTEGER,
    tools_searched INTEGER,
    real_tool_call INTEGER,
    versions TEXT NOT NULL,
    clients TEXT NOT NULL,
    carried_over INTEGER NOT NULL,
    days_since_install INTEGER,
    install_day INTEGER,
    clock_wrong INTEGER NOT NULL,
    recent BLOB NOT NULL,
    received INTEGER,
    flood INTEGER NOT NULL DEFAULT 0,
    checked INTEGER
) WITHOUT ROWID;

-- One row per install and day: see `packed/day.rs`.
CREATE TABLE days (
    install BLOB NOT NULL,
    day INTEGER NOT NULL,
    packed BLOB NOT NULL,
    PRIMARY KEY (install, day)
) WITHOUT ROWID;

-- What was answered on each day of receipt: how often, and nothing else.
CREATE TABLE counts (
    day INTEGER NOT NULL,
    name TEXT NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (day, name)
) WITHOUT ROWID;

-- Installs that were erased, by the key of `installs`: nothing of them is stored until the day after `until`.
CREATE TABLE erased (
    install BLOB NOT NULL PRIMARY KEY,
    until INTEGER NOT NULL
) WITHOUT ROWID;

-- Versions of products that are told to stop.
CREATE TABLE retired (
    product INTEGER NOT NULL,
    version TEXT NOT NULL,
    PRIMARY KEY (product, version)
) WITHOUT ROWID;

-- What the operator has to say about a day: a mark on charts.
CREATE TABLE notes (
    day INTEGER NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (day, text)
) WITHOUT ROWID;

-- Files of heartbeats that were imported, by the SHA-256 of each, and how many of its lines are stored.
CREATE TABLE imports (
    file BLOB NOT NULL PRIMARY KEY,
    lines INTEGER NOT NULL
) WITHOUT ROWID;

-- Aggregates of rows that have expired: see `frozen.rs`. `kind` is `installs` (`day`: the Monday of the week of day 0),
-- `days` (`day`: the UTC day) or `first_day` (of the product here). The cell without a name is the sum over the others.
CREATE TABLE frozen (
    product INTEGER NOT NULL,
    kind TEXT NOT NULL,
    day INTEGER NOT NULL,
    cell TEXT NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (product, kind, day, cell)
) WITHOUT ROWID;

-- The process that brings this database to another schema, and the second until which it holds this row.
CREATE TABLE migrating (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    target INTEGER NOT NULL,
    owner TEXT NOT NULL,
    until INTEGER NOT NULL
);
