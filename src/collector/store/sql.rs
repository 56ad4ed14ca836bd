//! Every statement of the collector, in the SQL that SQLite and PostgreSQL share.
//!
//! One rule: no statement stands anywhere else, and parameters are numbered in the order in which they appear.

/// The tables of a new database.
pub const SCHEMA: &str = include_str!("schema.sql");
/// The steps from schema 1 on, each to the next.
pub const MIGRATIONS: [&str; 2] = [include_str!("migrate_2.sql"), include_str!("migrate_3.sql")];

pub const META: &str = "SELECT value FROM meta WHERE name = $1";
pub const META_INSERT: &str =
    "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";

pub const META_CHANGE: &str = "UPDATE meta SET value = $1 WHERE name = $2";

pub const META_WRITE: &str = "INSERT INTO meta (name, value) VALUES ($1, $2) \
     ON CONFLICT (name) DO UPDATE SET value = excluded.value";

/// Who migrates. The table comes before schema 2, which has it.
pub const MIGRATING: &str = "CREATE TABLE IF NOT EXISTS migrating (\
     id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1), target INTEGER NOT NULL, owner TEXT NOT NULL, \
     until INTEGER NOT NULL)";
pub const MIGRATING_READ: &str = "SELECT owner, until FROM migrating WHERE id = 1";
pub const MIGRATING_WRITE: &str = "INSERT INTO migrating (id, target, owner, until) VALUES (1, $1, $2, $3) \
     ON CONFLICT (id) DO UPDATE SET target = excluded.target, owner = excluded.owner, until = excluded.until";
pub const MIGRATING_END: &str = "DELETE FROM migrating";
pub const MIGRATING_DROP: &str = "DROP TABLE IF EXISTS migrating";
/// What no migration changes.
pub const ROWS: [&str; 5] = [
    "SELECT COUNT(*) FROM installs",
    "SELECT COUNT(*) FROM days",
    "SELECT COUNT(*) FROM products",
    "SELECT COUNT(*) FROM names",
    "SELECT COUNT(*) FROM counts",
];

pub const PRODUCTS: &str =
    "SELECT product, name, hashed_as, standing FROM products ORDER BY product";
pub const NAMES: &str = "SELECT name, product FROM names ORDER BY name";
pub const PRODUCT_INSERT: &str =
    "INSERT INTO products (product, name, hashed_as, standing) VALUES ($1, $2, $3, $4)";
pub const PRODUCT_STANDING: &str = "UPDATE products SET standing = $1 WHERE product = $2";
pub const PRODUCT_NAME: &str = "UPDATE products SET name = $1 WHERE product = $2";
pub const NAME_INSERT: &str =
    "INSERT INTO names (name, product) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
pub const PRODUCT_SIZES: &str =
    "SELECT product, COUNT(*), MIN(day0) FROM installs GROUP BY product";

/// The columns of an install, in the order in which they are read and written. `checked` is the sum over those
/// before `recent`.
macro_rules! columns {
    () => {
        "install, product, day0, last_day, days, first_facts, now_facts, server_configured, server_connected, \
         client_seen, tools_searched, real_tool_call, versions, clients, carried_over, days_since_install, \
         install_day, clock_wrong, received, flood, recent, checked"
    };
}

pub const INSTALL: &str = concat!("SELECT ", columns!(), " FROM installs WHERE install = $1");
pub const INSTALLS: &str = concat!("SELECT ", columns!(), " FROM installs WHERE product = $1");
/// Installs that are in the rows of no product.
pub const STRAY_INSTALLS: &str =
    "SELECT COUNT(*) FROM installs WHERE product NOT IN (SELECT product FROM products)";
/// The first day of a product whose installs have not expired.
pub const FIRST_DAY: &str = "SELECT MIN(day0) FROM installs WHERE product = $1";
pub const INSTALL_WRITE: &str = concat!(
    "INSERT INTO installs (",
    columns!(),
    ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22) \
     ON CONFLICT (install) DO UPDATE SET day0 = excluded.day0, last_day = excluded.last_day, \
     days = excluded.days, first_facts = excluded.first_facts, now_facts = excluded.now_facts, \
     server_configured = excluded.server_configured, server_connected = excluded.server_connected, \
     client_seen = excluded.client_seen, tools_searched = excluded.tools_searched, \
     real_tool_call = excluded.real_tool_call, versions = excluded.versions, clients = excluded.clients, \
     carried_over = excluded.carried_over, days_since_install = excluded.days_since_install, \
     install_day = excluded.install_day, clock_wrong = excluded.clock_wrong, received = excluded.received, \
     flood = excluded.flood, recent = excluded.recent, checked = excluded.checked"
);

pub const ALL_INSTALLS: &str = concat!("SELECT ", columns!(), " FROM installs ORDER BY install");
/// Of each install what becomes another value when it changes.
pub const ALL_PRINTS: &str =
    "SELECT install, product, recent, checked FROM installs ORDER BY install";
pub const ALL_DAYS: &str = "SELECT install, day, packed FROM days ORDER BY install, day";

pub const ERASED_ALL: &str = "SELECT install, until FROM erased";
pub const ERASED_WRITE: &str = "INSERT INTO erased (install, until) VALUES ($1, $2) \
     ON CONFLICT (install) DO UPDATE SET until = excluded.until";
pub const INSTALL_DELETE: &str = "DELETE FROM installs WHERE install = $1";
pub const DAYS_DELETE: &str = "DELETE FROM days WHERE install = $1";

/// Which installs of a part still hold times that no repetition can meet any more.
pub const FORGET_TIMES: &str = "UPDATE installs SET recent = $1 WHERE install >= $2 AND install < $3 \
     AND last_day < $4 AND recent <> $1";

pub const ERASED: &str = "SELECT until FROM erased WHERE install = $1";
pub const ERASED_FORGET: &str =
    "DELETE FROM erased WHERE install >= $1 AND install < $2 AND until < $3";

pub const PURGE_COUNT: &str = "SELECT product, COUNT(*), CAST(SUM(flood) AS BIGINT) FROM installs \
     WHERE received >= $1 AND received <= $2 AND flood >= $3 GROUP BY product";
pub const PURGE_SOME: &str = "SELECT install FROM installs WHERE install > $1 AND received >= $2 \
     AND received <= $3 AND flood >= $4 AND ($5 = 0 OR product = $5) ORDER BY install LIMIT $6";

pub const NOTES: &str = "SELECT day, text FROM notes ORDER BY day, text";
pub const NOTES_COUNT: &str = "SELECT COUNT(*) FROM notes";
pub const NOTE_INSERT: &str =
    "INSERT INTO notes (day, text) VALUES ($1, $2) ON CONFLICT (day, text) DO NOTHING";
pub const NOTE_DELETE: &str = "DELETE FROM notes WHERE day = $1 AND text = $2";

pub const IMPORT: &str = "SELECT lines FROM imports WHERE file = $1";
pub const IMPORT_WRITE: &str = "INSERT INTO imports (file, lines) VALUES ($1, $2) \
     ON CONFLICT (file) DO UPDATE SET lines = excluded.lines";

pub const IMPORTED_LINES: &str = "SELECT CAST(COALESCE(SUM(lines), 0) AS BIGINT) FROM imports";

pub const RETIRED: &str = "SELECT product, version FROM retired";
pub const RETIRED_INSERT: &str = "INSERT INTO retired (product, version) VALUES ($1, $2) \
     ON CONFLICT (product, version) DO NOTHING";
pub const RETIRED_DELETE: &str = "DELETE FROM retired WHERE product = $1 AND version = $2";

pub const DAY: &str = "SELECT packed FROM days WHERE install = $1 AND day = $2";
pub const DAY_WRITE: &str = "INSERT INTO days (install, day, packed) VALUES ($1, $2, $3) \
     ON CONFLICT (install, day) DO UPDATE SET packed = excluded.packed";
pub const DAYS: &str = "SELECT days.install, days.day, days.packed FROM days \
     JOIN installs ON installs.install = days.install WHERE installs.product = $1";

pub const COUNT: &str = "INSERT INTO counts (day, name, n) VALUES ($1, $2, $3) \
     ON CONFLICT (day, name) DO UPDATE SET n = counts.n + excluded.n";
pub const COUNTS: &str =
    "SELECT name, CAST(SUM(n) AS BIGINT) FROM counts WHERE day >= $1 GROUP BY name ORDER BY name";

pub const COUNTED: &str = "SELECT day, name, n FROM counts";

/// Installs that were last seen before a day, behind a key.
pub const OLD_INSTALLS: &str =
    "SELECT install FROM installs WHERE install > $1 AND last_day < $2 ORDER BY install LIMIT $3";
/// Day rows of before a day, behind a key.
pub const OLD_DAYS: &str = "SELECT install, day FROM days WHERE (install, day) > ($1, $2) AND day < $3 \
     ORDER BY install, day LIMIT $4";
pub const DAYS_OF: &str = "SELECT day, packed FROM days WHERE install = $1";
pub const DAYS_WITHIN: &str =
    "SELECT day, packed FROM days WHERE install = $1 AND day >= $2 AND day <= $3 ORDER BY day";
pub const DAY_REMOVE: &str = "DELETE FROM days WHERE install = $1 AND day = $2";

pub const FROZEN: &str =
    "SELECT day, cell, n FROM frozen WHERE product = $1 AND kind = $2 ORDER BY day, cell";
pub const FROZEN_ALL: &str =
    "SELECT product, kind, day, cell, n FROM frozen ORDER BY product, kind, day, cell";
/// Over the sums of the groups of these days: another one after each change of a cell.
pub const FROZEN_SUMS: &str = "SELECT CAST(COALESCE(SUM(n), 0) AS BIGINT) FROM frozen WHERE kind = 'days' AND cell = '' AND day >= $1";
pub const FROZEN_OF: &str =
    "SELECT cell, n FROM frozen WHERE product = $1 AND kind = $2 AND day = $3 ORDER BY cell";
pub const FROZEN_CELL: &str =
    "SELECT n FROM frozen WHERE product = $1 AND kind = $2 AND day = $3 AND cell = $4";
pub const FROZEN_ADD: &str = "INSERT INTO frozen (product, kind, day, cell, n) VALUES ($1, $2, $3, $4, $5) \
     ON CONFLICT (product, kind, day, cell) DO UPDATE SET n = frozen.n + excluded.n";
pub const FROZEN_SET: &str = "INSERT INTO frozen (product, kind, day, cell, n) VALUES ($1, $2, $3, $4, $5) \
     ON CONFLICT (product, kind, day, cell) DO UPDATE SET n = excluded.n";

/// Every column of every table; a statement of SQLite alone, as the next.
pub const TABLES: &str = "SELECT one.name, had.name, had.type, had.\"notnull\", had.pk FROM sqlite_master AS one \
     JOIN pragma_table_info(one.name) AS had WHERE one.type = 'table' AND one.name NOT LIKE 'sqlite%'";
/// What would change rows beside this program, or show others.
pub const MOVING: &str = "SELECT COUNT(*) FROM sqlite_master WHERE type IN ('trigger', 'view')";

/// Every column of words of the small tables.
pub const STRINGS: [(&str, &str); 7] = [
    ("products", "SELECT name FROM products"),
    ("products", "SELECT hashed_as FROM products"),
    ("names", "SELECT name FROM names"),
    ("counts", "SELECT DISTINCT name FROM counts"),
    ("retired", "SELECT DISTINCT version FROM retired"),
    ("notes", "SELECT text FROM notes"),
    ("frozen", "SELECT DISTINCT cell FROM frozen"),
];

/// What PostgreSQL is asked in a way of its own: a batch is a few statements, whatever it holds, and rows are read in
/// pages.
#[cfg(feature = "collector-postgres")]
pub mod postgres {
    /// The tables of a new database.
    pub const SCHEMA: &str = include_str!("postgres/schema_3.sql");
    /// The names of the tables.
    pub const TABLES: [&str; 12] = [
        "meta",
        "products",
        "names",
        "installs",
        "days",
        "counts",
        "erased",
        "retired",
        "notes",
        "imports",
        "frozen",
        "migrating",
    ];
    /// Those of these tables that are there.
    pub const PRESENT: &str = "SELECT CAST(table_name AS TEXT) FROM information_schema.tables \
         WHERE table_schema = current_schema() AND table_type = 'BASE TABLE' AND table_name = ANY($1)";
    /// What would change their rows beside this program.
    pub const MOVING: &str = "SELECT COUNT(*) FROM information_schema.triggers \
         WHERE event_object_schema = current_schema() AND event_object_table = ANY($1)";
    pub const BYTES: &str = "SELECT CAST(COALESCE(SUM(pg_total_relation_size(CAST(table_name AS REGCLASS))), 0) AS BIGINT) \
         FROM information_schema.tables WHERE table_schema = current_schema() AND table_name = ANY($1)";
    pub const VERSION: &str = "SELECT CAST(current_setting('server_version_num') AS BIGINT)";
    /// A commit that is acknowledged is on disk, whatever else the server is told for others.
    pub const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; \
         SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'";
    pub const BEGIN_ALONE: &str = "BEGIN ISOLATION LEVEL SERIALIZABLE READ WRITE";
    pub const BEGIN_TO_READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
    pub const COMMIT: &str = "COMMIT";
    pub const ROLLBACK: &str = "ROLLBACK";

    pub const COUNTED: &str = "SELECT CAST(COALESCE(SUM(n), 0) AS BIGINT) FROM counts";
    pub const COUNTS_ADD: &str = "INSERT INTO counts (day, name, n) SELECT day, name, n \
         FROM unnest($1, $2, $3) AS added (day, name, n) \
         ON CONFLICT (day, name) DO UPDATE SET n = counts.n + excluded.n";

    pub const INSTALLS_OF: &str =
        concat!("SELECT ", columns!(), ", revision FROM installs WHERE install = ANY($1)");
    pub const ERASED_OF: &str = "SELECT install, until FROM erased WHERE install = ANY($1)";
    pub const DAYS_OF: &str = "SELECT install, day, packed FROM days \
         WHERE install = ANY($1) AND day >= $2 AND day <= $3";
    /// `revision` is 1 for a new row, and for one that was read the next one with a minus. So a row that another
    /// transaction has added, changed or removed since is left out of the answer, or answered below 0.
    pub const INSTALLS_WRITE: &str = concat!(
        "INSERT INTO installs (",
        columns!(),
        ", revision) SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, \
         $17, $18, $19, $20, $21, $22, $23) \
         ON CONFLICT (install) DO UPDATE SET product = excluded.product, day0 = excluded.day0, \
         last_day = excluded.last_day, days = excluded.days, first_facts = excluded.first_facts, \
         now_facts = excluded.now_facts, server_configured = excluded.server_configured, \
         server_connected = excluded.server_connected, client_seen = excluded.client_seen, \
         tools_searched = excluded.tools_searched, real_tool_call = excluded.real_tool_call, \
         versions = excluded.versions, clients = excluded.clients, carried_over = excluded.carried_over, \
         days_since_install = excluded.days_since_install, install_day = excluded.install_day, \
         clock_wrong = excluded.clock_wrong, received = excluded.received, flood = excluded.flood, \
         recent = excluded.recent, checked = excluded.checked, revision = -excluded.revision \
         WHERE installs.revision = -excluded.revision - 1 RETURNING revision"
    );
    pub const DAYS_WRITE: &str = "INSERT INTO days (install, day, packed) SELECT install, day, packed \
         FROM unnest($1, $2, $3) AS written (install, day, packed) \
         ON CONFLICT (install, day) DO UPDATE SET packed = excluded.packed";

    /// Rows behind a key, in the order of their keys.
    pub const PAGE_OF_PRODUCT: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM installs WHERE install > $1 AND product = $3 ORDER BY install LIMIT $2"
    );
    pub const PAGE: &str = concat!(
        "SELECT ",
        columns!(),
        " FROM installs WHERE install > $1 ORDER BY install LIMIT $2"
    );
    pub const PAGE_OF_PRINTS: &str = "SELECT install, product, recent, checked FROM installs \
         WHERE install > $1 ORDER BY install LIMIT $2";
    pub const PAGE_OF_ALL_DAYS: &str = "SELECT install, day, packed FROM days \
         WHERE (install, day) > ($1, $2) ORDER BY install, day LIMIT $3";
    pub const PAGE_OF_DAYS: &str = "SELECT install, day, packed FROM days \
         WHERE install >= $1 AND day >= $2 AND day <= $3 ORDER BY install, day LIMIT $4";
}
