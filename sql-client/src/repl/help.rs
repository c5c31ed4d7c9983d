//! What the shell says about itself.

/// The first lines of a shell.
pub(super) const BANNER: &str = "
   _____ __      _
  / ___// /_  __(_)_______
  \\__ \\/ / / / / / ___/ _ \\
 ___/ / / /_/ / / /__/  __/
/____/_/\\__,_/_/\\___/\\___/   Flink SQL on Sluice

        Welcome! Enter 'HELP;' to list all available commands. 'QUIT;' to exit.
";

/// What `HELP` prints.
pub(super) const COMMANDS: &str = "\
The following commands are available:

HELP            Prints the available commands.
QUIT/EXIT       Quits the SQL CLI client.
CLEAR           Clears the current terminal.
SET             Sets a session configuration property. Syntax: SET '<key>'='<value>';. Use SET; for listing all properties.
RESET           Resets a session configuration property. Syntax: RESET '<key>';. Use RESET; for resetting all session properties.
INSERT INTO     Inserts the results of a SQL SELECT query into a declared table sink.
EXECUTE STATEMENT SET BEGIN ... END
                Runs several INSERTs as one job.
SELECT          Executes a SQL SELECT query.
EXPLAIN         Describes the execution plan of a query or table with the given name.
SHOW            SHOW TABLES, VIEWS, DATABASES, CATALOGS, FUNCTIONS, JOBS, CREATE TABLE <name>, COLUMNS FROM <name>.
DESCRIBE        Describes the columns of a table, or a job: DESCRIBE JOB '<id>'.
STOP JOB        Stops a job. Syntax: STOP JOB '<id>' [WITH SAVEPOINT] [WITH DRAIN];
CREATE, DROP, USE
                Declare, remove and choose tables, views and databases.

Statements end with ';' and may span lines. Tab completes names, options and settings; Ctrl-C clears
the line or ends a running query; Ctrl-D leaves.
";
