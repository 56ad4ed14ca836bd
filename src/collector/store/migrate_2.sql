-- From schema 1 to 2.
--
-- One rule: it only adds, so a row of schema 1 stays as it is.

ALTER TABLE installs ADD COLUMN received INTEGER;
ALTER TABLE installs ADD COLUMN flood INTEGER NOT NULL DEFAULT 0;
ALTER TABLE installs ADD COLUMN checked INTEGER;

CREATE TABLE erased (
    install BLOB NOT NULL PRIMARY KEY,
    until INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE retired (
    product INTEGER NOT NULL,
    version TEXT NOT NULL,
    PRIMARY KEY (product, version)
) WITHOUT ROWID;

CREATE TABLE notes (
    day INTEGER NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (day, text)
) WITHOUT ROWID;

CREATE TABLE imports (
    file BLOB NOT NULL PRIMARY KEY,
    lines INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE frozen (
    product INTEGER NOT NULL,
    kind TEXT NOT NULL,
    day INTEGER NOT NULL,
    cell TEXT NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (product, kind, day, cell)
) WITHOUT ROWID;
