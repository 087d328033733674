-- Before the first migration.
CREATE SCHEMA IF NOT EXISTS keycell;

CREATE TABLE IF NOT EXISTS keycell.migrations (
    version bigint NOT NULL PRIMARY KEY
);
