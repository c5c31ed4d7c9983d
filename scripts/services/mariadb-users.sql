-- Run at every start of MariaDB by scripts/services.sh, and once by
-- docker-compose.yml. One statement a line: the server reads it by lines.
-- None of it belongs in the binary log that the tests read.
SET sql_log_bin = 0;
CREATE USER IF NOT EXISTS 'root'@'localhost' IDENTIFIED BY 'root-secret';
CREATE USER IF NOT EXISTS 'root'@'127.0.0.1' IDENTIFIED BY 'root-secret';
ALTER USER 'root'@'localhost' IDENTIFIED BY 'root-secret';
ALTER USER 'root'@'127.0.0.1' IDENTIFIED BY 'root-secret';
GRANT ALL PRIVILEGES ON *.* TO 'root'@'localhost' WITH GRANT OPTION;
GRANT ALL PRIVILEGES ON *.* TO 'root'@'127.0.0.1' WITH GRANT OPTION;
CREATE USER IF NOT EXISTS 'sluice'@'%' IDENTIFIED BY 'sluice-secret';
ALTER USER 'sluice'@'%' IDENTIFIED BY 'sluice-secret';
GRANT SELECT, RELOAD, SHOW DATABASES, LOCK TABLES, REPLICATION SLAVE, BINLOG MONITOR, REPLICATION SLAVE ADMIN, SLAVE MONITOR ON *.* TO 'sluice'@'%';
