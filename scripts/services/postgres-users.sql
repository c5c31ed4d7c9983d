-- Run once, when the data directory is made, by scripts/services.sh and by
-- docker-compose.yml. One statement a line: the server reads it by lines.
ALTER ROLE postgres PASSWORD 'root-secret';
CREATE ROLE sluice LOGIN CREATEDB REPLICATION PASSWORD 'sluice-secret';
CREATE DATABASE warehouse OWNER sluice;
