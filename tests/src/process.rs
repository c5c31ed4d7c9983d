//! The programs of this workspace as processes.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use sluice_demo::Result;

/// A program that was built in the same profile as this test.
///
/// # Errors
/// It was not built; the text says how to.
pub fn program(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    // target/<profile>/deps/it-0123 lies one directory below the programs.
    let profile = own.parent().and_then(Path::parent).ok_or("this test has no target directory")?;
    let path = profile.join(name);
    if path.exists() {
        return Ok(path);
    }
    Err(format!("{} is not built; build it with: cargo build --workspace --bins", path.display()).into())
}

/// A port that nothing listens on now.
fn free_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// A running `sql-client -f`. Killed when dropped.
#[derive(Debug)]
pub struct ClientProcess {
    child: Child,
    log: PathBuf,
    /// Port of its REST API.
    pub rest_port: u16,
}

impl ClientProcess {
    /// Runs a job file with its own home directory, detached from any server on this machine.
    ///
    /// # Errors
    /// The program cannot be started.
    pub fn start(file: &Path, home: &Path) -> Result<Self> {
        let rest_port = free_port()?;
        let log = home.join(format!("client-{rest_port}.log"));
        let output = std::fs::OpenOptions::new().create(true).append(true).open(&log)?;
        let mut command = client(home, rest_port)?;
        command.arg("-f").arg(file).stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        Ok(Self { child: command.spawn()?, log, rest_port })
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks it to stop, as Ctrl-C does, and returns its exit code.
    ///
    /// # Errors
    /// It did not end within the time.
    pub fn stop(&mut self, timeout: Duration) -> Result<i32> {
        Command::new("kill").arg("-INT").arg(self.child.id().to_string()).status()?;
        self.wait(timeout)
    }

    /// Waits for its end, and returns its exit code.
    ///
    /// # Errors
    /// It did not end within the time; the text has what it printed.
    pub fn wait(&mut self, timeout: Duration) -> Result<i32> {
        let deadline = Instant::now() + timeout;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status.code().unwrap_or(-1));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Err(format!("sql-client did not end within {timeout:?}:\n{}", self.output()).into())
    }

    /// True until it ends by itself.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// What it has printed so far.
    pub fn output(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for ClientProcess {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Runs a job file to its end, which must come within `timeout`.
///
/// # Errors
/// The program cannot be started, or does not end.
pub fn run_client(file: &Path, home: &Path, timeout: Duration) -> Result<Output> {
    let mut command = client(home, free_port()?)?;
    let child =
        command.arg("-f").arg(file).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let id = child.id();
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || sender.send(child.wait_with_output()));
    match receiver.recv_timeout(timeout) {
        Ok(output) => Ok(output?),
        Err(_) => {
            Command::new("kill").arg("-9").arg(id.to_string()).status()?;
            Err(format!("sql-client did not end within {timeout:?}").into())
        }
    }
}

fn client(home: &Path, rest_port: u16) -> Result<Command> {
    let mut command = Command::new(program("sql-client")?);
    command.env("SLUICE_HOME", home).arg("-D").arg(format!("rest.port={rest_port}"));
    Ok(command)
}
