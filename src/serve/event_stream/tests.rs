//! Events in parts, and events that are too long.

use super::super::outline::About;
use super::*;
use proptest::prelude::*;
use rmcp::model::RequestId;
use sse_stream::SseStream;
use tokio_stream::StreamExt as _;

/// All events of `bytes`, which come in parts of `size`.
fn events(bytes: &[u8], size: usize, largest: usize) -> Vec<Event> {
    let mut parser = Parser::new(largest);
    let mut events = Vec::new();
    for part in bytes.chunks(size) {
        parser.feed(part);
        events.extend(std::iter::from_fn(|| parser.next()));
    }
    events
}

fn whole(event: Event) -> Sse {
    let data = match event.data {
        Data::Missing => None,
        Data::Whole(data) => Some(String::from_utf8(data).expect("text")),
        Data::TooLong(..) => panic!("it is too long"),
    };
    Sse { data, ..event.head }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// What the format allows is read as the crate that the SDK uses reads it.
    #[test]
    fn events_are_read_as_they_are_elsewhere_however_they_are_cut(
        lines in prop::collection::vec(
            ("(data: ?[a-z:é ]{0,9}|:[a-z]{0,3}|event: x|id: 7|retry: 9|)", "(\n|\r|\r\n)"), 0..12
        ),
        size in 1_usize..40,
    ) {
        let mut seen: Vec<&str> = Vec::new();
        let mut text = String::new();
        for (line, end) in &lines {
            let name = line.split(':').next().unwrap_or_default();
            // The crate has each of the others once in an event at most.
            if !matches!(name, "" | "data") && seen.contains(&name) {
                continue;
            }
            seen.push(name);
            text.push_str(line);
            text.push_str(end);
        }
        let ours: Vec<Sse> = events(text.as_bytes(), size, 1 << 20).into_iter().map(whole).collect();
        let parts = tokio_stream::iter([Ok::<_, io::Error>(axum::body::Bytes::from(text))]);
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("one");
        let theirs: Vec<Sse> = runtime.block_on(
            SseStream::from_bytes_stream(parts).map(|it| it.expect("an event")).collect(),
        );
        prop_assert_eq!(ours, theirs);
    }
}

#[test]
fn an_event_that_is_too_long_is_told_by_what_it_answers_and_the_next_one_is_read() {
    let long = "x".repeat(100);
    let message = format!(r#"{{"result":{{"text":"{long}"}},"id":7}}"#);
    let lines = format!("{{\"result\":[\ndata: \"{long}\"\ndata: ],\"id\":7}}");
    let text = format!(
        "\u{feff}data: {{}}\n\n: {long}{long}\nid: 1\ndata: {message}\nevent: message\n\nid: 2\r\ndata: {lines}\r\n\r\ndata: end\n\n"
    );
    for size in [1, 2, 7, 64, text.len()] {
        let mut found = events(text.as_bytes(), size, 100).into_iter();
        assert_eq!(whole(found.next().expect("one")).data.as_deref(), Some("{}"), "{size}");
        for (id, expected) in [("1", message.len()), ("2", lines.replace("data: ", "").len())] {
            let Event { head, data } = found.next().expect("one");
            assert_eq!(head.id.as_deref(), Some(id));
            let Data::TooLong(outline, length) = data else { panic!("{size}: it is kept") };
            assert_eq!(outline.about(), About::Answer(RequestId::Number(7)), "{size}");
            // A space at the beginning of a later line may or may not be a part of it.
            assert!((expected..=expected + 2).contains(&length), "{size}: {length} of {expected}");
        }
        assert_eq!(whole(found.next().expect("one")).data.as_deref(), Some("end"), "{size}");
        assert!(found.next().is_none());
    }
}

#[test]
fn an_event_of_the_largest_size_is_read() {
    for space in ["", " "] {
        let data = "y".repeat(100);
        let text = format!("data:{space}{data}\n\n");
        let found = events(text.as_bytes(), 9, 100).pop().expect("one");
        assert_eq!(whole(found).data, Some(data));
    }
}

#[test]
fn lines_that_are_none_are_skipped_and_the_last_of_two_counts() {
    let text =
        b"nothing\nother: 1\nretry: soon\ndata\nid: a\0b\nevent: a\nevent: b\ndata: \xff\n\n";
    let Event { head, data } = events(text, 5, 100).pop().expect("one");
    assert_eq!(head, Sse::default().event("b"));
    let Data::Whole(data) = data else { panic!() };
    assert_eq!(data, b"\n\xff");
}
