//! What each mark does.

use super::*;
use proptest::prelude::*;

const T: u64 = 1_790_000_000;

#[test]
fn every_mark_moves_what_it_is_about_and_nothing_else() {
    let untouched = State::default();
    let mut state = untouched.clone();
    assert_eq!(state.apply(&Mark::ServerConnected, T), Applied { changed: true, rare: true });
    assert!(state.funnel.connected_server);
    assert_eq!(state.apply(&Mark::ServerConnected, T), Applied::default());
    assert_eq!(state.counters, untouched.counters);

    let mut state = untouched.clone();
    let applied = state.apply(&Mark::UpstreamCall, T);
    assert_eq!(applied, Applied { changed: true, rare: false });
    assert_eq!(state.counters.upstream_tool_calls, 1);
    assert_eq!(state.funnel, untouched.funnel);

    let mut state = untouched.clone();
    let applied = state.apply(&Mark::UpstreamResult, T);
    assert_eq!(applied, Applied { changed: true, rare: true });
    assert_eq!(state.apply(&Mark::UpstreamResult, T + 1), Applied::default());
    assert_eq!((state.funnel.real_tool_call, state.days.real_tool_call_at), (true, T));
    assert_eq!(state.counters, untouched.counters);

    let mut state = untouched.clone();
    let applied = state.apply(&Mark::ClientActive, T);
    assert_eq!(applied, Applied { changed: true, rare: false });
    assert_eq!(state.apply(&Mark::ClientActive, T + 1), Applied::default());
    assert_eq!(state.days.active.count(T), 1);
    assert_eq!((state.funnel, state.counters), (untouched.funnel.clone(), untouched.counters));

    let mut state = untouched.clone();
    for ending in [Ending::Clean, Ending::Crash, Ending::Crash] {
        let applied = state.apply(&Mark::Ended(ending), T);
        assert_eq!(applied, Applied { changed: true, rare: false });
    }
    assert_eq!((state.counters.ended_clean, state.counters.ended_crashed), (1, 2));

    let mut state = untouched.clone();
    let mark = Mark::Discovery { indexed: Some(12), returned: Some(2) };
    assert_eq!(state.apply(&mark, T), Applied { changed: true, rare: true });
    assert_eq!(state.apply(&mark, T), Applied { changed: true, rare: false });
    assert_eq!(state.discovery_calls.value(T), 2);
    assert_eq!(state.tokens_saved.value(T), 3000);
    assert_eq!(state.counters, untouched.counters);
}

#[test]
fn tokens_are_saved_only_when_both_counts_are_known() {
    for (indexed, returned, tokens) in [
        (Some(10), Some(4), 900),
        (Some(4), Some(4), 0),
        (Some(4), Some(10), 0),
        (None, Some(4), 0),
        (Some(4), None, 0),
        (None, None, 0),
        (Some(u64::MAX), Some(0), u64::MAX),
    ] {
        assert_eq!(tokens_saved(indexed, returned), tokens, "{indexed:?} {returned:?}");
        let mut state = State::default();
        state.apply(&Mark::Discovery { indexed, returned }, T);
        assert_eq!(state.discovery_calls.value(T), 1);
        assert_eq!(state.tokens_saved.value(T), tokens);
    }
}

#[test]
fn the_first_sixteen_clients_win_and_keep_their_order() {
    let mut state = State::default();
    let names: Vec<String> = (0..20).map(|number| format!("client-{number}")).collect();
    for name in names.iter().chain(&names) {
        state.apply(&Mark::Client(name), T);
    }
    assert_eq!(state.funnel.clients, names[..16]);
    assert_eq!(state.apply(&Mark::Client("late"), T), Applied::default());
}

fn counters() -> impl Strategy<Value = Counters> {
    prop::array::uniform11(prop_oneof![0_u64..100, any::<u64>()]).prop_map(Counters::from_array)
}

proptest! {
    #[test]
    fn counters_survive_the_way_through_their_array(all in counters()) {
        prop_assert_eq!(Counters::from_array(all.to_array()), all);
    }

    #[test]
    fn what_was_not_reported_is_left(all in counters(), reported in counters()) {
        let sum = all.plus(reported);
        for (left, (ours, theirs)) in sum.minus(reported).to_array().into_iter()
            .zip(all.to_array().into_iter().zip(reported.to_array()))
        {
            prop_assert_eq!(left, ours.saturating_add(theirs) - theirs);
        }
    }

    #[test]
    fn flags_never_go_back(marks in prop::collection::vec(0..5_usize, 0..40)) {
        let all = [
            Mark::ServerConnected,
            Mark::Client("goose"),
            Mark::Discovery { indexed: None, returned: None },
            Mark::UpstreamCall,
            Mark::UpstreamResult,
        ];
        let mut state = State::default();
        for index in marks {
            let before = state.funnel.clone();
            state.apply(&all[index], T);
            prop_assert!(!before.connected_server || state.funnel.connected_server);
            prop_assert!(!before.mcp_client || state.funnel.mcp_client);
            prop_assert!(!before.retrieve_tools_call || state.funnel.retrieve_tools_call);
            prop_assert!(!before.real_tool_call || state.funnel.real_tool_call);
            prop_assert!(state.funnel.clients.starts_with(&before.clients));
        }
    }
}
