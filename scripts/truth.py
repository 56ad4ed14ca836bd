#!/usr/bin/env python3
"""The truth about a simulated fleet: every table of the collector's pages, computed from the event log alone.

Written from the words of docs/collector/definitions.md, without a line of the collector: it knows no database and
no row, only who sent what, and when it was received. tests/collector_truth.rs compares it with the collector, cell
by cell. The log is described in docs/collector/simulator.md.

    scripts/truth.py LOG [--at SECONDS] [--since YYYY-MM-DD]    the tables, as JSON
"""

import argparse
import json
import math
import sys
from collections import Counter, defaultdict
from datetime import date, datetime, timedelta, timezone

DAY = 86_400
HOUR = 3_600
PAGES = ("overview", "retention", "activation")
SHOWS = ("people", "machines", "all")
MEASURES = {"day_1": (1, 1), "week_1": (7, 13), "week_4": (28, 34)}
GATEWAY = ("first_heartbeat", "server_configured", "server_connected", "client_seen", "tools_searched",
           "first_real_tool_call")
WRAPPED = ("first_heartbeat", "first_real_tool_call", "active_on_a_second_day", "active_in_a_second_week")


# Time. Days are counted from 1970-01-01, in UTC.

def seconds(text):
    """`2026-11-28T15:31:00Z` as seconds since 1970."""
    return int(datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc).timestamp())


def calendar(day):
    return date(1970, 1, 1) + timedelta(days=day)


def monday(day):
    """The day on which the ISO week of `day` begins."""
    return day - calendar(day).weekday()


def iso_week(day):
    year, week, _ = calendar(day).isocalendar()
    return f"{year:04}-W{week:02}"


def has_settled(last, now):
    """A first heartbeat of a Sunday, its last day of interest, and 48 hours after that has ended."""
    return now >= (last + 1) * DAY + 48 * HOUR


# What was received.

class Heartbeat:
    """One heartbeat that arrived: what it says of its install, and when it came from which network."""

    __slots__ = ("product", "id", "timestamp", "received", "network", "who", "is_release", "follows", "age", "says")

    def __init__(self, event):
        body, self.received, self.network = event["body"], event["received"], event["network"]
        product, funnel = body.get("product"), body["activation"]
        self.product = product["name"] if product else "mcpproxy"
        self.id, self.timestamp = body["anonymous_id"], seconds(body["timestamp"])
        kind = sys.intern(body["env_kind"])
        if body.get("agent_env", "none") != "none":
            kind = "agent"
        self.who = "person" if kind in ("interactive", "cloud_ide") else kind
        self.is_release = "-" not in (product["version"] if product else body["version"])
        self.follows = body.get("carried_over") is True
        self.age = body.get("days_since_install")
        self.says = (True, body.get("server_count", 0) >= 1, funnel["first_connected_server_ever"],
                     funnel["first_mcp_client_ever"], funnel["first_retrieve_tools_call_ever"],
                     funnel.get("first_real_tool_call_ever") is True)


class Install:
    """One id of one product: every heartbeat that was kept, with the day it counts for, in order of their times."""

    def __init__(self, is_flood):
        self.is_flood, self.heartbeats = is_flood, []

    def settle(self):
        self.heartbeats.sort(key=lambda one: one[:2])
        self.days = {moment // DAY for moment, _, _ in self.heartbeats}
        moment, _, first = self.heartbeats[0]
        self.day0 = moment // DAY
        self.install_day = None if first.age is None else self.day0 - first.age
        self.started_late = first.age is not None and first.age >= 2
        self.follows, self.who, self.is_release = first.follows, first.who, first.is_release
        self.reached = {name: self.days_until(name) for name in (*GATEWAY, *WRAPPED)}
        self.came_back = {name: self.was_seen(self.day0 + first, self.day0 + last)
                          for name, (first, last) in MEASURES.items()}

    def days_until(self, step):
        """Days from day 0 to the first report of a step; None if it never came."""
        if step == "active_on_a_second_day":
            days = [day for day in self.days if day > self.day0]
        elif step == "active_in_a_second_week":
            days = [day for day in self.days if day >= self.day0 + 7]
        else:
            at = GATEWAY.index(step)
            days = [moment // DAY for moment, _, one in self.heartbeats if one.says[at]]
        return min(days) - self.day0 if days else None

    def was_seen(self, first, last):
        return any(first <= day <= last for day in self.days)

    def is_shown(self, show):
        if show == "all":
            return True
        return self.is_release and not self.is_flood and (self.who == "person") == (show == "people")


def moment_of(timestamp, received):
    """The time whose UTC day a heartbeat counts for: the claimed one if it can be believed, else that of receipt."""
    believed = received - 26 * HOUR <= timestamp <= received + 10 * 60
    return timestamp if believed else received


def receive(heartbeats, products, now):
    """What is kept of everything that was received up to `now`: installs by product."""
    kept = {name: {} for name in products}
    stored, newcomers = defaultdict(list), Counter()
    for one in heartbeats:
        timestamp, received = one.timestamp, one.received
        if received > now:
            break
        if one.product not in kept:
            continue
        before = stored[one.product, one.id]
        if any(known == timestamp and when > received - 48 * HOUR for known, when in before):
            continue
        if sum(when // DAY == received // DAY for _, when in before) >= 3:
            continue
        if not before:
            # More new installs of one network and day than 50 are a flood.
            newcomers[one.network, received // DAY] += 1
            kept[one.product][one.id] = Install(newcomers[one.network, received // DAY] > 50)
        before.append((timestamp, received))
        kept[one.product][one.id].heartbeats.append((moment_of(timestamp, received), timestamp, one))
    for installs in kept.values():
        for install in installs.values():
            install.settle()
        product_began = min((install.day0 for install in installs.values()), default=0)
        for install in installs.values():
            older = install.install_day is not None and install.install_day < product_began
            install.carried_over = install.follows or older
    return {name: list(installs.values()) for name, installs in kept.items()}


# Numbers.

def share(has, of):
    """A share with Wilson's 95 % interval; without installs there is none, which is not 0 %."""
    if of == 0:
        return {"count": has, "of": 0, "share": None, "low": None, "high": None}
    z, p = 1.959963984540054, has / of
    centre = p + z * z / (2 * of)
    spread = z * math.sqrt(p * (1 - p) / of + z * z / (4 * of * of))
    low, high = ((centre + sign * spread) / (1 + z * z / of) for sign in (-1, 1))
    return {"count": has, "of": of, "share": p, "low": max(0.0, low), "high": min(1.0, high)}


def share_of(installs, has):
    installs = list(installs)
    return share(sum(1 for one in installs if has(one)), len(installs))


def retention(installs, now):
    """Cohorts by the ISO week of day 0, from the first that has an install to the present one."""
    counted = [one for one in installs if not one.carried_over]
    cohorts, sums = [], {name: [0, 0] for name in MEASURES}
    by_week = defaultdict(list)
    for one in counted:
        by_week[monday(one.day0)].append(one)
    for week in range(min(by_week), monday(now // DAY) + 1, 7) if by_week else ():
        of_week = by_week.get(week, [])
        cohort = {"week": iso_week(week), "monday": str(calendar(week)), "installs": len(of_week)}
        for name, (_, last) in MEASURES.items():
            cell = share_of(of_week, lambda one: one.came_back[name])
            settled = has_settled(week + 6 + last, now)
            state = "empty" if not of_week else "final" if settled else "open"
            if state == "final":
                sums[name][0] += cell["count"]
                sums[name][1] += cell["of"]
            cohort[name] = {"state": state, **cell}
        cohort["state"] = "final" if has_settled(week + 6, now) else "open"
        cohorts.append(cohort)
    return cohorts, {name: share(has, of) for name, (has, of) in sums.items()}


def activation(installs, steps, now):
    """The funnel over the lifetime of every install that is not carried over."""
    counted = [one for one in installs if not one.carried_over]
    old_enough = [one for one in counted if now // DAY - one.day0 >= 7]
    rows = []
    for at, step in enumerate(steps):
        before = steps[:at + 1]
        within = share_of(old_enough, lambda one: one.reached[step] is not None and one.reached[step] < 7)
        rows.append({
            "step": step,
            "reached": share_of(counted, lambda one: one.reached[step] is not None),
            "with_all_before": share_of(counted, lambda one: all(one.reached[s] is not None for s in before)),
            "within_7_days": None if step == "active_in_a_second_week" else within,
        })
    return rows


def pages(kept, product, show, since, now):
    """The three pages of a product, or of all, for an audience."""
    installs = [one for name, some in kept.items() if product in (None, name) for one in some]
    shown = [one for one in installs if one.is_shown(show)]
    recent = [one for one in shown if since is None or monday(one.day0) >= monday(since)]
    hidden = [one for one in installs if not one.is_shown(show)]
    reasons = {"person": "people", "agent": "agents", "container": "containers"}
    out = Counter("floods" if one.is_flood else reasons.get(one.who, one.who) if one.is_release else "development"
                  for one in hidden)
    yesterday = now // DAY - 1

    def active(days):
        return lambda one: one.was_seen(yesterday - days + 1, yesterday)

    cohorts, pooled = retention(recent, now)
    is_gateway = product == "mcpproxy" or (product is None and list(kept) == ["mcpproxy"])
    steps = activation(recent, GATEWAY if is_gateway else WRAPPED, now)
    call = next(row for row in steps if row["step"] == "first_real_tool_call")
    names = ("people", "agents", "ci", "containers", "headless", "unknown", "development", "floods")
    head = {
        "as_of": datetime.fromtimestamp(now, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "product": product,
        "show": show,
        "since": None if since is None else str(calendar(monday(since))),
        "installs": len(shown),
        "left_out": {name: out.get(name, 0) for name in names},
        "carried_over": sum(one.carried_over for one in shown),
        "late_starts": sum(one.started_late and not one.carried_over for one in shown),
        "floods": sum(one.is_flood for one in shown),
    }
    new = [{key: cohort[key] for key in ("week", "monday", "installs", "state")} for cohort in cohorts]
    lately = [one for one in installs if one.is_release and not one.is_flood and active(28)(one)]
    return [
        {"page": "overview", **head,
         "active": {"yesterday": sum(map(active(1), shown)), "last_7_days": sum(map(active(7), shown)),
                    "last_28_days": sum(map(active(28), shown))},
         "people": share_of(lately, lambda one: one.who == "person"),
         "retention": pooled,
         "first_real_tool_call": {key: call[key] for key in ("reached", "within_7_days")},
         "new_installs": new},
        {"page": "retention", **head, "pooled": pooled,
         "cohorts": [{key: value for key, value in cohort.items() if key != "state"} for cohort in cohorts]},
        {"page": "activation", **head, "steps": steps},
    ]


def read(log):
    """The first line of a log, and its heartbeats that arrived, in the order of their coming."""
    with open(log, encoding="utf-8") as lines:
        fleet = json.loads(next(lines))
        sent = (json.loads(line) for line in lines if '"event":"sent"' in line)
        heartbeats = [Heartbeat(event) for event in sent if event["received"] is not None]
    return fleet, sorted(heartbeats, key=lambda one: one.received)


def main():
    parser = argparse.ArgumentParser(description="The truth about a simulated fleet, from its event log.")
    parser.add_argument("log")
    parser.add_argument("--at", type=int, action="append", help="the moment of the tables; the end of the log")
    parser.add_argument("--since", type=date.fromisoformat, help="also the tables of the installs since this day")
    asked = parser.parse_args()
    fleet, heartbeats = read(asked.log)
    sinces = [None] + ([(asked.since - date(1970, 1, 1)).days] if asked.since else [])
    tables = []
    for now in asked.at or [fleet["to"]]:
        kept = receive(heartbeats, fleet["products"], now)
        for product in [None, *fleet["products"]]:
            for show in SHOWS:
                for since in sinces:
                    tables += pages(kept, product, show, since, now)
    json.dump(tables, sys.stdout)


if __name__ == "__main__":
    main()
