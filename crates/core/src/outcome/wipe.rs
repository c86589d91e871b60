//! Device wipe: a member who loses access by sync may still have the product's data on their devices (DX16).

use super::Player;
use crate::action::{Action, Item};
use crate::event::{DeviceWipe, Event};
use crate::roster::MemberStatus;

impl Player<'_> {
    /// Asks the product to wipe the devices, if the policy wants it. A member who was never active has no data.
    pub(super) fn ask_for_wipe(&mut self, item: &Item) {
        if let Action::Suspend { member, from: MemberStatus::Active, .. }
        | Action::Remove { member, from: MemberStatus::Active } = item.action
            && self.wipes
        {
            self.tell(item, Event::DeviceWipeRequested(member, DeviceWipe { why: item.why }));
        }
    }
}
