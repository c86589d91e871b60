//! The random histories make the situations that the properties are about, often.

use super::history::Player;
use super::steps::{Step, policies};
use super::{any_history, config};
use crate::model::{Hub, RunReport, Touch};
use proptest::test_runner::TestRunner;
use rollcall_core::action::Action;
use rollcall_core::directory::Dispute;
use rollcall_core::roster::MemberStatus;
use std::cell::RefCell;
use std::collections::BTreeMap;

type Counts = BTreeMap<&'static str, u32>;

fn count(before: &Hub, outcome: &RunReport, counts: &mut Counts) {
    for item in &outcome.applied {
        let former = |member| before.members.get(member);
        let what = match &item.action {
            Action::GiveUpAddress { .. } => "address given on",
            Action::Relink { member, .. } => {
                let record = former(member).and_then(|member| member.directory_user);
                match record.and_then(|id| before.users[&id].record.as_ref()) {
                    Some(record) if !record.active => "relinked from a disabled record",
                    _ => "relinked from a deleted record",
                }
            }
            Action::UpdateProfile { member, before: old, after } if old.email != after.email => {
                let member = former(member);
                match member {
                    Some(m) if m.gave_up().is_some() => "back under another address",
                    Some(m) if m.suspended_from == Some(MemberStatus::Invited) => "ended invitation readdressed",
                    _ => continue,
                }
            }
            _ => continue,
        };
        *counts.entry(what).or_default() += 1;
    }
}

/// Older records whose member another active record feeds.
fn replaced(hub: &Hub) -> usize {
    hub.disputes.values().filter(|(dispute, _)| *dispute == Dispute::ExternalIdTaken).count()
}

#[test]
fn r5_r6_r13_the_histories_make_the_situations() {
    let counts = RefCell::new(Counts::new());
    let mut runner = TestRunner::new(config(1_200));
    let input = (policies(), 1..6_u32, any_history());
    let played = runner.run(&input, |(policy, seats, history)| {
        let mut player = Player::new(policy, seats);
        for step in &history {
            let Step::Run(size) = step else {
                player.play(std::slice::from_ref(step), &mut |_| {}, &mut |_| {});
                continue;
            };
            let size = (*size).min(player.hub.changes.len());
            let touched: Vec<Touch> = player.hub.changes.drain(..size).collect();
            let before = player.hub.clone();
            let outcome = player.hub.reconcile(&touched);
            count(&before, &outcome, &mut counts.borrow_mut());
            let more = replaced(&player.hub).saturating_sub(replaced(&before));
            *counts.borrow_mut().entry("older record enabled again").or_default() += u32::try_from(more).expect("few");
        }
        Ok(())
    });
    played.expect("histories");
    let counts = counts.into_inner();
    let wanted = [
        "address given on",
        "relinked from a disabled record",
        "relinked from a deleted record",
        "back under another address",
        "ended invitation readdressed",
        "older record enabled again",
    ];
    for what in wanted {
        assert!(counts.get(what).is_some_and(|count| *count >= 10), "{what}: {counts:?}");
    }
}
