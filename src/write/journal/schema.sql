-- docs/JOURNAL.md explains each table. What is released is never changed: later versions add migrations.
CREATE TABLE files (
    id        INTEGER PRIMARY KEY,
    key       TEXT NOT NULL,
    base      TEXT,
    expected  TEXT NOT NULL,
    exclusive INTEGER NOT NULL,
    leftover  TEXT
) STRICT;

CREATE TABLE generations (
    file       INTEGER NOT NULL REFERENCES files ON DELETE CASCADE,
    generation INTEGER NOT NULL,
    word       TEXT NOT NULL,
    write_id   TEXT NOT NULL,
    earlier    TEXT NOT NULL,
    size       INTEGER NOT NULL,
    object     TEXT NOT NULL,
    upload_key TEXT,
    upload_id  TEXT,
    error      TEXT,
    since      INTEGER NOT NULL,
    PRIMARY KEY (file, generation)
) STRICT, WITHOUT ROWID;

CREATE TABLE layers (
    id       INTEGER PRIMARY KEY,
    data     BLOB NOT NULL,
    zeros    BLOB NOT NULL,
    checksum TEXT NOT NULL
) STRICT;

CREATE TABLE stacks (
    file       INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    position   INTEGER NOT NULL,
    layer      INTEGER NOT NULL,
    PRIMARY KEY (file, generation, position),
    FOREIGN KEY (file, generation) REFERENCES generations ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE parts (
    file       INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    number     INTEGER NOT NULL,
    start      INTEGER NOT NULL,
    len        INTEGER NOT NULL,
    source     TEXT NOT NULL,
    etag       TEXT,
    PRIMARY KEY (file, generation, number),
    FOREIGN KEY (file, generation) REFERENCES generations ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE intents (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    kind    TEXT NOT NULL,
    payload TEXT NOT NULL,
    state   TEXT NOT NULL
) STRICT;
