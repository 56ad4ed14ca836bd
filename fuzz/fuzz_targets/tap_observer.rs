//! The tap's observer: any stream, split anywhere, tells the same; memory is bounded.
//!
//! Input: eight bytes that say where it is split, then pieces of traffic, each ended by 0x1e: `>` or
//! `<` for the direction (with a digit before it: repeated that often), then bytes; `!` and
//! `?` are a loss.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mcpproxy::Event;
use mcpproxy::tap::{Direction, Observer};
use mcpproxy_fuzz::Numbers;
use mcpproxy_fuzz::session::{Step, To, expected};
use peak_alloc::PeakAlloc;

const TOOLS: [&str; 2] = ["retrieve_tools", "find"];
/// Repetitions are this much longer where memory is measured.
const STRETCH: usize = 64;
/// More than this is not fed.
const MOST: usize = 64 << 10;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

fuzz_target!(|data: &[u8]| {
    let Some((seed, body)) = data.split_at_checked(8) else { return };
    let steps = steps(body, 1);
    let whole = said(&steps);

    let mut numbers = Numbers::of(seed);
    let longest = [1, 3, 40, 5000][numbers.below(4)];
    let mut split = Vec::new();
    for step in &steps {
        match step {
            Step::Bytes(to, bytes) => {
                let mut rest = bytes.as_slice();
                while !rest.is_empty() {
                    let (piece, after) =
                        rest.split_at((1 + numbers.below(longest)).min(rest.len()));
                    split.push(Step::Bytes(*to, piece.to_vec()));
                    rest = after;
                }
            }
            lost => split.push(lost.clone()),
        }
    }
    assert_eq!(said(&split), whole, "a split changes what is told");
    assert_eq!(said(&joined(&steps)), whole, "a longer read changes what is told");
    if let Some(expected) = expected(&steps, &TOOLS) {
        assert_eq!(whole, expected, "not what the messages say");
    }
    bounded(&self::steps(body, STRETCH));
});

fn steps(body: &[u8], stretch: usize) -> Vec<Step> {
    let mut left = MOST;
    let mut steps = Vec::new();
    for piece in body.split(|byte| *byte == 0x1e) {
        let (times, piece) = match piece {
            [digit @ b'1'..=b'9', rest @ ..] => (usize::from(digit - b'0') * stretch, rest),
            _ => (1, piece),
        };
        let (to, bytes) = match piece {
            [b'<', bytes @ ..] => (To::Client, bytes),
            [b'>', bytes @ ..] => (To::Server, bytes),
            [b'!', ..] => {
                steps.push(Step::Lost(To::Server));
                continue;
            }
            [b'?', ..] => {
                steps.push(Step::Lost(To::Client));
                continue;
            }
            bytes => (To::Server, bytes),
        };
        let times = times.min(left / bytes.len().max(1));
        left -= times * bytes.len();
        steps.push(Step::Bytes(to, bytes.repeat(times)));
    }
    steps
}

fn joined(steps: &[Step]) -> Vec<Step> {
    let mut out: Vec<Step> = Vec::new();
    for step in steps {
        match (out.last_mut(), step) {
            (Some(Step::Bytes(to, bytes)), Step::Bytes(other, more)) if to == other => {
                bytes.extend_from_slice(more);
            }
            _ => out.push(step.clone()),
        }
    }
    out
}

fn direction(to: To) -> Direction {
    match to {
        To::Server => Direction::ToServer,
        To::Client => Direction::ToClient,
    }
}

fn feed<S: FnMut(Event<'_>)>(observer: &mut Observer<S>, steps: &[Step]) {
    for step in steps {
        match step {
            Step::Bytes(to, bytes) => observer.feed(direction(*to), bytes),
            Step::Lost(to) => observer.lost(direction(*to)),
        }
    }
    observer.finish();
}

fn tools() -> Vec<String> {
    TOOLS.map(str::to_owned).to_vec()
}

fn said(steps: &[Step]) -> Vec<String> {
    let mut said = Vec::new();
    let mut observer = Observer::new(tools(), |event: Event<'_>| {
        said.push(match event {
            Event::ClientSeen { name } => format!("client {name}"),
            Event::ServerConnected => "connected".to_owned(),
            Event::Discovery { indexed, returned } => {
                let shown = |count: Option<u64>| count.map_or("?".to_owned(), |n| n.to_string());
                format!("discovery {} of {}", shown(returned), shown(indexed))
            }
            Event::UpstreamCall => "call".to_owned(),
            other => format!("{other:?}"),
        });
    });
    feed(&mut observer, steps);
    drop(observer);
    said
}

/// What is kept grows with the messages of one line and the requests that wait, never with bytes.
fn bounded(steps: &[Step]) {
    let is_brace = |byte: &&u8| **byte == b'{';
    let all = |step: &Step| match step {
        Step::Bytes(_, bytes) => bytes.iter().filter(is_brace).count(),
        Step::Lost(_) => 0,
    };
    let messages: usize = steps.iter().map(all).sum();
    let bound = (16 << 10) + 6 * 1024 * messages.min(1024) + 200 * messages;
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    let mut observer = Observer::new(tools(), |_: Event<'_>| {});
    feed(&mut observer, steps);
    drop(observer);
    let used = ALLOCATOR.peak_usage() - before;
    assert!(used <= bound, "{used} bytes for {messages} messages");
}
