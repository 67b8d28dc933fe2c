//! A program and its files as a kubelet keeps them.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use pool_testkit::built_example;
use tempfile::TempDir;

const AGES: Duration = Duration::from_secs(30);

/// A `ConfigMap` as a volume: a file that is a link into a folder that is a link.
pub(crate) struct ConfigMap {
    folder: TempDir,
    version: u32,
}

impl ConfigMap {
    pub(crate) fn new(file: &str, text: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        symlink(Path::new("..data").join(file), folder.path().join(file)).expect("linked");
        let mut it = Self { folder, version: 0 };
        it.change(file, text);
        it
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// As a kubelet does it: by turning the link to another folder.
    pub(crate) fn change(&mut self, file: &str, text: &str) {
        self.version += 1;
        let version = format!("..{}", self.version);
        let folder = self.path().join(&version);
        fs::create_dir(&folder).expect("a folder");
        fs::write(folder.join(file), text).expect("written");
        symlink(version, self.path().join("..data_tmp")).expect("linked");
        fs::rename(self.path().join("..data_tmp"), self.path().join("..data")).expect("turned");
    }
}

/// The example, as it runs.
pub(crate) struct Pod {
    child: Child,
    said: Receiver<String>,
    pub(crate) probes: SocketAddr,
    pub(crate) service: SocketAddr,
}

impl Pod {
    pub(crate) fn start(environment: &[(&str, &str)]) -> Self {
        let source = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/service.rs"));
        let mut program = Command::new(built_example(source));
        let mut child = program
            .envs(environment.iter().copied())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a program");
        let said = lines(child.stdout.take().expect("piped"));
        let here = ([127, 0, 0, 1], 0).into();
        let mut pod = Self { child, said, probes: here, service: here };
        pod.probes = pod.until_it_says("probes at ").parse().expect("an address");
        pod.service = pod.until_it_says("serves at ").parse().expect("an address");
        pod
    }

    /// What it says after `words`, once it does.
    #[track_caller]
    pub(crate) fn until_it_says(&self, words: &str) -> String {
        loop {
            let line = self.said.recv_timeout(AGES);
            let line = line.unwrap_or_else(|_| panic!("it does not say {words:?}"));
            if let Some((_, rest)) = line.split_once(words) {
                return rest.to_owned();
            }
        }
    }

    /// What a visitor is told.
    pub(crate) fn visit(&self) -> String {
        let mut told = String::new();
        let mut stream = TcpStream::connect(self.service).expect("it serves");
        stream.set_read_timeout(Some(AGES)).expect("set");
        stream.read_to_string(&mut told).expect("told");
        told
    }

    pub(crate) fn terminate(&self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("kill").success());
    }

    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child")
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        // It has ended, unless the test failed.
        let _killed = self.child.kill();
        let _status = self.child.wait();
    }
}

fn lines(stdout: ChildStdout) -> Receiver<String> {
    let (sender, said) = channel();
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            // The test may have seen enough.
            let _heard = sender.send(line);
        }
    });
    said
}
