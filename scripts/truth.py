#!/usr/bin/env python3
"""The truth about a simulated fleet: every table of the collector's pages, computed from the event log alone.

Written from the words of docs/collector/definitions.md, without a line of the collector: it knows no database and
no row, only who sent what, and when it was received. tests/collector_truth.rs compares it with the collector, cell
by cell. The log is described in docs/collector/simulator.md.

    scripts/truth.py LOG [--at SECONDS] [--since YYYY-MM-DD]    the tables, as JSON
    scripts/truth.py LOG --habits                               what a daily heartbeat saw of what people did
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

class Install:
    """One id of one product: every heartbeat that was kept, with the day it counts for, in order of their times."""

    def __init__(self):
        self.heartbeats = []

    def settle(self):
        self.heartbeats = [(moment // DAY, body) for moment, _, body in sorted(self.heartbeats, key=lambda h: h[:2])]
        self.days = {day for day, _ in self.heartbeats}
        self.day0, self.first = self.heartbeats[0]
        age = self.first.get("days_since_install")
        self.install_day = None if age is None else self.day0 - age
        self.started_late = age is not None and age >= 2
        self.follows = self.first.get("carried_over") is True
        kind = self.first["env_kind"]
        if self.first.get("agent_env", "none") != "none":
            kind = "agent"
        self.who = "person" if kind in ("interactive", "cloud_ide") else kind
        product = self.first.get("product")
        self.is_release = "-" not in (product["version"] if product else self.first["version"])
        self.reached = {name: self.days_until(name) for name in (*GATEWAY, *WRAPPED)}

    def days_until(self, step):
        """Days from day 0 to the first report of a step; None if it never came."""
        def says(body):
            funnel = body["activation"]
            return {
                "first_heartbeat": True,
                "server_configured": body.get("server_count", 0) >= 1,
                "server_connected": funnel["first_connected_server_ever"],
                "client_seen": funnel["first_mcp_client_ever"],
                "tools_searched": funnel["first_retrieve_tools_call_ever"],
                "first_real_tool_call": funnel.get("first_real_tool_call_ever") is True,
            }[step]

        if step == "active_on_a_second_day":
            days = [day for day in self.days if day > self.day0]
        elif step == "active_in_a_second_week":
            days = [day for day in self.days if day >= self.day0 + 7]
        else:
            days = [day for day, body in self.heartbeats if says(body)]
        return min(days) - self.day0 if days else None

    def was_seen(self, first, last):
        return any(first <= day <= last for day in self.days)

    def is_shown(self, show):
        if show == "all":
            return True
        return self.is_release and (self.who == "person") == (show == "people")


def moment_of(timestamp, received):
    """The time whose UTC day a heartbeat counts for: the claimed one if it can be believed, else that of receipt."""
    believed = received - 26 * HOUR <= timestamp <= received + 10 * 60
    return timestamp if believed else received


def receive(events, products, now):
    """What is kept of everything that was received up to `now`: installs by product."""
    kept = {name: defaultdict(Install) for name in products}
    stored = defaultdict(list)
    arrived = [e for e in events if e["event"] == "sent" and e["received"] is not None and e["received"] <= now]
    for event in sorted(arrived, key=lambda e: e["received"]):
        body, received = event["body"], event["received"]
        name = body["product"]["name"] if "product" in body else "mcpproxy"
        if name not in kept:
            continue
        timestamp = seconds(body["timestamp"])
        before = stored[name, body["anonymous_id"]]
        if any(known == timestamp and when > received - 48 * HOUR for known, when in before):
            continue
        if sum(when // DAY == received // DAY for _, when in before) >= 3:
            continue
        before.append((timestamp, received))
        kept[name][body["anonymous_id"]].heartbeats.append((moment_of(timestamp, received), timestamp, body))
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
        for name, (first, last) in MEASURES.items():
            cell = share_of(of_week, lambda one: one.was_seen(one.day0 + first, one.day0 + last))
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
    out = Counter(reasons.get(one.who, one.who) if one.is_release else "development" for one in hidden)
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
        "floods": 0,  # The networks of a log are not known, so none is marked.
    }
    new = [{key: cohort[key] for key in ("week", "monday", "installs", "state")} for cohort in cohorts]
    lately = [one for one in installs if one.is_release and active(28)(one)]
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


def habits(events, out):
    """What a daily heartbeat saw of what people did: the bias of the method, by habit."""
    habit = {e["install"]: e["habit"] for e in events if e["event"] == "install"}
    used, seen, began = defaultdict(set), defaultdict(set), {}
    for e in events:
        if e["event"] == "host_started":
            began[e["install"], e["host"]] = e["at"]
        elif e["event"] == "host_ended":
            start = began.pop((e["install"], e["host"]))
            used[e["install"]].update(range(start // DAY, e["at"] // DAY + 1))
        elif e["event"] == "sent" and e["received"] is not None:
            seen[e["install"]].add(moment_of(seconds(e["body"]["timestamp"]), e["received"]) // DAY)
    rows = defaultdict(lambda: [0, 0, 0, 0, 0])
    for install, name in habit.items():
        days, reported = used[install], seen[install]
        for at, n in enumerate((1, bool(reported), len(days), len(days & reported), len(reported - days))):
            rows[name][at] += n
    print(f"{'habit':<18} installs  ever seen  days used  days seen  seen of used  seen, not used", file=out)
    for name, (n, ever, days, both, other) in sorted(rows.items()):
        part = f"{both / days:.0%}" if days else "-"
        print(f"{name:<18} {n:>8} {ever:>10} {days:>10} {both:>10} {part:>13} {other:>15}", file=out)


def main():
    parser = argparse.ArgumentParser(description="The truth about a simulated fleet, from its event log.")
    parser.add_argument("log")
    parser.add_argument("--at", type=int, action="append", help="the moment of the tables; the end of the log")
    parser.add_argument("--since", type=date.fromisoformat, help="also the tables of the installs since this day")
    parser.add_argument("--habits", action="store_true")
    asked = parser.parse_args()
    with open(asked.log, encoding="utf-8") as lines:
        events = [json.loads(line) for line in lines]
    if asked.habits:
        habits(events, sys.stdout)
        return
    fleet = next(e for e in events if e["event"] == "fleet")
    sinces = [None] + ([(asked.since - date(1970, 1, 1)).days] if asked.since else [])
    tables = []
    for now in asked.at or [fleet["to"]]:
        kept = receive(events, fleet["products"], now)
        for product in [None, *fleet["products"]]:
            for show in SHOWS:
                for since in sinces:
                    tables += pages(kept, product, show, since, now)
    json.dump(tables, sys.stdout)


if __name__ == "__main__":
    main()
