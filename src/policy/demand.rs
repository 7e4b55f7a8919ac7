//! What has to be proven before something is done.

use super::{Action, Policy};
use crate::trust::{Evidence, Proof, Standing};

/// What a platform asks of a bounce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standard {
    /// That nothing in it contradicts it (`proof: note`).
    NotContradicted,
    /// That it is proven (`proof: require`).
    Proven,
}

impl Standard {
    /// That of a platform; of no platform nothing is done anyway.
    pub(super) fn of(platform: Option<&str>, policy: &Policy) -> Standard {
        match platform.is_some_and(|platform| policy.requires_proof(platform)) {
            true => Standard::Proven,
            false => Standard::NotContradicted,
        }
    }

    /// What is done, and the sentence that says why, of what would be done were the words of the mail enough.
    pub(super) fn holds(self, by_words: (Action, String), proof: &Proof) -> (Action, String) {
        let (action, why) = by_words;
        let lacks = match (proof.standing, self) {
            (Standing::Contradicted, _) => "and that contradicts it",
            (Standing::Unproven, Standard::Proven) => "and only what is proven counts",
            (Standing::Unproven, Standard::NotContradicted) | (Standing::Proven, _) => {
                return (action, why);
            }
        };
        match action {
            Action::Ignore => (action, why),
            Action::Suspend | Action::Count => {
                let sentence = &proof.sentence;
                (
                    Action::Ignore,
                    format!("not acted on: {sentence}, {lacks} ({why})"),
                )
            }
        }
    }
}

/// Whether a complaint may be acted on. What comes back with it proves little: who complains has a mail of ours, but so has
/// everybody else to whom it was passed on. A token in it was made for him alone.
pub(super) fn complaint_is_proven(proof: &Proof) -> bool {
    let is_token = matches!(
        proof.by,
        Some(Evidence::TokenHeader | Evidence::TokenReturnPath)
    );
    proof.standing == Standing::Proven && is_token
}
