//! What became of the calls that asked for a witness.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;

use crate::peer::{WitnessReply, WitnessRequest};

/// How long `tell` waits for a call to get as far as asked for.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Clone, Default)]
pub struct Witnesses(Arc<Mutex<HashMap<String, watch::Sender<WitnessReply>>>>);

impl Witnesses {
    /// Notes the start of a call; its end is noted when the attendance is dropped.
    pub fn attend(&self, key: &str) -> Attendance {
        let call = self.of(key);
        call.send_modify(|reply| reply.started = true);
        Attendance {
            call,
            cancelled: true,
        }
    }

    pub async fn tell(&self, request: &WitnessRequest) -> WitnessReply {
        let mut call = self.of(&request.key).subscribe();
        let far_enough = call.wait_for(|reply| {
            if request.until_ended {
                reply.ended
            } else {
                reply.started
            }
        });
        let _ = tokio::time::timeout(PATIENCE, far_enough).await;
        *call.borrow()
    }

    fn of(&self, key: &str) -> watch::Sender<WitnessReply> {
        let mut calls = self.0.lock().expect("no panic while locked");
        calls.entry(key.into()).or_default().clone()
    }
}

pub struct Attendance {
    call: watch::Sender<WitnessReply>,
    cancelled: bool,
}

impl Attendance {
    /// The call ends as an instruction says: it is not dropped half-way.
    pub fn finish(mut self) {
        self.cancelled = false;
    }
}

impl Drop for Attendance {
    fn drop(&mut self) {
        self.call.send_modify(|reply| {
            reply.ended = true;
            reply.cancelled = self.cancelled;
        });
    }
}
