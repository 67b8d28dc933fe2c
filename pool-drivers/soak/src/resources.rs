//! What the process holds, and whether that is what it held before.

use std::fmt;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio::runtime::Handle;

use crate::ALLOCATOR;
use crate::place::Place;

/// Beyond what was allocated at the first rest: buffers that have grown to what they once held.
const HEAP_MARGIN: usize = 512 << 10;

/// What timers and looks like ours allocate at rest, and free again.
const HEAP_RIPPLE: usize = 16 << 10;

/// The allocator keeps what was freed, in pieces: only much more than that is a leak that the count of
/// allocations, which does not see C code, has missed.
const RESIDENT_MARGIN: usize = 24 << 20;

/// How long after the last use everything may take to go: what was black-holed must time out.
const PATIENCE: Duration = Duration::from_mins(1);

const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

/// What the process holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Resources {
    /// Bytes allocated by Rust code.
    pub(crate) heap: usize,
    /// Bytes of memory in use by the process.
    pub(crate) resident: usize,
    pub(crate) descriptors: usize,
    pub(crate) tasks: usize,
    pub(crate) threads: usize,
    pub(crate) sessions: usize,
}

impl Resources {
    pub(crate) fn now(place: &impl Place, runtime: &Handle) -> Result<Self> {
        Ok(Self { sessions: place.sessions()?.len(), ..Self::own(runtime)? })
    }

    /// Without asking the server, which may be down.
    pub(crate) fn own(runtime: &Handle) -> Result<Self> {
        let status = fs::read_to_string("/proc/self/status")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().next()).context("no VmRSS")?;
        let heap = ALLOCATOR.stats();
        Ok(Self {
            heap: heap.bytes_allocated.saturating_sub(heap.bytes_deallocated),
            resident: kib.parse::<usize>()? << 10,
            // Without the one by which this is read.
            descriptors: fs::read_dir("/proc/self/fd")?.count() - 1,
            tasks: runtime.metrics().num_alive_tasks(),
            threads: fs::read_dir("/proc/self/task")?.count(),
            sessions: 0,
        })
    }

    /// What is held once nothing changes any more.
    ///
    /// # Errors
    ///
    /// It does not come to that, or cannot be seen.
    pub(crate) fn settled(place: &impl Place, runtime: &Handle) -> Result<Self> {
        const STEADY: Duration = Duration::from_secs(1);
        let begun = Instant::now();
        let (mut first, mut since) = (Self::now(place, runtime)?, begun);
        loop {
            thread::sleep(BETWEEN_LOOKS);
            let now = Self::now(place, runtime)?;
            if !now.is_as(first) {
                ensure!(begun.elapsed() < PATIENCE, "no rest in {PATIENCE:?}: {first}, then {now}");
                (first, since) = (now, Instant::now());
            } else if since.elapsed() >= STEADY {
                return Ok(now);
            }
        }
    }

    /// What is held once it is no more than at first, or after some patience.
    pub(crate) fn back_to(
        self,
        spare: usize,
        place: &impl Place,
        runtime: &Handle,
    ) -> Result<Self> {
        let begun = Instant::now();
        let mut is_told = false;
        loop {
            let now = Self::now(place, runtime)?;
            let took = begun.elapsed();
            if now.rows(self, spare).iter().all(|row| row.is_good) || took > PATIENCE {
                if is_told {
                    println!("gone after {took:?}, or not");
                }
                return Ok(now);
            }
            if !is_told && took > PATIENCE / 6 {
                is_told = true;
                println!("not gone yet: {now}; {}", place.sessions()?.join(" / "));
            }
            thread::sleep(BETWEEN_LOOKS);
        }
    }

    /// Beside what was held `at first`.
    pub(crate) fn rows(self, at_first: Self, spare: usize) -> [Row; 6] {
        let row = |what, first, now, margin| Row {
            what,
            first,
            now,
            margin,
            is_good: now <= first + margin,
        };
        [
            row("heap, bytes", at_first.heap, self.heap, HEAP_MARGIN),
            row("resident, bytes", at_first.resident, self.resident, RESIDENT_MARGIN),
            row("descriptors", at_first.descriptors, self.descriptors, spare),
            row("tasks", at_first.tasks, self.tasks, 0),
            row("threads", at_first.threads, self.threads, 0),
            row("sessions", at_first.sessions, self.sessions, spare),
        ]
    }

    /// But for what comes and goes by itself.
    fn is_as(self, other: Self) -> bool {
        let Self { descriptors, tasks, threads, sessions, .. } = other;
        [self.descriptors, self.tasks, self.threads, self.sessions]
            == [descriptors, tasks, threads, sessions]
            && self.heap.abs_diff(other.heap) <= HEAP_RIPPLE
    }
}

impl fmt::Display for Resources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |bytes: usize| bytes as f64 / f64::from(1 << 20);
        let Self { heap, resident, descriptors, tasks, threads, .. } = *self;
        write!(
            f,
            "heap {:.2} MiB, resident {:.1} MiB, {descriptors} fds, {tasks} tasks, {threads} threads",
            mib(heap),
            mib(resident)
        )
    }
}

/// What the process holds, by name: for whoever looks for a leak.
pub(crate) fn names() -> Vec<String> {
    let entries = |folder| fs::read_dir(folder).into_iter().flatten().flatten();
    let threads = entries("/proc/self/task").filter_map(|thread| {
        let name = fs::read_to_string(thread.path().join("comm")).ok()?;
        Some(format!("thread {}", name.trim()))
    });
    let descriptors = entries("/proc/self/fd").filter_map(|descriptor| {
        let end = fs::read_link(descriptor.path()).ok()?;
        // Each socket has a number of its own.
        Some(end.display().to_string().split(':').next()?.to_owned())
    });
    let mut names: Vec<String> = threads.chain(descriptors).collect();
    names.sort();
    names
        .chunk_by(|one, other| one == other)
        .map(|same| format!("{} x {}", same.len(), same[0]))
        .collect()
}

/// A line of the table at the end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    what: &'static str,
    first: usize,
    now: usize,
    margin: usize,
    pub(crate) is_good: bool,
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, first, now, margin, is_good } = self;
        let verdict = if *is_good { "ok" } else { "LEAK" };
        write!(f, "{what:<16} {first:>12} {now:>12} {margin:>12}  {verdict}")
    }
}
