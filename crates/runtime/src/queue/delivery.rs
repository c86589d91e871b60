//! One wake-up on loan from either arm, until it is settled.

use lapin::options::{BasicAckOptions, BasicNackOptions, BasicRejectOptions};

use super::in_process;

/// What became of a delivery, as the metrics name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Settlement {
    /// Spent: acknowledged.
    Done,
    /// Back in the queue for another try, or dead-lettered past the delivery limit.
    Failed,
    /// Unreadable: dead-lettered at once.
    Malformed,
    /// Given back untouched, because this consumer stops.
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

/// A wake-up that its queue waits to hear about.
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

    /// False once the connection it came through is gone: the broker delivers it again by itself.
    pub(super) fn settleable(&self) -> bool {
        match self {
            Self::RabbitMq(delivery) => delivery.acker.usable(),
            Self::InProcess(_) => true,
        }
    }

    /// Tells the queue. An error means that the connection broke: the broker delivers the wake-up again.
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
