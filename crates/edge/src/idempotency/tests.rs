//! Requests and their repeats: from the client's first byte to what the store knows, without a socket.

mod admitted;
mod breaking;
mod flowing;
mod scene;
mod stores;

use std::time::Duration;

use http::StatusCode;

use crate::config::{OnStoreError, StoredAnswers, UnknownOutcome};
use crate::downstream::Reply;
use crate::failure::Failure;
use crate::head::Fields;
use crate::http1::framing::Framing;

use super::*;
use scene::{Client, Scene, answer, end, in_local, piece, word};

const SECOND: Duration = Duration::from_secs(1);
