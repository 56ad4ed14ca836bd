//! One tap that lives for the whole soak: no byte lost, no growth, no descriptor and no child left over.

use super::endure::{self, Random};
use super::stream::{GIANT, Stream};
use super::*;
use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

const ROLE: &str = "MCPPROXY_SOAK_ROLE";
const READY: &str = "--ready--\n";
/// What a burst may need for a moment: two full queues, and one that grows.
const MOST_KIB: u64 = 64 << 10;
/// What a round may leave behind more than the first one.
const GROWTH_KIB: u64 = 4 << 10;
/// How soon tap has given back what a burst needed: a fraction of a second, on a quiet machine.
const SILENCE: Duration = Duration::from_secs(20);

/// Not a test: the server of the soak, if the environment says so. Sends everything back, now and then slowly.
#[test]
fn the_server() {
    let Some(seed) = std::env::var(ROLE).ok().and_then(|seed| seed.parse().ok()) else { return };
    let mut random = Random::new(seed, 9);
    let (mut input, mut output) = (std::io::stdin().lock(), std::io::stdout().lock());
    write!(output, "\n{READY}").and_then(|()| output.flush()).expect("a pipe");
    let mut buffer = vec![0; 128 << 10];
    loop {
        let most = 1 + random.below(buffer.len());
        let length = input.read(&mut buffer[..most]).expect("a pipe");
        if length == 0 {
            // Not by a return: the harness would have a word to say.
            std::process::exit(0);
        }
        if random.below(300) == 0 {
            std::thread::sleep(Duration::from_millis(1 + random.next() % 5));
        }
        output.write_all(&buffer[..length]).and_then(|()| output.flush()).expect("a pipe");
    }
}

#[test]
fn a_tap_that_lives_long_loses_nothing_and_does_not_grow() {
    let seconds = endure::scaled("SOAK_SECONDS", 8);
    let home = endure::fast_dir();
    let this = std::env::current_exe().expect("the path of this test");
    let server =
        [this.as_os_str(), "--exact".as_ref(), "soak::the_server".as_ref(), "--nocapture".as_ref()];
    let settings = [(ROLE, endure::seed().to_string())];
    let mut session = Session::start(&server, Some(home.path()), &settings);
    let pid = session.tap.id();
    let mut input = session.to_server.take().expect("piped");
    let mut output = session.from_server.take().expect("piped");
    wait_until_ready(&mut output);
    let servers = children_of(pid);
    assert_eq!(servers.len(), 1);

    let watch = Watch::start(pid);
    let give_up = Instant::now() + Duration::from_secs(seconds);
    let mut rounds = Vec::new();
    while rounds.len() < 3 || Instant::now() < give_up {
        let number = rounds.len() as u64;
        let length = exchange(number, &mut input, &mut output);
        let most = rounds.first().map_or(0, |first: &Sample| first.resident + GROWTH_KIB);
        rounds.push(Sample::of_silence(pid, length, most));
        assert_eq!(children_of(pid), servers, "round {number}: one server and nobody else");
    }
    // The end of one pipe is not the end of the other.
    drop(input);
    let mut rest = Vec::new();
    output.read_to_end(&mut rest).expect("a pipe");
    assert!(rest.is_empty());
    assert_eq!(session.end(&servers).code(), Some(0));
    let peak = watch.stop();
    judge(&rounds, peak, seconds);
}

fn judge(rounds: &[Sample], peak: u64, seconds: u64) {
    let bytes: usize = rounds.iter().map(|round| round.bytes).sum();
    let [first, last] = [rounds[0], rounds[rounds.len() - 1]];
    let silent = rounds.iter().map(|round| round.resident).max().unwrap_or(0);
    println!(
        "{} rounds, {} MiB each way in about {seconds} s: {} KiB in silence after the first, {} KiB after the last, {silent} KiB at most; \
         {peak} KiB at most in a burst; {} descriptors",
        rounds.len(),
        bytes >> 20,
        first.resident,
        last.resident,
        last.descriptors
    );
    assert!(silent <= first.resident + GROWTH_KIB, "it grows");
    assert!(peak < MOST_KIB, "it needed {peak} KiB");
    assert_eq!(last.descriptors, first.descriptors);
    assert_eq!(last.threads, first.threads);
}

/// What there is of a process.
#[derive(Clone, Copy)]
struct Sample {
    bytes: usize,
    resident: u64,
    threads: u64,
    descriptors: usize,
}

impl Sample {
    /// In the silence after a round: once it needs no more than `most` KiB, else the least that it needed.
    fn of_silence(pid: u32, bytes: usize, most: u64) -> Self {
        let patience = if most == 0 { SILENCE / 10 } else { SILENCE };
        let give_up = Instant::now() + patience;
        let mut least = Self::of(pid, bytes);
        while least.resident > most && Instant::now() < give_up {
            std::thread::sleep(Duration::from_millis(50));
            let now = Self::of(pid, bytes);
            least = if now.resident < least.resident { now } else { least };
        }
        least
    }

    fn of(pid: u32, bytes: usize) -> Self {
        let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count);
        Self { bytes, resident: field(pid, "VmRSS:"), threads: field(pid, "Threads:"), descriptors }
    }
}

fn field(pid: u32, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let value = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    value.split_whitespace().next().and_then(|value| value.parse().ok()).unwrap_or(0)
}

/// The most that a process needs at any time.
struct Watch {
    done: std::sync::Arc<(AtomicBool, AtomicU64)>,
    thread: std::thread::JoinHandle<()>,
}

impl Watch {
    fn start(pid: u32) -> Self {
        let done = std::sync::Arc::new((AtomicBool::new(false), AtomicU64::new(0)));
        let seen = done.clone();
        let thread = std::thread::spawn(move || {
            while !seen.0.load(Ordering::Relaxed) {
                seen.1.fetch_max(field(pid, "VmRSS:"), Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        Self { done, thread }
    }

    fn stop(self) -> u64 {
        self.done.0.store(true, Ordering::Relaxed);
        self.thread.join().expect("it watched");
        self.done.1.load(Ordering::Relaxed)
    }
}

/// What the test harness says before the server is one.
fn wait_until_ready(output: &mut impl Read) {
    let mut said = Vec::new();
    let mut byte = [0];
    while !said.ends_with(READY.as_bytes()) {
        output.read_exact(&mut byte).expect("a server");
        said.extend_from_slice(&byte);
    }
}

/// One round there and back: mixed sizes up to 64 MB lines, each side slow now and then.
fn exchange(number: u64, input: &mut (impl Write + Send), output: &mut impl Read) -> usize {
    let seed = endure::seed() + 1000 + number;
    let mut random = Random::new(seed, 1);
    let length = *random.one_of(&[10_000, 3 << 20, 20 << 20]);
    // Every third round has a giant in it.
    let giant = number.is_multiple_of(3);
    let largest = if giant { GIANT } else { 2 << 20 };
    let mut receiving = Stream::new(seed, largest);
    receiving.ask_for_giant(giant);
    let (mut received, mut slow) = (0, random.clone());
    let total = length + if giant { GIANT } else { 0 };
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut sending = Stream::new(seed, largest);
            sending.ask_for_giant(giant);
            let mut left = total;
            while left > 0 {
                let most = (1 + random.below(200_000)).min(left);
                let bytes = sending.next(most);
                left -= bytes.len();
                input.write_all(bytes).expect("a pipe");
                if random.below(500) == 0 {
                    std::thread::sleep(Duration::from_millis(1 + random.next() % 5));
                }
            }
            input.flush().expect("a pipe");
        });
        let mut buffer = vec![0; 128 << 10];
        while received < total {
            let length = output.read(&mut buffer).expect("a pipe");
            assert!(length > 0, "round {number}: an end after {received} bytes");
            assert!(receiving.expect(&buffer[..length]), "round {number}: wrong near {received}");
            received += length;
            if slow.below(300) == 0 {
                std::thread::sleep(Duration::from_millis(1 + slow.next() % 5));
            }
        }
    });
    total
}
