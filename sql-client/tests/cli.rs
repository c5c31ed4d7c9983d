//! The programs as a user starts them. What needs a terminal gets one from `script`.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const SQL_CLIENT: &str = env!("CARGO_BIN_EXE_sql-client");
const SLUICE: &str = env!("CARGO_BIN_EXE_sluice");

/// Three rows and an end.
const BOUNDED: &str =
    "CREATE TABLE numbers (id INT, word STRING) WITH ('connector' = 'datagen', 'number-of-rows' = '3',
  'fields.id.kind' = 'sequence', 'fields.id.start' = '1', 'fields.id.end' = '3');
CREATE TABLE nothing (id INT) WITH ('connector' = 'blackhole');\n";

fn endless(name: &str) -> String {
    format!(
        "SET 'pipeline.name' = '{name}';\nSET 'execution.checkpointing.interval' = '200ms';
CREATE TABLE numbers (id BIGINT) WITH ('connector' = 'datagen', 'rows-per-second' = '500');
CREATE TABLE nothing (id BIGINT) WITH ('connector' = 'blackhole');
INSERT INTO nothing SELECT id FROM numbers;\n"
    )
}

/// A port that nothing listens on.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn command(program: &str, home: &Path) -> Command {
    let mut command = Command::new(program);
    command.env("SLUICE_HOME", home).env_remove("SLUICE_TOKEN").env_remove("NO_COLOR").stdin(Stdio::null());
    command
}

/// `sql-client` in its own process, on a port of its own.
fn client(home: &Path, arguments: &[&str]) -> Command {
    let mut command = command(SQL_CLIENT, home);
    command.arg("-D").arg(format!("rest.port={}", free_port())).args(arguments);
    command
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn file(home: &Path, name: &str, sql: &str) -> String {
    let path = home.join(name);
    std::fs::write(&path, sql).unwrap();
    path.display().to_string()
}

/// A child that is killed when a test fails.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.0.id().to_string()).status().unwrap();
        assert!(sent.success());
    }

    fn end(&mut self) -> i32 {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(40) {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status.code().unwrap_or(-1);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("the program does not end");
    }
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(30) {
        if holds() {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("{what} did not come to be");
}

#[test]
fn help_version_and_wrong_usage() {
    let home = tempfile::tempdir().unwrap();
    let help = command(SQL_CLIENT, home.path()).arg("--help").output().unwrap();
    assert!(help.status.success());
    assert!(text(&help).contains("--file <FILE>"), "{}", text(&help));
    assert!(text(&command(SLUICE, home.path()).arg("--version").output().unwrap()).starts_with("sluice "));
    let wrong = command(SQL_CLIENT, home.path()).args(["--fiel", "x"]).output().unwrap();
    assert_eq!(wrong.status.code(), Some(2));
    assert!(text(&wrong).contains("did you mean '--file'?"), "{}", text(&wrong));
    let missing = client(home.path(), &["-f", "/nowhere/x.sql"]).output().unwrap();
    assert_eq!(missing.status.code(), Some(1));
    assert!(text(&missing).contains("cannot read '/nowhere/x.sql'"), "{}", text(&missing));
    let gateway = command(SQL_CLIENT, home.path()).args(["gateway", "-f", "/nowhere/x.sql"]).output().unwrap();
    assert!(text(&gateway).contains("gateway mode needs an endpoint"), "{}", text(&gateway));
}

#[test]
fn a_bounded_file_runs_to_its_end() {
    let home = tempfile::tempdir().unwrap();
    let path = file(home.path(), "job.sql", &format!("{BOUNDED}INSERT INTO nothing SELECT id FROM numbers;"));
    let output = client(home.path(), &["-f", &path]).output().unwrap();
    let text = text(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    for expected in [
        "[INFO] Executing SQL from file.\n",
        "Flink SQL> CREATE TABLE nothing (id INT) WITH ('connector' = 'blackhole');\n[INFO] Execute statement succeeded.\n",
        "[INFO] Submitting SQL update statement to the cluster...\n\
         [INFO] SQL update statement has been successfully submitted to the cluster:\nJob ID: ",
        "is FINISHED.",
    ] {
        assert!(text.contains(expected), "{expected} is not in:\n{text}");
    }
}

#[test]
fn a_query_of_a_file_is_a_tableau() {
    let home = tempfile::tempdir().unwrap();
    let path = file(
        home.path(),
        "query.sql",
        &format!("{BOUNDED}SELECT id, CHAR_LENGTH(SUBSTRING(word, 1, 4)) AS n FROM numbers;"),
    );
    let output = client(home.path(), &["-f", &path]).output().unwrap();
    let text = text(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(
        text.contains(
            "+----+-------------+-------------+\n\
             | op |          id |           n |\n\
             +----+-------------+-------------+\n\
             | +I |           1 |           4 |\n\
             | +I |           2 |           4 |\n\
             | +I |           3 |           4 |\n\
             +----+-------------+-------------+\n\
             Received a total of 3 rows ("
        ),
        "{text}"
    );
}

#[test]
fn an_error_shows_its_line_and_no_password() {
    let home = tempfile::tempdir().unwrap();
    let sql = "CREATE TABLE t (id INT, PRIMARY KEY (id) NOT ENFORCED)\n  WITH ('connector' = 'jdbc', 'url' = 'jdbc:postgresql://h/d', 'table-name' = 't',\n  'username' = 'u', 'password' = 'hunter2', 'sink.buffer-flush.max-rosw' = '5');\nINSERT INTO t VALUES (1);";
    let path = file(home.path(), "wrong.sql", sql);
    let output = client(home.path(), &["-f", &path]).output().unwrap();
    let text = text(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("[ERROR] Could not execute SQL statement. Reason:\n"), "{text}");
    assert!(text.contains("'sink.buffer-flush.max-rosw'") && text.contains("^"), "{text}");
    assert!(text.contains("sink.buffer-flush.max-rows"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
    assert!(!text.contains("panicked") && !text.contains("stack backtrace"), "{text}");
}

#[test]
fn an_endless_file_stops_with_a_checkpoint_and_goes_on_from_it() {
    let home = tempfile::tempdir().unwrap();
    let path = file(home.path(), "endless.sql", &endless("endless"));
    for round in 0..2 {
        let port = free_port();
        let log = std::fs::File::create(home.path().join(format!("out{round}"))).unwrap();
        let mut command = command(SQL_CLIENT, home.path());
        command.args(["-D", &format!("rest.port={port}"), "-f", &path]).stdout(log.try_clone().unwrap()).stderr(log);
        let mut running = Running(command.spawn().unwrap());
        let read = || std::fs::read_to_string(home.path().join(format!("out{round}"))).unwrap();
        eventually("a running job", || read().contains("1 job is running"));
        if round == 0 {
            let second = client(home.path(), &["-f", &path]).output().unwrap();
            assert!(text(&second).contains("is being run by another process"), "{}", text(&second));
        }
        std::thread::sleep(Duration::from_secs(1));
        running.signal(if round == 0 { "INT" } else { "TERM" });
        assert_eq!(running.end(), 0, "{}", read());
        assert!(read().contains("to go on from checkpoint"), "{}", read());
        if round == 1 {
            let number = |round: u32| {
                let text = std::fs::read_to_string(home.path().join(format!("out{round}"))).unwrap();
                let (_, rest) = text.split_once("to go on from checkpoint ").unwrap();
                rest.split([' ', '.']).next().unwrap().parse::<u64>().unwrap()
            };
            assert!(number(1) > number(0), "ids of checkpoints go on");
        }
    }
}

#[test]
fn a_server_takes_files_and_survives_kill_9() {
    let home = tempfile::tempdir().unwrap();
    let port = free_port();
    let endpoint = format!("127.0.0.1:{port}");
    let start = || {
        let mut command = command(SLUICE, home.path());
        command
            .args(["server", "--port", &port.to_string(), "--metrics-port", "0"])
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let running = Running(command.spawn().unwrap());
        eventually("a server", || std::net::TcpStream::connect(&endpoint).is_ok());
        running
    };
    let server = start();
    let path = file(home.path(), "served.sql", &endless("served"));
    let submitted =
        command(SQL_CLIENT, home.path()).args(["-D", &format!("rest.port={port}"), "-f", &path]).output().unwrap();
    assert_eq!(submitted.status.code(), Some(0), "{}", text(&submitted));
    let said = text(&submitted);
    let (_, id) = said.split_once("Job ID: ").unwrap();
    let id = &id[..32];
    let jobs = || text(&command(SLUICE, home.path()).args(["jobs", "-e", &endpoint]).output().unwrap());
    assert!(jobs().contains(id) && jobs().contains("RUNNING"), "{}", jobs());
    std::thread::sleep(Duration::from_secs(1));
    server.signal("KILL");
    drop(server);
    let _server = start();
    eventually("the job after the crash", || jobs().contains(id) && jobs().contains("RUNNING"));
    let savepoint = command(SLUICE, home.path()).args(["savepoint", "served", "-e", &endpoint]).output().unwrap();
    assert!(text(&savepoint).contains("Savepoint completed. Path: "), "{}", text(&savepoint));
    let wrong = command(SLUICE, home.path()).args(["cancel", "sevred", "-e", &endpoint]).output().unwrap();
    assert!(text(&wrong).contains("did you mean 'served'?"), "{}", text(&wrong));
    let stopped = command(SLUICE, home.path()).args(["stop", "served", "-e", &endpoint]).output().unwrap();
    assert!(text(&stopped).contains("Savepoint completed. Path: "), "{}", text(&stopped));
    assert!(!jobs().contains(id), "{}", jobs());
    let unreachable =
        command(SLUICE, home.path()).args(["jobs", "-e", &format!("127.0.0.1:{}", free_port())]).output().unwrap();
    assert_eq!(unreachable.status.code(), Some(7), "{}", text(&unreachable));
}

#[test]
fn a_server_for_others_needs_a_token() {
    let home = tempfile::tempdir().unwrap();
    let output = command(SLUICE, home.path()).args(["server", "--host", "0.0.0.0", "--port", "0"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("without a token") && text(&output).contains("--token-file"), "{}", text(&output));
}

#[test]
fn statements_from_a_pipe() {
    let home = tempfile::tempdir().unwrap();
    let mut command = client(home.path(), &[]);
    let mut running = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let sql = format!("{BOUNDED}SHOW TABLES;\nSELECT id FROM\nnumbers;\nQUIT;\n");
    running.stdin.take().unwrap().write_all(sql.as_bytes()).unwrap();
    let output = running.wait_with_output().unwrap();
    let text = text(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("| table name |\n") && text.contains("2 rows in set"), "{text}");
    assert!(text.contains("Received a total of 3 rows"), "{text}");
    assert!(text.contains("[INFO] Exiting Flink SQL CLI Client..."), "{text}");
    let history = std::fs::read_to_string(home.path().join("history")).unwrap();
    assert!(history.contains("SELECT id FROM\\nnumbers;"), "{history}");
}

/// A program on a terminal.
struct Terminal {
    running: Running,
    screen: std::sync::Arc<std::sync::Mutex<String>>,
}

impl Terminal {
    fn start(home: &Path, arguments: &str) -> Self {
        let port = free_port();
        let line = format!("stty rows 24 cols 100; exec {SQL_CLIENT} -D rest.port={port} {arguments}");
        let mut command = Command::new("script");
        command.args(["-qfec", &line, "/dev/null"]).env("SLUICE_HOME", home).env("TERM", "xterm-256color");
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut running = Running(command.spawn().expect("the program `script` of util-linux"));
        let screen = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
        let (mut out, seen) = (running.0.stdout.take().unwrap(), std::sync::Arc::clone(&screen));
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length) = out.read(&mut buffer) {
                if length == 0 {
                    break;
                }
                seen.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..length]));
            }
        });
        Self { running, screen }
    }

    fn press(&mut self, keys: &str) {
        let input = self.running.0.stdin.as_mut().unwrap();
        input.write_all(keys.as_bytes()).unwrap();
        input.flush().unwrap();
    }

    /// Waits for a text behind what was seen before.
    fn see(&mut self, text: &str) {
        let begun = Instant::now();
        loop {
            let seen = self.screen.lock().unwrap().clone();
            if let Some(at) = seen.find(text) {
                self.screen.lock().unwrap().replace_range(..at + text.len(), "");
                return;
            }
            assert!(begun.elapsed() < Duration::from_secs(30), "'{text}' did not come:\n{seen}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

#[test]
fn a_shell_on_a_terminal() {
    let home = tempfile::tempdir().unwrap();
    let mut shell = Terminal::start(home.path(), "");
    shell.see("Welcome! Enter 'HELP;'");
    shell.see("Flink SQL> ");
    for line in [
        "CREATE TABLE n (id INT) WITH\r",
        "('connector'='datagen','rows-per-second'='5',\r",
        "'fields.id.kind'='sequence','fields.id.start'='1','fields.id.end'='100000');\r",
    ] {
        shell.press(line);
        std::thread::sleep(Duration::from_millis(200));
    }
    shell.see("Execute statement succeeded.");
    // Ctrl-C clears the line.
    shell.press("SELECT nonsense");
    shell.see("nonsense");
    shell.press("\x03");
    shell.see("Flink SQL> ");
    // What is typed ahead is not lost.
    shell.press("SHOW TABLES;\rSHOW DATABASES;\r");
    shell.see("1 row in set");
    shell.see("default_database");
    // Tab completes.
    shell.press("DESCRI\t n;\r");
    shell.see("| name |");
    // Table mode: a full screen.
    shell.press("SELECT id FROM n;\r");
    shell.see("SQL Query Result (Table)");
    shell.see("Page: Last of 1");
    shell.press("q");
    shell.see("Result retrieval cancelled.");
    shell.press("SET 'sql-client.execution.result-mode' = 'changelog';\r");
    shell.see("Execute statement succeeded.");
    shell.press("SELECT id FROM n;\r");
    shell.see("SQL Query Result (Changelog)");
    shell.see("+I");
    shell.press("q");
    shell.see("Result retrieval cancelled.");
    shell.press("SET 'sql-client.execution.result-mode' = 'tableau';\r");
    shell.see("Execute statement succeeded.");
    shell.press("SELECT id FROM n;\r");
    shell.see("| +I |           2 |");
    shell.press("\x03");
    shell.see("Query terminated, received a total of ");
    shell.see("Flink SQL> ");
    shell.press("SELECT x FROM n;\r");
    shell.see("Could not execute SQL statement. Reason:");
    // A place in an earlier statement is shown there.
    shell.press("CREATE TABLE bad (id INT) WITH\r");
    std::thread::sleep(Duration::from_millis(200));
    shell.press("('connector'='datagen', 'rows-pre-second'='5');\r");
    shell.see("Execute statement succeeded.");
    shell.press("SELECT id FROM bad;\r");
    shell.see("2 | ('connector'='datagen', 'rows-pre-second'='5')");
    shell.press("\x04");
    shell.see("Exiting Flink SQL CLI Client...");
    shell.see("done.");
    assert_eq!(shell.running.end(), 0);
}

#[test]
fn a_file_on_a_terminal_shows_a_line_and_stops_with_ctrl_c() {
    let home = tempfile::tempdir().unwrap();
    let path = file(home.path(), "live.sql", &endless("live"));
    let mut terminal = Terminal::start(home.path(), &format!("-f {path}"));
    terminal.see("1 job is running in this process");
    terminal.see("live RUNNING · in ");
    terminal.see("rows/s · nothing");
    terminal.press("\x03");
    terminal.see("Stopping with a final checkpoint");
    terminal.see("to go on from checkpoint");
    assert_eq!(terminal.running.end(), 0);
}
