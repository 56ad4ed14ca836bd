#!/usr/bin/env python3
"""The truth about a simulated fleet: every table of the collector's reports, computed from the event log alone.

Written from the words of docs/collector/definitions.md, without a line of the collector; scripts/received.py reads
the log. tests/collector_truth.rs and scripts/truth compare it with the collector, cell by cell.

    scripts/truth.py LOG [--at SECONDS] [--since YYYY-MM-DD]    the tables, as JSON
"""

import argparse
import json
import math
import sys
from collections import Counter, defaultdict
from datetime import datetime, timezone
from itertools import product as every

from received import (CODES, DAY, GATEWAY, MEASURES, ROLLING, WRAPPED, calendar, day_of, has_settled, monday,
                      newest_first, precedence, read, receive, week_of)

Z = 1.959963984540054
SHOWS = ("people", "machines", "all")
KINDS = ("interactive", "ci", "cloud_ide", "container", "headless", "unknown")
AGENTS = ("none", "cloud", "sandbox", "not_said")
LAUNCHES = ("tray", "login_item", "cli", "installer", "unknown")
# The last day of each.
DELAYS = {"day_0": 0, "day_1": 1, "days_2_to_6": 6, "days_7_to_27": 27, "day_28_or_later": math.inf}
REASONS = {"person": "people", "agent": "agents", "container": "containers"}
LEFT_OUT = ("people", "agents", "ci", "containers", "headless", "unknown", "development", "floods")
# What an event log cannot know.
UNKNOWN = "unknown to an event log"


def share(has, of):
    """A share with Wilson's 95 % interval; without installs there is none, which is not 0 %."""
    if of == 0:
        return {"count": has, "of": 0, "share": None, "low": None, "high": None}
    p = has / of
    centre = p + Z * Z / (2 * of)
    spread = Z * math.sqrt(p * (1 - p) / of + Z * Z / (4 * of * of))
    low, high = ((centre + sign * spread) / (1 + Z * Z / of) for sign in (-1, 1))
    return {"count": has, "of": of, "share": p, "low": max(0.0, low), "high": min(1.0, high)}


def share_of(installs, has):
    return share(sum(map(has, installs)), len(installs))


def counted(words, said):
    """How often each of the words was said."""
    count = Counter(said)
    return {word: count[word] for word in words}


def counted_delays(delays):
    """How many of these days are in each class; None is never."""
    def name_of(days):
        return "never" if days is None else next(name for name, last in DELAYS.items() if days <= last)
    return counted((*DELAYS, "never"), map(name_of, delays))


# Retention, survival, activation: of installs that are not carried over.

def retention(installs, measures, now):
    """Cohorts by the ISO week of day 0, from the first that has an install to the present one; and all final cells."""
    cohorts, sums, by_week = [], {name: [0, 0] for name in measures}, defaultdict(list)
    for one in installs:
        by_week[monday(one.day0)].append(one)
    for week in range(min(by_week), monday(now // DAY) + 1, 7) if by_week else ():
        of_week = by_week.get(week, [])
        cohort = {**week_of(week), "installs": len(of_week)}
        for name, (_, last) in measures.items():
            cell = share_of(of_week, lambda one: one.came_back[name])
            state = "empty" if not of_week else "final" if has_settled(week + 6 + last, now) else "open"
            if state == "final":
                sums[name][0] += cell["count"]
                sums[name][1] += cell["of"]
            cohort[name] = {"state": state, **cell}
        cohorts.append(cohort)
    return cohorts, {name: share(has, of) for name, (has, of) in sums.items()}


def survival(installs, now):
    """Kaplan and Meier's curve of those that have not lapsed, with Greenwood's variance."""
    leave, lapsed = Counter(), Counter()
    for one in installs:
        # The last day whose 28 silent days are over, and are asked.
        last = min(now // DAY - 1 - 28 - one.day0, 337)
        if last >= 0:
            leave[min(one.lapses, last)] += 1
            lapsed[one.lapses] += one.lapses <= last
    rows, at_risk, survived, variance = [], sum(leave.values()), 1.0, 0.0
    for day in range(max(leave, default=-1) + 1):
        survived *= 1 - lapsed[day] / at_risk
        low = high = None
        if 0 < survived < 1:
            variance += lapsed[day] / (at_risk * (at_risk - lapsed[day]))
            width = Z * math.sqrt(variance) / abs(math.log(survived))
            low, high = survived ** math.exp(width), survived ** math.exp(-width)
        rows.append({"day": day, "at_risk": at_risk, "lapsed": lapsed[day],
                     "survived": {"share": survived, "low": low, "high": high}})
        at_risk -= leave[day]
    return rows


def activation(installs, steps, now):
    """The funnel over the lifetime."""
    old_enough = [one for one in installs if now // DAY - one.day0 >= 7]
    return [{
        "step": step,
        "reached": share_of(installs, lambda one: one.has_reached(step)),
        "with_all_before": share_of(installs, lambda one: all(map(one.has_reached, steps[:at + 1]))),
        "within_7_days": None if step == "active_in_a_second_week"
        else share_of(old_enough, lambda one: one.has_reached(step, 6)),
    } for at, step in enumerate(steps)]


# Environments, versions, clients: of installs as they are now.

def by_weeks(installs, now):
    """The installs that were active in each of the last 52 weeks, by its Monday, the last week first."""
    weeks, last = defaultdict(list), monday(now // DAY - 1)
    for one in installs:
        for week in one.weeks:
            weeks[week].append(one)
    first = min((week for week in weeks if week >= last - 51 * 7), default=last + 7)
    return [(week, weeks[week]) for week in range(last, first - 1, -7)]


def environments(shown, recent, since, now):
    weeks = [row for row in by_weeks(shown, now) if since is None or row[0] >= monday(since)]

    def mix(words, what):
        return [{**week_of(week), "installs": len(some), **counted(words, map(what, some))} for week, some in weeks]

    old_enough = [one for one in recent if 7 <= now // DAY - one.day0 <= 364]
    return {
        "kinds": mix(KINDS, lambda one: one.now.kind),
        "agent_environments": mix(AGENTS, lambda one: one.now.agent),
        "launch_sources": mix(LAUNCHES, lambda one: one.now.launch),
        "transparency": [{"declared": kind, **counted((*KINDS, "no_markers"), (
            one.now.seen for one in shown if one.active[28] and one.now.kind == kind))} for kind in KINDS],
        "once": [{"kind": kind, "once": share_of(some, lambda one: len(one.days) == 1) if some else None}
                 for kind in KINDS for some in [[one for one in old_enough if one.first.kind == kind]]],
    }


def upgrades(installs, version, day):
    """Days from the day on which a version came up to it or a later one, of those that could take it."""
    for one in (one for one in installs if one.day0 < day <= one.last_day):
        before = [known for known, first in one.versions if first < day]
        if precedence(before[-1]) < precedence(version):
            yield next((first - day for known, first in one.versions
                        if first >= day and precedence(known) >= precedence(version)), None)


def versions(product, installs, now):
    """The tables of one product."""
    came_up, of = {}, {"product": product}
    for version, day in (pair for one in installs for pair in one.versions):
        came_up[version] = min(day, came_up.get(version, day))
    first_day = {version: str(calendar(day)) for version, day in came_up.items() if now // DAY - day <= 364}
    there = [one for one in installs if one.active[28]]
    used = [(version, share_of(there, lambda one: one.now.version == version))
            for version in newest_first({one.now.version for one in there})]
    said = newest_first({version for one in installs for version in one.crashed})
    later = [{**of, "version": version, "first_day": first_day[version],
              **counted_delays(upgrades(installs, version, came_up[version]))}
             for version in newest_first(first_day) if "-" not in version]
    by_week = []
    for week, some in by_weeks(installs, now):
        end = min(week + 6, now // DAY - 1)
        then = Counter([version for version, day in one.versions if day <= end][-1] for one in some)
        by_week += [{**week_of(week), **of, "version": version, "active": share(then[version], len(some))}
                    for version in newest_first(then)]
    return {
        "adoption": [{**of, "version": version, "first_day": first_day.get(version), "active": active}
                     for version, active in used],
        "newest": [{**of, "version": version, "active": active} for version, active in used if "-" not in version][:1],
        "upgrades": [row for row in later if any(row[name] for name in (*DELAYS, "never"))],
        "by_week": by_week,
        "crashes": [{**of, "version": version, "crashed": share_of(some, lambda one: one.crashed[version])}
                    for version in said for some in [[one for one in installs if version in one.crashed]]],
        "error_codes": [{**of, "version": version, "code": code, **shares} for version in said
                        for code, shares in error_codes(version, [one for one in installs if version in one.crashed])],
    }


def error_codes(version, installs):
    """What installs said of each code on their days with a version: those that most have met first."""
    shares = {code: {name: share_of(installs, lambda one: (version, code) in getattr(one, name))
                     for name in ("met", "standing")} for code in ("other", *CODES)}
    counts = {code: [of["count"] for of in both.values()] for code, both in shares.items()}
    return [(code, shares[code]) for code in sorted(shares, key=counts.get, reverse=True) if any(counts[code])]


def clients(shown, now):
    asked = [one for one in shown if now // DAY - one.day0 >= 2 and not one.is_flood and one.active[364]]
    seen = Counter(name for one in asked for name in one.clients)
    names = sorted((name for name in seen if seen[name] >= 5), key=lambda name: (-seen[name], name))
    numbers = {"hidden_names": len(seen) - len(names), "installs_without": sum(not one.clients for one in asked),
               "installs": len(asked)}
    return {"names": [{"client": name, "seen": share(seen[name], len(asked))} for name in names],
            "hidden": numbered(numbers)}


def numbered(numbers):
    return [{"number": name, "count": count} for name, count in numbers.items()]


# All of it.

def health(answers, head, kept, now):
    windows, counts = {"last_7_days": now // DAY - 6, "last_28_days": now // DAY - 27, "ever": 0}, defaultdict(Counter)
    for (name, day), count in answers.items():
        counts[name].update({window: count for window, first in windows.items() if day >= first})
    marks = {key: head[key] for key in ("installs", "carried_over", "late_starts", "floods")}
    return {
        "answers": [{"name": name, **{window: counts[name][window] for window in windows}}
                    for name in sorted(counts) if counts[name]["ever"]],
        "marks": numbered({**marks, "floods_left_out": head["left_out"]["floods"]}),
        "database": numbered({"bytes": UNKNOWN, "installs": sum(map(len, kept.values())), "growth_28_days": UNKNOWN}),
    }


def pages(kept, answers, product, show, since, now):
    """All reports of a product, or of all, for an audience."""
    installs = {name: some for name, some in kept.items() if product in (None, name)}
    shown_of = {name: [one for one in some if one.is_shown(show)] for name, some in installs.items()}
    everything, shown = sum(installs.values(), []), sum(shown_of.values(), [])
    recent = [one for one in shown if not one.carried_over and (since is None or monday(one.day0) >= monday(since))]
    hidden = (one for one in everything if not one.is_shown(show))
    head = {
        "as_of": datetime.fromtimestamp(now, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "product": product,
        "show": show,
        "since": None if since is None else str(calendar(monday(since))),
        "installs": len(shown),
        "left_out": counted(LEFT_OUT, (
            "floods" if one.is_flood else REASONS.get(one.first.who, one.first.who) if one.first.is_release
            else "development" for one in hidden)),
        "carried_over": sum(one.carried_over for one in shown),
        "late_starts": sum(one.started_late and not one.carried_over for one in shown),
        "floods": sum(one.is_flood for one in shown),
    }
    cohorts, pooled = retention(recent, MEASURES, now)
    rolling, rolling_pooled = retention(recent, ROLLING, now)
    is_gateway = product == "mcpproxy" or (product is None and list(kept) == ["mcpproxy"])
    funnel = GATEWAY if is_gateway else WRAPPED
    steps = {row["step"]: row for row in activation(recent, funnel, now)}
    lately = [one for one in everything if one.first.is_release and one.active[28] and not one.is_flood]
    of_products = [versions(name, some, now) for name, some in shown_of.items()]
    of_versions = {name: [row for tables in of_products for row in tables[name]] for name in of_products[0]}
    return [{"page": name, **head, **tables} for name, tables in {
        "overview": {
            "active": {name: sum(one.active[days] for one in shown)
                       for name, days in {"yesterday": 1, "last_7_days": 7, "last_28_days": 28}.items()},
            "people": share_of(lately, lambda one: one.first.who == "person"),
            "retention": pooled,
            "first_real_tool_call": {key: steps["first_real_tool_call"][key] for key in ("reached", "within_7_days")},
            "new_installs": [{**{key: cohort[key] for key in ("week", "monday", "installs")},
                              "state": "final" if has_settled(day_of(cohort["monday"]) + 6, now) else "open"}
                             for cohort in cohorts],
        },
        "retention": {
            "pooled": pooled, "cohorts": cohorts, "rolling": rolling[::-1], "survival": survival(recent, now),
            "rolling_pooled": [{"days": name, "retained": cell if cell["of"] else None}
                               for name, cell in rolling_pooled.items()],
        },
        "activation": {
            "steps": list(steps.values()),
            "delays": [{"step": step, **counted_delays(one.reached[step] for one in recent)} for step in funnel],
        },
        "environments": environments(shown, recent, since, now),
        "versions": of_versions,
        "clients": clients(shown, now),
        "health": {**health(answers, head, kept, now), "error_codes": of_versions["error_codes"]},
    }.items()]


def main():
    parser = argparse.ArgumentParser(description="The truth about a simulated fleet, from its event log.")
    parser.add_argument("log")
    parser.add_argument("--at", type=int, action="append", help="the moment of the tables; the end of the log")
    parser.add_argument("--since", type=day_of, help="also the tables of the installs since this day")
    asked = parser.parse_args()
    fleet, heartbeats = read(asked.log)
    sinces = [None] if asked.since is None else [None, asked.since]
    tables = []
    for now in asked.at or [fleet["to"]]:
        kept, answers = receive(heartbeats, fleet["products"], now)
        for chosen in every([None, *fleet["products"]], SHOWS, sinces):
            tables += pages(kept, answers, *chosen, now)
    sys.stdout.write(json.dumps(tables))


if __name__ == "__main__":
    main()
