//! The packages that maintainers of npm and PyPI servers use, as they are packed.
#![cfg(unix)]

mod init;
