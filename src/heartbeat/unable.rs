//! Why nothing is sent, for reasons that waiting does not change.

use super::permission::NoTarget;
use super::sent::CopyError;
use crate::activation::StoreError;
use crate::identity::IdentityError;
use crate::notice;
use std::fmt;

/// Why an attempt could not begin, or came to an end before anything was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unable {
    /// There is no endpoint that heartbeats may go to.
    Endpoint(NoTarget),
    /// There is no store that can be written.
    Store(StoreError),
    /// What is sent could not be kept for the user to read.
    Copy(CopyError),
    /// There is no id to send under, and none can be kept.
    Identity(IdentityError),
    /// The first-run notice was not shown.
    NotShown,
    /// It was shown where no person could see it, and the product wants that.
    Unseen,
}

impl fmt::Display for Unable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Endpoint(error) => error.fmt(f),
            Self::Store(error) => error.fmt(f),
            Self::Copy(error) => error.fmt(f),
            Self::Identity(error) => write!(f, "no anonymous id can be kept: {error}"),
            Self::NotShown => f.write_str("the first-run notice was not shown yet"),
            Self::Unseen => f.write_str(notice::UNSEEN),
        }
    }
}
