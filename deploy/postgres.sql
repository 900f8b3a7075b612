-- The store in PostgreSQL: one database and two roles. Once, as a superuser:
--
--   psql -v ON_ERROR_STOP=1 -d postgres -f deploy/postgres.sql
--   psql -d postgres -c '\password bongsu_owner' -c '\password bongsu'
--   BONGSU__STORE__PASSWORD=… bongsu store migrate --url postgres://bongsu_owner@HOST/bongsu?sslmode=…
--
-- The last line makes the tables, and brings them up to date before a new release starts. `bongsu_owner` owns them;
-- the service signs in as `bongsu`, which can read and write rows and cannot change a table.

CREATE ROLE bongsu_owner LOGIN;
CREATE ROLE bongsu LOGIN;
CREATE DATABASE bongsu OWNER bongsu_owner ENCODING 'UTF8' TEMPLATE template0;
REVOKE ALL ON DATABASE bongsu FROM PUBLIC;
GRANT CONNECT ON DATABASE bongsu TO bongsu;

\connect bongsu

REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO bongsu_owner;
GRANT USAGE ON SCHEMA public TO bongsu;
-- Tables of later releases too.
ALTER DEFAULT PRIVILEGES FOR ROLE bongsu_owner IN SCHEMA public
  GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO bongsu;
