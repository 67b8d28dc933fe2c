//! What a record comes to, told by hand.

use super::*;

const CLAIMS: Claims =
    Claims { total: Some(20), reserve: 2, floor: 2, most: 30, settles_within: 10.0 };

/// A fleet whose members are told of by hand.
struct Told(Record);

impl Told {
    fn of(members: usize) -> Self {
        let mut record = Record::new(CLAIMS);
        for member in 0..members {
            record.join(0.0, 100 + member as u32);
        }
        Self(record)
    }

    fn now(&mut self, at: f64, member: usize, granted: usize) {
        let state = Some(if granted > 0 { "granted" } else { "pending" }.to_owned());
        let moment =
            Moment { granted, open: granted, in_use: granted, waiting: 20, state, ..some() };
        self.0.said(at, member, &Said::Now(moment).line());
    }

    fn look(&mut self, at: f64, of_fleet: usize) {
        let shown = Shown { sessions: of_fleet + 1, of_fleet: Some(of_fleet) };
        self.0.show(shown);
        self.0.look(at, Some(shown));
    }
}

fn some() -> Moment {
    Moment { operations: 10, ..Moment::default() }
}

#[test]
fn how_long_a_member_waited_for_its_floor_counts_from_its_start() {
    let mut told = Told::of(1);
    told.0.join(5.0, 200);
    told.now(6.0, 1, 0);
    told.now(7.5, 1, 1);
    told.now(8.0, 1, 4);
    told.now(9.0, 1, 1);
    let judged = told.0.judged();
    let waited: Vec<_> = judged.members.iter().map(|member| member.floor_after_seconds).collect();
    assert_eq!(waited, [None, Some(3.0)]);
}

#[test]
fn more_sessions_than_the_budget_has_are_a_fault() {
    for (most, is_fault) in [(20, false), (21, true)] {
        let mut told = Told::of(1);
        told.look(1.0, most);
        told.look(2.0, 3);
        let judged = told.0.judged();
        assert_eq!(judged.peaks.fleet_sessions, Some(most));
        assert_eq!(judged.peaks.sessions, Some(most + 1));
        assert_eq!(judged.faults.len(), usize::from(is_fault), "{:?}", judged.faults);
    }
}

#[test]
fn who_was_refused_or_failed_is_a_fault_and_who_was_killed_is_none() {
    let mut told = Told::of(3);
    let refused = Moment { refused: 2, ..some() };
    told.0.said(1.0, 0, &Said::Now(refused).line());
    told.0.gone(2.0, 1, Gone::Failed("no database".to_owned()));
    told.0.gone(3.0, 2, Gone::Killed);
    let judged = told.0.judged();
    let expected =
        ["member 1 was refused 2 times: too many connections", "member 2 failed: no database"];
    assert_eq!(judged.faults, expected);
    assert_eq!(judged.members[2].end, MemberEnd::Killed);
}

#[test]
fn a_killed_members_share_is_reused_once_the_others_have_what_all_had() {
    let mut told = Told::of(3);
    for member in 0..3 {
        told.now(1.0, member, 5);
    }
    told.0.gone(2.0, 2, Gone::Killed);
    told.look(3.0, 11);
    told.now(4.0, 0, 8);
    told.look(4.0, 14);
    told.now(6.0, 1, 7);
    told.look(6.5, 15);
    told.look(9.0, 15);
    let judged = told.0.judged();
    let reused: Vec<_> = judged.members.iter().map(|member| member.reused_after_seconds).collect();
    assert_eq!(reused, [None, None, Some(4.5)]);
}

#[test]
fn fairness_is_looked_at_once_nobody_has_come_or_gone_for_a_while() {
    let mut told = Told::of(2);
    // 20 less 2 kept back less a connection for settling each: 8 are fair.
    told.now(1.0, 0, 12);
    told.now(1.0, 1, 4);
    told.look(9.0, 18);
    told.now(9.5, 0, 8);
    told.now(9.5, 1, 8);
    told.look(10.0, 18);
    told.look(11.0, 18);
    told.now(11.5, 0, 10);
    told.now(11.5, 1, 6);
    told.look(12.0, 18);
    let fairness = told.0.judged().fairness.expect("settled");
    assert_eq!((fairness.looks, fairness.median, fairness.most), (3, 0.0, 0.25));
}

#[test]
fn who_has_a_tuner_that_wants_fewer_asks_for_fewer() {
    let state = Some("granted".to_owned());
    let content = Moment { granted: 6, waiting: 20, state, recommended: Some(4), ..some() };
    for (is_tuned, deviation) in [(false, 0.25), (true, 0.0)] {
        let mut told = Told::of(2);
        told.now(1.0, 0, 10);
        told.0.said(1.0, 1, &Said::Now(Moment { is_tuned, ..content.clone() }).line());
        told.look(20.0, 18);
        let fairness = told.0.judged().fairness.expect("settled");
        assert!((fairness.most - deviation).abs() < 1e-9, "{fairness:?}");
    }
}

#[test]
fn of_a_fleet_in_which_somebody_waits_for_a_share_nothing_is_said_of_fairness() {
    let mut told = Told::of(2);
    told.now(1.0, 0, 16);
    told.now(1.0, 1, 0);
    told.look(20.0, 18);
    assert_eq!(told.0.judged().fairness, None);
}

#[test]
fn what_a_member_is_said_to_have_had_leaves_out_its_coming_and_its_leaving() {
    let mut told = Told::of(1);
    told.look(0.5, 1);
    for (at, granted) in [(1.0, 4), (2.0, 6), (3.0, 6)] {
        told.now(at, 0, granted);
        told.look(at, 1);
    }
    told.0.leave(3.5, 0);
    told.now(4.0, 0, 0);
    told.look(4.0, 1);
    let member = told.0.judged().members.remove(0);
    assert_eq!((member.granted.median, member.granted.most), (6, 6));
}

#[test]
fn what_a_member_did_is_what_it_said_last_unless_it_came_to_its_end() {
    let mut told = Told::of(2);
    told.now(1.0, 0, 4);
    told.now(1.0, 1, 4);
    let done = Done { operations: 44, seconds: 2.0, ..Done::default() };
    told.0.said(2.0, 1, &Said::Done(done).line());
    told.0.gone(2.0, 0, Gone::Killed);
    told.0.gone(2.5, 1, Gone::Left);
    let judged = told.0.judged();
    let did: Vec<_> = judged.members.iter().map(|it| (it.operations, it.throughput)).collect();
    assert_eq!(did, [(10, 5.0), (44, 22.0)]);
}

#[test]
fn who_says_nothing_for_a_while_is_silent_and_who_is_gone_is_not_counted() {
    let mut told = Told::of(3);
    for member in 0..3 {
        told.now(1.0, member, 4);
    }
    told.now(3.0, 0, 5);
    told.0.gone(3.0, 2, Gone::Killed);
    let now = told.0.now(3.5);
    assert_eq!((now.granted, now.silent, now.operations), (vec![5, 4], 1, 30));
    told.now(3.6, 1, 4);
    assert_eq!(told.0.now(3.7).silent, 0);
}

#[test]
fn a_line_that_no_member_says_is_told_once() {
    let mut told = Told::of(1);
    told.0.said(1.0, 0, "Killed");
    told.0.said(2.0, 0, "Killed");
    assert_eq!(told.0.judged().warnings, ["member 1 says what no member says"]);
}

#[test]
fn of_a_long_run_fewer_points_are_kept_and_both_of_its_ends() {
    let mut told = Told::of(1);
    for tick in 0..9000 {
        told.look(f64::from(tick) / 5.0, 1);
    }
    let points = told.0.judged().points;
    assert!((1000..=2000).contains(&points.len()), "{}", points.len());
    assert!(points[0].at_seconds < 1e-9 && points.last().is_some_and(|it| it.at_seconds > 1795.0));
}
