//! One `mailwright up` as a child: started, waited for, asked, killed, started again on the same data.

use super::{Manifests, Output, PATIENCE, Ports, run, script, wait_for, wire};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// The executable under test: `MAILWRIGHT_BIN`, or the one that cargo built beside this test.
///
/// # Panics
/// When it was not built; `cargo test` alone builds it only together with the tests of the `cli` package.
pub fn mailwright() -> PathBuf {
    if let Some(path) = std::env::var_os("MAILWRIGHT_BIN") {
        return PathBuf::from(path);
    }
    let test = std::env::current_exe().expect("a test knows its own path");
    // Tests are in target/<profile>/deps, programs in target/<profile>.
    let mut places = test.ancestors().skip(1).take(2).map(|place| place.join("mailwright"));
    let path = places.find(|path| path.exists());
    path.unwrap_or_else(|| panic!("mailwright is not built: run `cargo build --workspace --all-targets`"))
}

/// A server with its manifests and its data; at most one process at a time.
pub struct Server {
    /// Where it listens.
    pub ports: Ports,
    /// What it follows.
    pub manifests: Manifests,
    /// What `up` is given besides `--data` and `--bind`.
    pub options: Vec<String>,
    source: String,
    home: TempDir,
    running: Option<Running>,
    starts: usize,
}

impl Server {
    /// A copy of `examples/<name>` on free ports, not started.
    pub fn example(name: &str) -> Self {
        let home = TempDir::new().expect("a temporary directory");
        let ports = Ports::free();
        let manifests = Manifests::example(name, home.path().join("manifests"), &ports);
        let source = manifests.dir().display().to_string();
        Self { ports, manifests, options: Vec::new(), source, home, running: None, starts: 0 }
    }

    /// The quickstart, started and ready.
    pub fn quickstart() -> Self {
        let mut server = Self::example("quickstart");
        server.start();
        server
    }

    /// Follows `source` (a path or a URL) with these options from the next start on, instead of the directory itself.
    pub fn follow(&mut self, source: &str, options: &[&str]) {
        source.clone_into(&mut self.source);
        self.options = options.iter().map(|option| (*option).to_owned()).collect();
    }

    /// The data directory.
    pub fn data(&self) -> PathBuf {
        self.home.path().join("data")
    }

    /// A directory for whatever else a test writes.
    pub fn scratch(&self) -> PathBuf {
        let path = self.home.path().join("scratch");
        std::fs::create_dir_all(&path).expect("a directory");
        path
    }

    /// Starts `mailwright up` and waits until it is ready.
    pub fn start(&mut self) {
        let mut running = self.spawn();
        running.wait_ready(self.ports.http);
        self.running = Some(running);
    }

    /// Starts `mailwright serve` with `options` on the same data and waits until it is ready.
    pub fn start_serving(&mut self, options: &[&str]) {
        let mut running = self.launch(&["serve"], options);
        running.wait_ready(self.ports.http);
        self.running = Some(running);
    }

    /// Starts `mailwright up` without waiting.
    pub fn spawn(&mut self) -> Running {
        let (source, options) = (self.source.clone(), self.options.clone());
        self.launch(&["up", &source], &options.iter().map(String::as_str).collect::<Vec<_>>())
    }

    fn launch(&mut self, command: &[&str], options: &[&str]) -> Running {
        assert!(self.running.is_none(), "it runs already");
        self.starts += 1;
        let log = self.home.path().join(format!("log-{}", self.starts));
        let mut process = Command::new(mailwright());
        process.args(command).args(options).args(["--bind", "127.0.0.1", "--data"]).arg(self.data());
        Running::start(process.current_dir(self.home.path()), log)
    }

    /// The process, while there is one.
    ///
    /// # Panics
    /// When it is not running.
    pub fn running(&mut self) -> &mut Running {
        self.running.as_mut().expect("it was started")
    }

    /// SIGKILL, as a power cut would.
    pub fn kill(&mut self) {
        if let Some(mut running) = self.running.take() {
            running.kill();
        }
    }

    /// SIGTERM, and waits until it ended.
    pub fn stop(&mut self) -> ExitStatus {
        self.running.take().expect("it was started").stop()
    }

    /// Runs another subcommand against the same data directory.
    pub fn cli(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(mailwright());
        command.args(arguments).arg("--data").arg(self.data());
        run(command.current_dir(self.home.path()))
    }

    /// The arguments that every script of `tests/clients/` takes.
    pub fn script_arguments(&self) -> Vec<String> {
        let Ports { smtp, imap, imaps, http, .. } = self.ports;
        let ports = [("--smtp", smtp), ("--imap", imap), ("--imaps", imaps), ("--http", http)];
        let mut arguments: Vec<String> =
            ports.iter().flat_map(|(name, port)| [(*name).to_owned(), port.to_string()]).collect();
        arguments.extend(["--ca".to_owned(), self.certificate().display().to_string()]);
        arguments
    }

    /// Runs a script of `tests/clients/` against this server.
    pub fn script(&self, name: &str, arguments: &[&str]) -> Output {
        let ours = self.script_arguments();
        script(name, &ours.iter().map(String::as_str).chain(arguments.iter().copied()).collect::<Vec<_>>())
    }

    /// A file with the certificate that the server shows, fetched as somebody who trusts it on first use would.
    pub fn certificate(&self) -> PathBuf {
        let path = self.scratch().join("server.pem");
        if !path.exists() {
            let fetch =
                format!("import ssl; print(ssl.get_server_certificate(('127.0.0.1', {})))", self.ports.imaps);
            let pem = run(Command::new("python3").args(["-c", &fetch])).ok().stdout;
            std::fs::write(&path, pem).expect("the certificate can be written");
        }
        path
    }

    /// Everything that any start of it has printed.
    pub fn logs(&self) -> String {
        let log = |start| std::fs::read(self.home.path().join(format!("log-{start}"))).unwrap_or_default();
        (1..=self.starts).map(|start| String::from_utf8_lossy(&log(start)).into_owned()).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("---- what mailwright printed ----\n{}---- end ----", self.logs());
        }
    }
}

/// One process.
pub struct Running {
    child: Child,
    log: PathBuf,
}

impl Running {
    /// Starts `command`, both streams into `log`.
    pub(super) fn start(command: &mut Command, log: PathBuf) -> Self {
        let file = File::create(&log).expect("a log file");
        let copy = file.try_clone().expect("a second handle");
        command.stdin(Stdio::null()).stdout(file).stderr(copy);
        let child = command.spawn().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
        Self { child, log }
    }

    /// Waits until `/readyz` on `port` says so.
    pub(super) fn wait_ready(&mut self, port: u16) {
        wait_for("mailwright to be ready", PATIENCE, || {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                panic!("mailwright ended before it was ready ({status}):\n{}", self.log());
            }
            let answer = wire::http_get(port, "/readyz").ok()?;
            answer.starts_with("HTTP/1.1 200").then_some(())
        });
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it printed so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Sends `signal` by name (`TERM`, `INT`).
    pub fn signal(&self, signal: &str) {
        let kill = format!("kill -s {signal} {}", self.pid());
        run(Command::new("sh").args(["-c", &kill])).ok();
    }

    /// SIGTERM, and waits until it ended.
    pub fn stop(mut self) -> ExitStatus {
        self.signal("TERM");
        self.wait(PATIENCE)
    }

    /// Waits until it ended by itself.
    pub fn wait(&mut self, patience: Duration) -> ExitStatus {
        wait_for("mailwright to end", patience, || self.child.try_wait().expect("a child can be waited for"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Whether `path` is a file that its owner alone may read and write.
pub fn is_private(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|meta| meta.permissions().mode() & 0o777 == 0o600)
}
