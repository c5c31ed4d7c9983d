//! What a transactional sink has prepared and not committed yet.
//!
//! A token stays until a later checkpoint has completed and its commit is done. So a checkpoint
//! holds the tokens of all unfinished ones before it too: if checkpoint 1 was given up after its
//! sinks had prepared, its rows are committed together with checkpoint 2.
//!
//! | happens | pending | stored |
//! |---|---|---|
//! | prepare 1 | 1 | 1 |
//! | 1 times out, prepare 2 | 1, 2 | 1, 2 |
//! | 2 completes | commit 1, commit 2 | |

use std::collections::VecDeque;

use sluice_connector_api::CommitToken;
use sluice_model::{CheckpointId, Error, Result};

/// Tokens of one writer, oldest first.
#[derive(Debug, Default)]
pub(crate) struct PendingCommits(VecDeque<(CheckpointId, CommitToken)>);

impl PendingCommits {
    /// Adds what a writer prepared.
    pub(crate) fn add(&mut self, checkpoint: CheckpointId, token: CommitToken) {
        self.0.push_back((checkpoint, token));
    }

    /// The oldest token up to a checkpoint.
    pub(crate) fn pop_up_to(&mut self, checkpoint: CheckpointId) -> Option<(CheckpointId, CommitToken)> {
        self.0.pop_front_if(|(pending, _)| *pending <= checkpoint)
    }

    /// All tokens as the state of the sink; `None` if there is nothing to remember.
    pub(crate) fn encode(&self) -> Option<Vec<u8>> {
        let mut state = Vec::new();
        for (_, token) in self.0.iter().filter(|(_, token)| !token.is_empty()) {
            state.extend_from_slice(&(token.len() as u64).to_le_bytes());
            state.extend_from_slice(token);
        }
        (!state.is_empty()).then_some(state)
    }
}

/// Reads the tokens of a sink's state.
///
/// # Errors
/// It was not written by [`PendingCommits::encode`].
pub(crate) fn decode(mut state: &[u8]) -> Result<Vec<CommitToken>> {
    let mut tokens = Vec::new();
    while !state.is_empty() {
        let token = state
            .split_first_chunk::<8>()
            .and_then(|(length, rest)| rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?));
        let Some((token, rest)) = token else {
            return Err(Error::bug("the state of a sink cannot be read"));
        };
        tokens.push(token.to_vec());
        state = rest;
    }
    Ok(tokens)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_aborted_checkpoint_leaves_its_token_to_the_next() {
        let mut pending = PendingCommits::default();
        pending.add(1, b"one".to_vec());
        pending.add(2, b"two".to_vec());
        pending.add(3, Vec::new());
        assert_eq!(decode(&pending.encode().unwrap()).unwrap(), [b"one".to_vec(), b"two".to_vec()]);
        assert_eq!(pending.pop_up_to(2), Some((1, b"one".to_vec())));
        assert_eq!(pending.pop_up_to(2), Some((2, b"two".to_vec())));
        assert_eq!(pending.pop_up_to(2), None);
        assert_eq!(pending.encode(), None);
        assert_eq!(pending.pop_up_to(3), Some((3, Vec::new())));
    }

    #[test]
    fn damaged_state_is_refused() {
        assert!(decode(&[1, 2, 3]).is_err());
        assert!(decode(&[9, 0, 0, 0, 0, 0, 0, 0, 1]).is_err());
    }
}
