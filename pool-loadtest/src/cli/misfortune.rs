//! What befalls the server while the load goes on, and how soon all is well again.

use std::mem::take;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep_until;

use super::own::OwnServer;
use super::thread::on_a_thread;
use crate::load::Progress;
use crate::report::IncidentReport;
use crate::scenario::{Fault, Notes};

/// Something that will befall the server, at times since the load began.
#[derive(Clone, Copy, Debug)]
pub(super) struct Planned {
    pub(super) fault: Fault,
    pub(super) from: Duration,
    pub(super) until: Duration,
}

/// How far the load is.
#[derive(Clone, Copy, Debug, Default)]
struct Tick {
    began: Option<Instant>,
    errors: u64,
    ended: bool,
}

/// What happened and when, in seconds since the load began, until somebody asks.
type News = Arc<Mutex<Vec<(f64, String)>>>;

/// Brings misfortune upon a server beside a load.
pub(super) struct Misfortunes {
    ticks: watch::Sender<Tick>,
    news: News,
    ready: watch::Receiver<bool>,
    calm: watch::Receiver<bool>,
    course: Option<JoinHandle<Option<IncidentReport>>>,
}

impl Misfortunes {
    /// Begins to wait for the load. Needs a tokio runtime around it.
    pub(super) fn plan(planned: Option<(Planned, Arc<OwnServer>)>, notes: &Arc<Notes>) -> Self {
        let (ticks, told) = watch::channel(Tick::default());
        let (readier, ready) = watch::channel(planned.is_none());
        let (calmer, calm) = watch::channel(planned.is_none());
        let news = News::default();
        let course = planned.map(|(planned, server)| {
            let (notes, news) = (Arc::clone(notes), Arc::clone(&news));
            let victim = Victim { server, ticks: told, notes, news };
            tokio::spawn(victim.suffer(planned, readier, calmer))
        });
        Self { ticks, news, ready, calm, course }
    }

    /// Waits until what is to be there before the load is there.
    pub(super) async fn ready(&self) {
        let _ = self.ready.clone().wait_for(|is_ready| *is_ready).await;
    }

    /// Becomes true once all is over; nobody is left to say so if that cannot be.
    pub(super) fn calm(&self) -> watch::Receiver<bool> {
        self.calm.clone()
    }

    /// The load is so far.
    pub(super) fn tell(&self, progress: &Progress) {
        if progress.warm_up_left.is_some() {
            return;
        }
        let now = Instant::now();
        self.ticks.send_modify(|tick| {
            let began = now.checked_sub(progress.elapsed).unwrap_or(now);
            tick.began.get_or_insert(began);
            tick.errors = progress.errors;
            tick.ended = progress.ended;
        });
    }

    /// What happened since the last time this was asked.
    pub(super) fn news(&self) -> Vec<(f64, String)> {
        take(&mut *self.news.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The run is over: what there was.
    pub(super) async fn seen(self) -> Vec<IncidentReport> {
        let Self { ticks, course, .. } = self;
        drop(ticks);
        match course {
            Some(course) => course.await.ok().flatten().into_iter().collect(),
            None => Vec::new(),
        }
    }
}

/// A server under load.
struct Victim {
    server: Arc<OwnServer>,
    ticks: watch::Receiver<Tick>,
    notes: Arc<Notes>,
    news: News,
}

impl Victim {
    /// Suffers what is planned. Nothing of it lasts beyond the end of the load.
    async fn suffer(
        mut self,
        planned: Planned,
        ready: watch::Sender<bool>,
        calm: watch::Sender<bool>,
    ) -> Option<IncidentReport> {
        let Planned { fault, from, until } = planned;
        let mut incident = IncidentReport {
            at_seconds: 0.0,
            what: String::new(),
            until_seconds: None,
            undone: None,
            failed: 0,
            recovered_after_seconds: None,
            problem: None,
        };
        if from.is_zero() {
            self.befall(fault, &mut incident).await;
        }
        let _ = ready.send(true);
        let began = self.ticks.wait_for(|tick| tick.began.is_some()).await.ok()?.began?;
        let errors = if from.is_zero() {
            0
        } else {
            if !self.sleep_until(began + from).await {
                let _ = calm.send(true);
                return None;
            }
            let errors = self.ticks.borrow().errors;
            incident.at_seconds = began.elapsed().as_secs_f64();
            self.befall(fault, &mut incident).await;
            errors
        };
        self.sleep_until(began + until).await;
        // Whoever is served from here on is served by a server that is well.
        self.notes.pulse.await_next();
        let server = Arc::clone(&self.server);
        let undone = on_a_thread(move || server.undo(fault)).await;
        let over = Instant::now();
        let until = began.elapsed().as_secs_f64();
        match undone {
            Ok(undone) => {
                self.tell(until, undone);
                (incident.until_seconds, incident.undone) = (Some(until), Some(undone.to_owned()));
            }
            // Why it did not happen says more.
            Err(error) => incident.problem = incident.problem.or(Some(format!("{error:#}"))),
        }
        let _ = calm.send(true);
        let recovered = self.recovered().await;
        if matches!(fault, Fault::Killed | Fault::Frozen) && incident.undone.is_some() {
            let after = recovered.map(|at| at.saturating_duration_since(over).as_secs_f64());
            incident.recovered_after_seconds = after;
        }
        incident.failed = self.ticks.borrow().errors.saturating_sub(errors);
        Some(incident)
    }

    /// Does it, and notes what happened.
    async fn befall(&self, fault: Fault, incident: &mut IncidentReport) {
        let server = Arc::clone(&self.server);
        match on_a_thread(move || server.befall(fault)).await {
            Ok(what) => {
                self.tell(incident.at_seconds, &what);
                incident.what = what;
            }
            Err(error) => {
                IncidentReport::NOTHING.clone_into(&mut incident.what);
                incident.problem = Some(format!("{error:#}"));
            }
        }
    }

    /// Sleeps until then, but not beyond the end of the load; whether it goes on.
    async fn sleep_until(&mut self, time: Instant) -> bool {
        tokio::select! {
            () = sleep_until(time.into()) => true,
            _ = self.ticks.wait_for(|tick| tick.ended) => false,
        }
    }

    /// Waits for the next success and then for the figures of its time, or for the end of the load;
    /// when it came, if it did.
    async fn recovered(&mut self) -> Option<Instant> {
        let recovered = tokio::select! {
            biased;
            at = self.notes.pulse.next() => Some(at),
            _ = self.ticks.wait_for(|tick| tick.ended) => None,
        };
        if recovered.is_some() && !self.ticks.borrow_and_update().ended {
            let _ = self.ticks.changed().await;
        }
        recovered
    }

    fn tell(&self, at: f64, what: &str) {
        self.news.lock().unwrap_or_else(PoisonError::into_inner).push((at, what.to_owned()));
    }
}
