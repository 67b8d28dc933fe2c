//! A pool as naive as can be: lists, gone through from the front, and whole milliseconds.

use std::collections::VecDeque;

use pool_core::CloseReason;

/// What the pool is told, in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) max_open: usize,
    /// Effective.
    pub(super) max_idle: usize,
    pub(super) idle_grace: u64,
    pub(super) max_idle_time: Option<u64>,
    pub(super) check_after_idle: Option<u64>,
    pub(super) max_waiters: usize,
}

/// How an acquire ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum End {
    /// With this connection, the number of its session.
    Served(u64),
    TimedOut,
    QueueFull,
}

/// What can be counted; times in milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) open: usize,
    pub(super) idle: usize,
    pub(super) in_use: usize,
    pub(super) waiting: usize,
    pub(super) peak_in_use: usize,
    pub(super) started: u64,
    pub(super) immediate: u64,
    pub(super) waited: u64,
    pub(super) served_opened: u64,
    pub(super) timed_out: u64,
    pub(super) queue_full: u64,
    pub(super) cancelled: u64,
    pub(super) wait_count: u64,
    pub(super) wait_time: u64,
    pub(super) hold_time: u64,
    pub(super) oldest_wait: u64,
    pub(super) opened: u64,
    pub(super) closed: [u64; CloseReason::ALL.len()],
}

#[derive(Clone, Copy, Debug)]
struct Idle {
    session: u64,
    since: u64,
}

#[derive(Clone, Copy, Debug)]
struct Use {
    acquire: usize,
    session: u64,
    since: u64,
    outdated: bool,
}

#[derive(Clone, Copy, Debug)]
struct Wait {
    acquire: usize,
    since: u64,
    deadline: u64,
}

#[derive(Debug)]
pub(super) struct Reference {
    settings: Settings,
    now: u64,
    paused: bool,
    /// Released last at the end.
    idle: Vec<Idle>,
    uses: Vec<Use>,
    queue: VecDeque<Wait>,
    surplus_since: u64,
    counts: Counts,
    /// Those that ended since they were last asked for, in order, and when they began to wait.
    ended: Vec<(usize, End, u64)>,
}

impl Reference {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            settings,
            now: 0,
            paused: false,
            idle: Vec::new(),
            uses: Vec::new(),
            queue: VecDeque::new(),
            surplus_since: 0,
            counts: Counts::default(),
            ended: Vec::new(),
        }
    }

    /// Acquires that hold a connection, and those that wait.
    pub(super) fn holding(&self) -> Vec<usize> {
        self.uses.iter().map(|held| held.acquire).collect()
    }

    pub(super) fn waiting(&self) -> Vec<usize> {
        self.queue.iter().map(|wait| wait.acquire).collect()
    }

    /// Those that ended since the last call, in the order of their service.
    pub(super) fn take_ended(&mut self) -> Vec<(usize, End)> {
        let ended = std::mem::take(&mut self.ended);
        for (_, end, since) in &ended {
            self.counts.wait_time += self.now - since;
            self.counts.timed_out += u64::from(*end == End::TimedOut);
        }
        ended.into_iter().map(|(acquire, end, _)| (acquire, end)).collect()
    }

    pub(super) fn counts(&self) -> Counts {
        Counts {
            open: self.open(),
            idle: self.idle.len(),
            in_use: self.uses.len(),
            waiting: self.queue.len(),
            oldest_wait: self.queue.front().map_or(0, |wait| self.now - wait.since),
            ..self.counts.clone()
        }
    }

    fn open(&self) -> usize {
        self.idle.len() + self.uses.len()
    }

    pub(super) fn acquire(&mut self, acquire: usize, timeout: u64) {
        self.counts.started += 1;
        if let Some(session) = self.take_fresh() {
            self.counts.immediate += 1;
            self.hand_out(acquire, session, self.now);
        } else if self.queue.len() >= self.settings.max_waiters {
            self.counts.queue_full += 1;
            self.ended.push((acquire, End::QueueFull, self.now));
        } else {
            self.counts.wait_count += 1;
            let deadline = self.now + timeout;
            self.queue.push_back(Wait { acquire, since: self.now, deadline });
            self.expire();
            self.serve();
        }
    }

    pub(super) fn try_acquire(&mut self, acquire: usize) {
        if let Some(session) = self.take_fresh() {
            self.counts.started += 1;
            self.counts.immediate += 1;
            self.hand_out(acquire, session, self.now);
        }
    }

    /// The connection released last, if nobody waits for it and it was used a moment ago.
    fn take_fresh(&mut self) -> Option<u64> {
        let newest = *self.idle.last()?;
        let unused = self.now - newest.since;
        let fresh = self.settings.check_after_idle.is_none_or(|after| after > 0 && unused <= after);
        if self.paused || !self.queue.is_empty() || !fresh {
            return None;
        }
        self.idle.pop();
        Some(newest.session)
    }

    /// The longest waiting are served, by idle connections first.
    fn serve(&mut self) {
        while !self.paused && !self.queue.is_empty() {
            let session = if let Some(idle) = self.idle.pop() {
                self.counts.waited += 1;
                idle.session
            } else if self.open() < self.settings.max_open {
                self.counts.opened += 1;
                self.counts.served_opened += 1;
                self.counts.opened
            } else {
                return;
            };
            self.serve_oldest(session);
        }
    }

    fn serve_oldest(&mut self, session: u64) {
        let wait = self.queue.pop_front().expect("somebody waits");
        self.hand_out(wait.acquire, session, wait.since);
    }

    fn hand_out(&mut self, acquire: usize, session: u64, since: u64) {
        self.uses.push(Use { acquire, session, since: self.now, outdated: false });
        self.counts.peak_in_use = self.counts.peak_in_use.max(self.uses.len());
        self.ended.push((acquire, End::Served(session), since));
    }

    pub(super) fn cancel(&mut self, acquire: usize) {
        let place = self.queue.iter().position(|wait| wait.acquire == acquire).expect("it waits");
        let wait = self.queue.remove(place).expect("there");
        self.counts.cancelled += 1;
        self.counts.wait_time += self.now - wait.since;
    }

    /// A connection comes back, or `gone` says why it does not.
    pub(super) fn release(&mut self, acquire: usize, gone: Option<CloseReason>) {
        let place = self.uses.iter().position(|held| held.acquire == acquire).expect("held");
        let over_cap = self.open() > self.settings.max_open;
        let held = self.uses.remove(place);
        self.counts.hold_time += self.now - held.since;
        let outdated = held.outdated.then_some(CloseReason::Invalidated);
        let surplus = over_cap.then_some(CloseReason::Surplus);
        if let Some(reason) = gone.or(outdated).or(surplus) {
            self.counts.closed[reason as usize] += 1;
            self.serve();
        } else if !self.paused && !self.queue.is_empty() {
            self.counts.waited += 1;
            self.serve_oldest(held.session);
        } else {
            self.rest(held.session);
        }
    }

    fn rest(&mut self, session: u64) {
        let max_idle = self.settings.max_idle;
        let no_grace = max_idle == 0 || self.settings.idle_grace == 0;
        if no_grace && self.idle.len() >= max_idle {
            self.counts.closed[CloseReason::Surplus as usize] += 1;
            return;
        }
        self.idle.push(Idle { session, since: self.now });
        if self.idle.len() == max_idle + 1 {
            self.surplus_since = self.now;
        }
    }

    pub(super) fn invalidate(&mut self) {
        self.counts.closed[CloseReason::Invalidated as usize] += self.idle.len() as u64;
        self.idle.clear();
        self.uses.iter_mut().for_each(|held| held.outdated = true);
        self.serve();
    }

    pub(super) fn pause(&mut self) {
        self.paused = true;
    }

    pub(super) fn resume(&mut self) {
        self.paused = false;
        self.serve();
    }

    pub(super) fn resize(&mut self, max_open: usize, max_idle: usize) {
        self.settings.max_open = max_open;
        self.settings.max_idle = max_idle.min(max_open);
        while !self.idle.is_empty()
            && (self.open() > max_open || self.idle.len() > self.settings.max_idle)
        {
            self.close_oldest_idle(CloseReason::Surplus);
        }
        self.serve();
    }

    fn close_oldest_idle(&mut self, reason: CloseReason) {
        self.idle.remove(0);
        self.counts.closed[reason as usize] += 1;
    }

    /// Time passes, one millisecond after the other.
    pub(super) fn advance(&mut self, millis: u64) {
        for _ in 0..millis {
            self.now += 1;
            self.expire();
            while let Some(reason) = self.overdue() {
                self.close_oldest_idle(reason);
            }
        }
    }

    fn expire(&mut self) {
        let (expired, waiting) = self.queue.iter().partition(|wait| wait.deadline <= self.now);
        self.queue = waiting;
        let expired: VecDeque<Wait> = expired;
        let ended = expired.into_iter().map(|wait| (wait.acquire, End::TimedOut, wait.since));
        self.ended.extend(ended);
    }

    /// Why the connection unused for longest is to be closed now.
    fn overdue(&self) -> Option<CloseReason> {
        let oldest = self.idle.first()?;
        let surplus = self.idle.len() > self.settings.max_idle;
        let surplus_at = oldest.since.max(self.surplus_since) + self.settings.idle_grace;
        if surplus && surplus_at <= self.now {
            return Some(CloseReason::Surplus);
        }
        let time = self.settings.max_idle_time?;
        (oldest.since + time <= self.now).then_some(CloseReason::Idle)
    }
}
