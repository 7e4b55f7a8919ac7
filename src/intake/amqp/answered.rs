//! Which deliveries of a channel are answered, so that one acknowledgement may stand for many: the engine answers in
//! the order in which it is done, and a multiple acknowledgement means every delivery before it.

use lapin::types::DeliveryTag;
use std::collections::BTreeSet;

/// The answered deliveries. Tags count from 1 on each channel, without gaps.
#[derive(Debug, Default)]
pub(super) struct Answered {
    /// Up to this one all are answered.
    all_up_to: DeliveryTag,
    /// Those after it.
    beyond: BTreeSet<DeliveryTag>,
}

impl Answered {
    pub fn note(&mut self, tag: DeliveryTag) {
        self.beyond.insert(tag);
        while self.beyond.remove(&(self.all_up_to + 1)) {
            self.all_up_to += 1;
        }
    }

    /// The last delivery up to which all are answered.
    pub fn all_up_to(&self) -> DeliveryTag {
        self.all_up_to
    }
}

#[cfg(test)]
mod tests {
    use super::Answered;

    #[test]
    fn what_is_not_answered_is_never_before_what_stands_for_all() {
        let mut answered = Answered::default();
        let after = |tag, answered: &mut Answered| {
            answered.note(tag);
            answered.all_up_to()
        };
        assert_eq!(after(2, &mut answered), 0);
        assert_eq!(after(4, &mut answered), 0);
        assert_eq!(after(1, &mut answered), 2);
        assert_eq!(after(3, &mut answered), 4);
        assert_eq!(after(5, &mut answered), 5);
    }
}
