//! The appliance's memory: SQLite (WAL, STRICT tables, foreign keys on).
