//! Shares, loans, turns, and callers that go away.

use super::*;
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use uuid::Uuid;

/// Longer than any test.
const A_WHILE: Duration = Duration::from_secs(3_600);

fn tenant(number: u128) -> TenantId {
    TenantId(Uuid::from_u128(number))
}

type Taking<'s> = Pin<Box<dyn Future<Output = Result<Slot, Full>> + 's>>;

/// A caller that has asked and, unless there is a slot at once, waits.
fn asked(slots: &Slots, of: u128) -> (Taking<'_>, Option<Slot>) {
    let mut taking: Taking<'_> = Box::pin(slots.take(tenant(of), A_WHILE));
    let slot = polled(&mut taking);
    (taking, slot)
}

fn polled(taking: &mut Taking<'_>) -> Option<Slot> {
    match taking.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(taken) => Some(taken.expect("a slot")),
        Poll::Pending => None,
    }
}

fn taken(slots: &Slots, of: u128) -> Slot {
    asked(slots, of).1.expect("a free slot")
}

fn is_refused(slots: &Slots, of: u128) -> bool {
    asked(slots, of).1.is_none()
}

/// The number of free slots, and of tenants that use one.
fn unused(slots: &Slots) -> (usize, usize) {
    let uses = slots.uses();
    (uses.free, uses.by_tenant.len())
}

#[tokio::test]
async fn rc22_s1_a_tenant_has_its_share_and_borrows_what_nobody_else_wants() {
    let slots = Slots::lending(12, 4, 2);
    let mut first: Vec<Slot> = (0..10).map(|_| taken(&slots, 1)).collect();
    assert!(is_refused(&slots, 1), "two are spared for others");
    let second: Vec<Slot> = (0..2).map(|_| taken(&slots, 2)).collect();
    // All are in use. The tenant that has fewer comes first, whoever gives back, and up to its share.
    let (mut of_first, mut of_second) = (asked(&slots, 1), asked(&slots, 2));
    assert!(of_first.1.is_none() && of_second.1.is_none());
    first.pop();
    let third_of_second = polled(&mut of_second.0).expect("its share");
    assert!(polled(&mut of_first.0).is_none());
    // A loan needs more free slots than the spare ones.
    first.truncate(7);
    assert!(polled(&mut of_first.0).is_none());
    first.truncate(6);
    let again = polled(&mut of_first.0).expect("a loan");
    drop((first, second, third_of_second, again));
    assert_eq!(unused(&slots), (12, 0));
}

#[tokio::test]
async fn rc22_s1_without_loans_a_tenant_has_its_share_alone() {
    let slots = Slots::new(4, 2);
    let both = [taken(&slots, 1), taken(&slots, 1)];
    assert_eq!(slots.take(tenant(1), Duration::ZERO).await.err(), Some(Full::Tenant));
    let others = [taken(&slots, 2), taken(&slots, 3)];
    assert_eq!(slots.take(tenant(4), Duration::ZERO).await.err(), Some(Full::All));
    drop(both);
    drop([taken(&slots, 4), taken(&slots, 4)]);
    drop(others);
}

#[tokio::test]
async fn rc22_s1_waiting_tenants_take_turns_however_many_callers_each_has() {
    let slots = Slots::new(1, 1);
    let mut slot = Some(taken(&slots, 9));
    let mut crowd: Vec<_> = (0..6).map(|number| (1 + number % 2, asked(&slots, 1 + number % 2).0)).collect();
    let (mut quiet, _) = asked(&slots, 3);
    let mut order = Vec::new();
    for _ in 0..4 {
        slot = None;
        for (of, taking) in &mut crowd {
            if slot.is_none() && !order.contains(&(*of, std::ptr::from_ref(taking).addr())) {
                slot = polled(taking);
                if slot.is_some() {
                    order.push((*of, std::ptr::from_ref(taking).addr()));
                }
            }
        }
        if slot.is_none() {
            slot = polled(&mut quiet);
            order.push((3, 0));
        }
    }
    let order: Vec<u128> = order.into_iter().map(|(of, _)| of).collect();
    assert_eq!(order, [1, 2, 3, 1], "each tenant once before the first has its second turn");
    drop(slot);
}

#[tokio::test]
async fn a_caller_that_goes_away_leaves_its_place_and_its_slot() {
    let slots = Slots::new(1, 1);
    let held = taken(&slots, 1);
    let (gone, (mut stays, _)) = (asked(&slots, 2).0, asked(&slots, 2));
    drop(gone);
    drop(held);
    let slot = polled(&mut stays).expect("the place of the one that went");
    // One that was handed the slot, and goes before it looks.
    let unaware = asked(&slots, 3).0;
    drop(slot);
    assert!(is_refused(&slots, 4));
    drop(unaware);
    assert_eq!(unused(&slots), (1, 0));
    let taking = pin!(slots.take(tenant(5), A_WHILE));
    drop(taking.await.expect("a free slot"));
}
