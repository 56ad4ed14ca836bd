//! What `sysctl` with `KERN_PROCARGS2` says about a process: how many arguments, the path of the program,
//! the arguments, then the environment it was started with.
//!
//! One rule: pure, so that it is tested on every system.

/// The part that holds the environment: `NAME=value` entries, each with its zero.
pub fn environment(answer: &[u8]) -> Option<&[u8]> {
    let (count, mut rest) = answer.split_first_chunk::<4>()?;
    // The program's path, and zeroes to align what follows.
    rest = after_zero(rest)?;
    rest = rest.get(rest.iter().position(|&byte| byte != 0)?..)?;
    for _ in 0..i32::from_ne_bytes(*count) {
        rest = after_zero(rest)?;
    }
    // An empty entry ends it; what follows is the kernel's own.
    let mut end = 0;
    while let Some(length) = rest.get(end..)?.iter().position(|&byte| byte == 0) {
        if length == 0 {
            break;
        }
        end += length + 1;
    }
    rest.get(..end)
}

fn after_zero(bytes: &[u8]) -> Option<&[u8]> {
    bytes.get(bytes.iter().position(|&byte| byte == 0)? + 1..)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(arguments: i32, text: &[u8]) -> Vec<u8> {
        [&arguments.to_ne_bytes(), text].concat()
    }

    #[test]
    fn the_environment_is_what_follows_the_arguments() {
        let text = b"/bin/sh\0\0\0\0sh\0-c\0A=1\0B=x=y\0\0ptr_munge=\0main_stack=\0";
        assert_eq!(environment(&answer(2, text)), Some(b"A=1\0B=x=y\0".as_slice()));
    }

    #[test]
    fn an_empty_argument_is_an_argument() {
        let text = b"/bin/sh\0sh\0\0-c\0A=1\0\0";
        assert_eq!(environment(&answer(3, text)), Some(b"A=1\0".as_slice()));
    }

    #[test]
    fn a_process_that_hides_its_environment_has_none() {
        assert_eq!(environment(&answer(1, b"/bin/sh\0sh\0")), Some(b"".as_slice()));
        assert_eq!(environment(&answer(9, b"/bin/sh\0sh\0")), None);
        assert_eq!(environment(b"\x01\0"), None);
        assert_eq!(environment(&answer(1, b"/bin/sh\0\0\0")), None);
        assert_eq!(environment(&answer(-1, b"/bin/sh\0A=1\0")), Some(b"A=1\0".as_slice()));
    }
}
