//! One unacknowledged wake-up of either arm, until it is settled.

use lapin::options::{BasicAckOptions, BasicNackOptions, BasicRejectOptions};

use super::in_process;

/// Outcome of a delivery, as the metrics name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Settlement {
    /// Acknowledged.
    Done,
    /// Requeued for another try, or dead-lettered past the delivery limit.
    Failed,
    /// Unreadable: dead-lettered at once.
    Malformed,
    /// Requeued unhandled, because this consumer stops.
    HandedBack,
}

impl Settlement {
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "retry",
            Self::Malformed => "malformed",
            Self::HandedBack => "handed_back",
        }
    }
}

/// A wake-up that awaits its settlement.
pub(super) enum Delivery {
    RabbitMq(Box<lapin::message::Delivery>),
    InProcess(in_process::Loan),
}

impl Delivery {
    /// Failed deliveries of this wake-up so far.
    pub(super) fn attempts(&self) -> u32 {
        match self {
            Self::RabbitMq(delivery) => super::rabbitmq::delivery_count(delivery),
            Self::InProcess(loan) => loan.attempts(),
        }
    }

    /// False once its connection is gone; the broker then delivers it again.
    pub(super) fn settleable(&self) -> bool {
        match self {
            Self::RabbitMq(delivery) => delivery.acker.usable(),
            Self::InProcess(_) => true,
        }
    }

    /// Settles the delivery. An error means that the connection broke, and the broker delivers the wake-up again.
    pub(super) async fn settle(self, settlement: Settlement) -> Result<(), lapin::Error> {
        match self {
            Self::InProcess(loan) => {
                loan.settle(settlement);
                Ok(())
            }
            Self::RabbitMq(delivery) => match settlement {
                Settlement::Done => delivery.ack(BasicAckOptions::default()).await.map(drop),
                // A failure is a reject, never a nack: from RabbitMQ 4.3 on only a reject counts towards the limit.
                Settlement::Failed => delivery.reject(BasicRejectOptions { requeue: true }).await.map(drop),
                Settlement::Malformed => delivery.reject(BasicRejectOptions { requeue: false }).await.map(drop),
                Settlement::HandedBack => {
                    delivery.nack(BasicNackOptions { multiple: false, requeue: true }).await.map(drop)
                }
            },
        }
    }
}
