//! Databases of earlier versions, and what stops a migration halfway.

use super::*;
use crate::collector::code::{Code, Met};
use crate::collector::store::{
    Change, Counts, Erasure, Incoming, KeySource, Outcome, ProductError, Reader, Store,
    StoreOptions,
};
use crate::collector::testing::heartbeat;
use std::fs;

const OWNER: &str = "this one";
/// The installs of each fixture.
const INSTALLS: [u64; 2] = [130, 34];

/// A directory with the database that the first version of this program wrote.
fn place() -> tempfile::TempDir {
    place_of(1)
}

/// The same, of the last version that wrote this schema.
fn place_of(schema: u32) -> tempfile::TempDir {
    let place = tempfile::tempdir().expect("a temporary directory");
    let from = Path::new(env!("CARGO_MANIFEST_DIR"));
    let from = from.join(format!("tests/data/collectors/schema-{schema}"));
    for name in ["collector.db", "collector.key"] {
        fs::copy(from.join(name), place.path().join(name)).expect("a copy");
    }
    place
}

fn raw(dir: &Path) -> Connection {
    Connection::open(database::file(dir)).expect("a database")
}

fn options(dir: &Path) -> StoreOptions {
    StoreOptions { dir: dir.to_owned(), ephemeral: true, ..StoreOptions::default() }
}

/// All that is kept, as text.
fn everything(connection: &Connection) -> Vec<String> {
    let queries = [
        "SELECT hex(install), product, day0, last_day, hex(days), first_facts, now_facts, server_configured, \
         server_connected, client_seen, tools_searched, real_tool_call, versions, clients, carried_over, \
         days_since_install, install_day, clock_wrong, hex(recent) FROM installs ORDER BY 1",
        "SELECT hex(install), day, hex(packed) FROM days ORDER BY 1, 2",
        "SELECT * FROM products ORDER BY 1",
        "SELECT * FROM names ORDER BY 1",
        "SELECT * FROM counts ORDER BY 1, 2",
        "SELECT * FROM meta WHERE name NOT IN ('schema', 'products') ORDER BY 1",
    ];
    let mut all = Vec::new();
    for query in queries {
        let mut statement = connection.prepare(query).expect("a query");
        let columns = statement.column_count();
        let rows = statement.query_map([], |row| {
            (0..columns)
                .map(|at| row.get::<_, rusqlite::types::Value>(at))
                .collect::<Result<Vec<_>, _>>()
        });
        all.extend(rows.expect("rows").map(|row| format!("{:?}", row.expect("a row"))));
    }
    all
}

/// The columns of every table.
fn columns(connection: &Connection) -> Vec<String> {
    let query = "SELECT m.name, i.name, i.type, i.\"notnull\", i.dflt_value, i.pk FROM sqlite_master m \
                 JOIN pragma_table_info(m.name) i WHERE m.type = 'table' ORDER BY m.name, i.cid";
    let mut statement = connection.prepare(query).expect("a query");
    let rows = statement.query_map([], |row| {
        let default: Option<String> = row.get(4)?;
        let (table, name, kind): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let (not_null, key): (bool, u32) = (row.get(3)?, row.get(5)?);
        Ok(format!("{table}.{name} {kind} {not_null} {default:?} {key}"))
    });
    rows.expect("rows").map(|row| row.expect("a row")).collect()
}

#[test]
fn a_database_of_every_earlier_schema_is_brought_to_this_one_with_all_its_rows() {
    for schema in 1..database::SCHEMA {
        let place = place_of(schema);
        let dir = place.path();
        let before = everything(&raw(dir));
        assert!(before.len() > 300, "{}", before.len());
        assert_eq!(database::schema(&raw(dir)), Ok(Some(schema)));
        drop(Store::open(&options(dir)).expect("a migration"));
        let now = raw(dir);
        assert_eq!(everything(&now), before);
        assert_eq!(database::schema(&now), Ok(Some(database::SCHEMA)));
        let busy: u64 = now
            .query_row("SELECT COUNT(*) FROM migrating", [], |row| row.get(0))
            .expect("a number");
        assert_eq!(busy, 0);
        // The same tables as those of a new database.
        let new = tempfile::tempdir().expect("a temporary directory");
        drop(Store::open(&options(new.path())).expect("a new database"));
        assert_eq!(columns(&now), columns(&raw(new.path())));
        // The copy is the database as it was, in one file that others cannot read.
        let copy = copy_before(dir, schema + 1);
        assert!(!mcpproxy_platform::files::is_readable_by_others(&copy));
        let copied = Connection::open(&copy).expect("the copy");
        assert_eq!(everything(&copied), before);
        assert_eq!(database::schema(&copied), Ok(Some(schema)));
        // A second start changes nothing, and makes no copy.
        fs::remove_file(&copy).expect("the only copy, however many steps there were");
        assert!((1..9).all(|schema| !copy_before(dir, schema).exists()));
        drop(Store::open(&options(dir)).expect("a database"));
        assert!((1..9).all(|schema| !copy_before(dir, schema).exists()));
        assert_eq!(everything(&raw(dir)), before);
    }
}

#[test]
fn rows_of_every_earlier_schema_are_read_and_written_on() {
    for schema in 1..database::SCHEMA {
        let place = place_of(schema);
        let dir = place.path();
        let mut store = Store::open(&options(dir)).expect("a migration");
        let reader = Reader::open(dir).expect("a reader");
        let products = reader.products().expect("products");
        for product in &products {
            let rows = reader.rows(&product.name).expect("rows");
            assert_eq!(rows.len() as u64, product.installs);
            let seen = rows
                .iter()
                .flat_map(|row| (row.day0..=row.last_day).filter(|day| row.seen_on(*day)));
            let days = reader.days(&product.name).expect("days");
            assert_eq!(seen.count(), days.len());
            assert!(rows.iter().all(|row| !row.flood));
            assert!(days.iter().all(|(_, day)| day.codes.is_empty()), "they could not say one");
        }
        assert_eq!(
            products.iter().map(|product| product.installs).sum::<u64>(),
            INSTALLS[schema as usize - 1]
        );
        // A heartbeat with a code, beside the rows that are there.
        let mut beat = heartbeat(20_900 * 86_400);
        beat.product = Some("notes-server".to_owned());
        beat.codes = vec![Met { code: Code::of("MCPX_HTTP_DNS"), changes: 1, servers: 1 }];
        let stored = store.apply(&[Incoming::new(&beat, beat.claimed)], &Counts::new());
        assert_eq!(stored, Ok(vec![Outcome::Stored]));
        let days = reader.days("notes-server").expect("days");
        let with_codes = days.iter().filter(|(_, day)| !day.codes.is_empty());
        assert_eq!(with_codes.map(|(day, _)| *day).collect::<Vec<_>>(), [20_900]);
    }
}

#[test]
fn a_copy_of_schema_2_is_restored_without_those_who_were_erased_since() {
    let place = place_of(2);
    let dir = place.path();
    let copies = place_of(2);
    let copy = database::file(copies.path());
    let mut beat = heartbeat(20_900 * 86_400);
    beat.product = Some("notes-server".to_owned());
    let apply = |change: &Change<'_>| {
        let mut store = Store::open(&options(dir)).expect("a migration");
        store.commit(change, &Counts::new()).expect("a commit")
    };
    let batch = [Incoming::new(&beat, beat.claimed)];
    assert_eq!(apply(&Change { batch: &batch, ..Change::default() }), [Outcome::Stored]);
    let gone =
        Erasure { product: "notes-server".to_owned(), id: beat.id.clone(), asked: beat.claimed };
    apply(&Change { erasures: &[gone], ..Change::default() });
    let done = crate::collector::store::restore(dir, &copy, &KeySource::Own, true, 1_806_000_000);
    done.expect("a restore");
    assert_eq!(database::schema(&raw(dir)), Ok(Some(2)));
    // A late retry does not bring it back.
    assert_eq!(apply(&Change { batch: &batch, ..Change::default() }), [Outcome::Erased]);
}

#[test]
fn only_a_collector_migrates_and_all_else_says_so() {
    let place = place();
    let dir = place.path();
    let before = fs::read(database::file(dir)).expect("the file");
    assert_eq!(Reader::open(dir).map(drop), Err(StoreError::Older));
    let added = crate::collector::store::add(dir, true, "new-mcp");
    assert_eq!(added, Err(ProductError::Store(StoreError::Older)));
    assert_eq!(fs::read(database::file(dir)).expect("the file"), before);
}

#[test]
fn a_step_that_loses_a_row_or_breaks_off_is_undone() {
    for (step, error) in [
        (
            "ALTER TABLE installs ADD COLUMN x; DELETE FROM days WHERE day = (SELECT MAX(day) FROM days);",
            StoreError::MigrationLoses,
        ),
        (
            "ALTER TABLE installs ADD COLUMN x; ALTER TABLE nothing ADD COLUMN y;",
            StoreError::Damaged,
        ),
    ] {
        let place = place();
        let dir = place.path();
        let mut connection = raw(dir);
        let (rows, tables) = (everything(&connection), columns(&connection));
        assert_eq!(run_steps(&mut connection, dir, OWNER, &[step]), Err(error));
        assert_eq!((everything(&connection), columns(&connection)), (rows, tables));
        assert_eq!(database::schema(&connection), Ok(Some(1)));
        // And the version of today still can.
        drop(connection);
        assert!(Store::open(&options(dir)).is_ok());
    }
}

#[test]
fn two_directories_with_one_database_migrate_one_after_the_other() {
    let place = place();
    let dir = place.path();
    let mut connection = raw(dir);
    begin(&mut connection, 2, "another one").expect("its turn");
    let Err(StoreError::Migrating(seconds)) =
        run_steps(&mut connection, dir, OWNER, &sql::MIGRATIONS)
    else {
        panic!("it went ahead");
    };
    assert!((1..=LEASE + 1).contains(&seconds), "{seconds}");
    assert_eq!(database::schema(&connection), Ok(Some(1)));
    // The same one goes on where it was killed.
    run_steps(&mut connection, dir, "another one", &sql::MIGRATIONS).expect("its own turn");
    assert_eq!(database::schema(&connection), Ok(Some(database::SCHEMA)));
    // And one that was killed long ago stops no other.
    let place = self::place();
    let mut connection = raw(place.path());
    begin(&mut connection, 2, "another one").expect("its turn");
    connection.execute("UPDATE migrating SET until = 1790000000", []).expect("a change");
    run_steps(&mut connection, place.path(), OWNER, &sql::MIGRATIONS).expect("a turn");
    assert_eq!(database::schema(&connection), Ok(Some(database::SCHEMA)));
}

#[test]
fn without_a_copy_nothing_is_changed() {
    let place = place();
    let dir = place.path();
    // Where the copy goes, a directory is in the way.
    fs::create_dir(dir.join("collector.db.before-schema-2.part")).expect("a directory");
    let (rows, tables) = (everything(&raw(dir)), columns(&raw(dir)));
    let refused = Store::open(&options(dir)).map(drop);
    assert!(matches!(refused, Err(ProductError::Store(StoreError::Copy(_)))), "{refused:?}");
    assert_eq!((everything(&raw(dir)), columns(&raw(dir))), (rows, tables));
    fs::remove_dir(dir.join("collector.db.before-schema-2.part")).expect("it is empty");
    assert!(Store::open(&options(dir)).is_ok());
}

#[test]
fn a_damaged_database_is_not_migrated() {
    let place = place();
    let dir = place.path();
    let mut bytes = fs::read(database::file(dir)).expect("the file");
    let last = bytes.len() - 4096;
    bytes[last..].fill(0);
    fs::write(database::file(dir), &bytes).expect("a damaged file");
    let refused = Store::open(&options(dir)).map(drop);
    assert_eq!(refused, Err(ProductError::Store(StoreError::Damaged)));
    assert!(!copy_before(dir, 2).exists());
    assert_eq!(database::schema(&raw(dir)), Ok(Some(1)));
    let key = KeySource::Variable("ab".repeat(32));
    assert!(Store::open(&StoreOptions { key, ..options(dir) }).is_err());
}
