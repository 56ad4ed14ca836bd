//! Either side dies, or closes one of its pipes, at any byte: what was written before arrives, all ends.

use super::endure::{self, Random};
use super::stream::Stream;
use super::*;
use std::ffi::OsString;
use std::io::{Read as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;

/// Bytes that are enough to fill every pipe and buffer on the way.
const MOST: usize = 300_000;
/// Lines in these streams.
const LARGEST: usize = 70_000;

/// What happens at byte `read` of the requests and byte `write` of the answers.
#[derive(Clone, Copy, Debug)]
enum End {
    /// The server ends with a code, its client still talking.
    ServerExits,
    /// The server is killed.
    ServerIsKilled,
    /// The client closes its output, the server answers after that.
    ClientHalfCloses,
    /// The server closes its output and reads on.
    ServerClosesOutput,
    /// The server closes its input and writes on.
    ServerClosesInput,
    /// The client is gone, both pipes at once.
    ClientDies,
    /// The tap itself is killed.
    TapIsKilled,
}

const ENDS: [End; 7] = [
    End::ServerExits,
    End::ServerIsKilled,
    End::ClientHalfCloses,
    End::ServerClosesOutput,
    End::ServerClosesInput,
    End::ClientDies,
    End::TapIsKilled,
];

impl End {
    /// The server: reads into `got`, answers from `answers`, `$R` and `$W` bytes.
    fn server(self) -> &'static str {
        match self {
            Self::ServerExits => "head -c $R >got; head -c $W ../answers; exit 7",
            Self::ServerIsKilled => "head -c $R >got; head -c $W ../answers; kill -s KILL $$",
            Self::ClientHalfCloses => "cat >got; head -c $W ../answers; exit 3",
            Self::ServerClosesOutput => "head -c $W ../answers; exec 1>&-; cat >got; exit 4",
            Self::ServerClosesInput => "head -c $R >got; exec 0<&-; head -c $W ../answers; exit 5",
            // Nobody reads the answers any more, so it may die of them; the requests it has.
            Self::ClientDies | Self::TapIsKilled => {
                "cat ../answers & cat >unfinished; mv unfinished got; exit 6"
            }
        }
    }

    /// The exit code; a negative signal.
    fn expected(self) -> Option<i32> {
        Some(match self {
            Self::ServerExits => 7,
            Self::ServerIsKilled | Self::TapIsKilled => -9,
            Self::ClientHalfCloses => 3,
            Self::ServerClosesOutput => 4,
            Self::ServerClosesInput => 5,
            Self::ClientDies => 6,
        })
    }
}

#[test]
fn at_whatever_byte_a_side_dies_none_before_it_is_lost() {
    let rounds = endure::scaled("DEATHS", 70);
    let dir = endure::fast_dir();
    let requests = bytes_of(1);
    std::fs::write(dir.path().join("answers"), bytes_of(2)).expect("written");
    let answers = bytes_of(2);
    for number in 0..rounds {
        let mut random = Random::new(endure::seed(), number);
        let round = Round {
            end: ENDS[number as usize % ENDS.len()],
            read: *random.one_of(&[0, 1, 4095, 4096, 65_536, MOST, random.clone().below(MOST)]),
            write: *random.one_of(&[0, 1, 4096, 65_537, MOST, random.clone().below(MOST)]),
            telemetry: random.below(2) == 0,
            number,
        };
        round.play(dir.path(), &requests, &answers, &mut random);
        let _ = std::fs::remove_dir_all(dir.path().join(format!("round-{number}")));
    }
    println!("{rounds} deaths from seed {}: no byte lost, nothing left", endure::seed());
}

fn bytes_of(seed: u64) -> Vec<u8> {
    let mut stream = Stream::new(seed, LARGEST);
    let mut bytes = Vec::new();
    while bytes.len() < MOST {
        let left = MOST - bytes.len();
        bytes.extend_from_slice(stream.next(left));
    }
    bytes
}

#[derive(Debug)]
struct Round {
    number: u64,
    end: End,
    read: usize,
    write: usize,
    telemetry: bool,
}

impl Round {
    fn play(&self, dir: &Path, requests: &[u8], answers: &[u8], random: &mut Random) {
        // Its own: what a killed tap left may write for a moment longer.
        let place = dir.join(format!("round-{}", self.number));
        std::fs::create_dir(&place).expect("a directory");
        let script = OsString::from(format!("cd \"$D\" && {{ {}; }}", self.end.server()));
        let server = ["sh".as_ref(), "-c".as_ref(), script.as_os_str()];
        let settings = [
            ("D", place.to_str().expect("text").to_owned()),
            ("R", self.read.to_string()),
            ("W", self.write.to_string()),
        ];
        let data = dir.join("data");
        let mut session = Session::start(&server, self.telemetry.then_some(&data), &settings);
        let mut output = session.from_server.take().expect("piped");
        let mut input = session.to_server.take().expect("piped");
        let pause = Duration::from_micros(random.next() % 300);
        let gone = matches!(self.end, End::ClientDies);
        let sudden = gone || matches!(self.end, End::TapIsKilled);
        let (mut received, mut servers) = (Vec::new(), Vec::new());
        std::thread::scope(|scope| {
            // More than the server reads, where it is the server that ends it.
            let all =
                matches!(self.end, End::ServerExits | End::ServerIsKilled | End::ServerClosesInput);
            let sent = if all { requests } else { &requests[..self.read] };
            let writer = scope.spawn(move || {
                for chunk in sent.chunks(10_000) {
                    if input.write_all(chunk).is_err() {
                        break;
                    }
                    std::thread::sleep(pause);
                }
                // Closed here, unless something else comes first.
                sudden.then_some(input)
            });
            if sudden {
                received = vec![0; self.write];
                output.read_exact(&mut received).expect("so much of the answers");
                servers = children_of(session.tap.id());
            }
            if matches!(self.end, End::TapIsKilled) {
                session.tap.kill().expect("it runs");
            }
            let mut buffer = vec![0; 1 + random.below(100_000)];
            // Who is gone reads no more; everybody else reads to the end.
            let reads_on = !gone;
            while let Some(length) = reads_on.then(|| output.read(&mut buffer).expect("a pipe")) {
                if length == 0 {
                    break;
                }
                received.extend_from_slice(&buffer[..length]);
                std::thread::sleep(pause);
            }
            drop(writer.join().expect("a writer"));
        });
        drop(output);
        self.check(&place, &mut session, &servers, requests, answers, &received);
    }

    fn check(
        &self,
        dir: &Path,
        session: &mut Session,
        servers: &[u32],
        requests: &[u8],
        answers: &[u8],
        received: &[u8],
    ) {
        let status = session.end(servers);
        let code = status.code().or(status.signal().map(|signal| -signal));
        assert_eq!(code, self.end.expected(), "{self:?}");
        let got = std::fs::read(dir.join("got")).unwrap_or_default();
        if !matches!(self.end, End::TapIsKilled) {
            assert!(got == requests[..self.read], "{self:?}: the server got {}", got.len());
        }
        let whole = !matches!(self.end, End::ClientDies | End::TapIsKilled);
        let written = if whole { self.write } else { received.len() };
        assert!(received == &answers[..written], "{self:?}: the client got {}", received.len());
    }
}
