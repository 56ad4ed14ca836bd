//! What a server's errors mean.
//!
//! One rule: by their SQLSTATE. Their words may hold values, and are in the language of the server.

use super::super::server_error::ServerError;
use ::postgres::Error;

/// Whether the whole transaction is worth another try: others were in its way, or made the same at once.
pub fn is_worth_repeating(error: &Error) -> bool {
    let code = error.code().map(|state| state.code());
    // The last: both have found no tables.
    matches!(code, Some("40001" | "40P01" | "23505" | "42P07"))
}

/// What an error means for the operator.
pub fn meaning(error: &Error) -> ServerError {
    let Some(state) = error.code() else {
        // What this library says by itself, of which it tells no more than its words.
        let said = error.to_string();
        return match () {
            () if said.contains("TLS") => ServerError::Tls,
            () if said.contains("authentication") || said.contains("configuration") => {
                ServerError::Login
            }
            () => ServerError::Unreachable,
        };
    };
    match state.code() {
        "40001" | "40P01" | "23505" | "42P07" => ServerError::Contended,
        "28P01" | "28000" => ServerError::Login,
        "3D000" => ServerError::NoDatabase,
        "42501" => ServerError::Denied,
        "25006" => ServerError::ReadOnly,
        "53100" => ServerError::Full,
        "53200" | "53300" => ServerError::Busy,
        "57014" | "55P03" => ServerError::Timeout,
        "57P01" | "57P02" | "57P03" => ServerError::Unreachable,
        code if code.starts_with("08") => ServerError::Unreachable,
        code => ServerError::Said(code.to_owned()),
    }
}
