"""What a simulated fleet's event log says was received: the installs of each product, with what they said and when.

Written from the words of docs/receive-and-read.md and docs/collector/definitions.md, without a line of the collector:
it knows no database and no row, only who sent what, and when it was received. scripts/truth.py makes the tables of
it. The log is described in docs/collector/simulator.md.
"""

import json
import sys
from collections import Counter, defaultdict
from datetime import date, datetime, timedelta
from functools import cache

DAY = 86_400
HOUR = 3_600
MEASURES = {"day_1": (1, 1), "week_1": (7, 13), "week_4": (28, 34)}
ROLLING = {f"days_{first}_to_{first + 27}": (first, first + 27) for first in (1, 28, 84, 168, 336)}
GATEWAY = ("first_heartbeat", "server_configured", "server_connected", "client_seen", "tools_searched",
           "first_real_tool_call")
# The error codes of the fleet that the collector knows, in the order of the catalog.
CODES = ("MCPX_STDIO_NOT_FOUND", "MCPX_HTTP_DNS")
WRAPPED = ("first_heartbeat", "first_real_tool_call", "active_on_a_second_day", "active_in_a_second_week")


# Time. Days are counted from 1970-01-01, in UTC.

def seconds(text):
    """`2026-11-28T15:31:00Z` as seconds since 1970."""
    return int(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp())


def calendar(day):
    return date(1970, 1, 1) + timedelta(days=day)


def day_of(text):
    """`2026-11-28` as a day."""
    return (date.fromisoformat(text) - calendar(0)).days


def monday(day):
    """The day on which the ISO week of `day` begins. 1970-01-01 was a Thursday."""
    return day - (day + 3) % 7


def week_of(day):
    """Its ISO week, as tables say it."""
    year, week, _ = calendar(day).isocalendar()
    return {"week": f"{year:04}-W{week:02}", "monday": str(calendar(monday(day)))}


def has_settled(last, now):
    """A first heartbeat of a Sunday, its last day of interest, and 48 hours after that has ended."""
    return now >= (last + 1) * DAY + 48 * HOUR


# What was received.

class Facts:
    """What a heartbeat says of the place that its install runs in, and of its version."""

    def __init__(self, body):
        product = body.get("product")
        self.version = (product["version"] if product else body["version"]).removeprefix("v")
        self.is_release = "-" not in self.version
        self.kind, self.launch = body["env_kind"], body["launch_source"]
        self.agent = body.get("agent_env", "not_said")
        is_agent = self.agent not in ("none", "not_said")
        self.who = "agent" if is_agent else "person" if self.kind in ("interactive", "cloud_ide") else self.kind
        self.seen = seen_kind(is_agent, body["os"], **body["env_markers"]) if "env_markers" in body else "no_markers"


def seen_kind(is_agent, system, has_ci_env, has_cloud_ide_env, is_container, has_tty, has_display):
    """The kind of environment that the markers of a heartbeat speak for."""
    if is_agent:
        return "ci" if has_ci_env else "container"
    if has_cloud_ide_env:
        return "cloud_ide"
    if has_ci_env:
        return "ci"
    if is_container:
        return "container"
    if system in ("darwin", "windows") or has_tty or has_display:
        return "interactive"
    return "headless" if system == "linux" else "unknown"


@cache
def precedence(version):
    """The order of semantic versions: numbers by their size, and before a release what led to it."""
    core, _, before = version.split("+")[0].partition("-")
    words = [(not word.isdigit(), int(word) if word.isdigit() else word) for word in before.split(".")]
    return [int(number) for number in core.split(".")], not before, words, version


def newest_first(versions):
    return sorted(versions, key=precedence, reverse=True)


class Heartbeat:
    """One heartbeat that arrived: what it says of its install, and when it came from which network."""

    __slots__ = ("product", "id", "timestamp", "received", "network", "facts", "follows", "age", "says", "clients",
                 "crashed", "codes", "unknown_codes")
    known = {}

    def __init__(self, event):
        body, self.received, self.network = event["body"], event["received"], event["network"]
        funnel = body["activation"]
        self.product = sys.intern(body["product"]["name"] if "product" in body else "mcpproxy")
        self.id, self.timestamp = sys.intern(body["anonymous_id"]), seconds(body["timestamp"])
        # Many say the same: it is kept once.
        same = json.dumps([body.get(name) for name in ("product", "version", "env_kind", "launch_source", "agent_env",
                                                       "os", "env_markers")])
        self.facts = self.known.get(same) or self.known.setdefault(same, Facts(body))
        self.follows = body.get("carried_over") is True
        self.age = body.get("days_since_install")
        self.says = (True, body.get("server_count", 0) >= 1, funnel["first_connected_server_ever"],
                     funnel["first_mcp_client_ever"], funnel["first_retrieve_tools_call_ever"],
                     funnel.get("first_real_tool_call_ever") is True)
        self.clients = tuple(map(sys.intern, funnel.get("mcp_clients_seen_ever", ())))
        self.crashed = body.get("previous_shutdown") == "crash"
        said = body.get("diagnostics", {})
        counts = [code for each in said.values() if isinstance(each, dict) for code in each]
        self.unknown_codes = sum(code not in CODES for code in counts)
        self.codes = [{code if code in CODES else "other" for code, count in said.get(name, {}).items() if count}
                      for name in ("error_code_counts_24h", "current_error_codes")]


class Install:
    """One id of one product: every heartbeat that was kept, with the day it counts for, in order of their times."""

    def __init__(self, is_flood):
        self.is_flood, self.heartbeats = is_flood, []

    def settle(self, now):
        """All that follows for it from its heartbeats alone, at this moment."""
        self.heartbeats.sort(key=lambda one: one[:2])
        beats = [(moment // DAY, one) for moment, _, one in self.heartbeats]
        yesterday = now // DAY - 1
        self.days = sorted({day for day, _ in beats})
        (self.day0, first), (self.last_day, last) = beats[0], beats[-1]
        self.first, self.now, self.follows = first.facts, last.facts, first.follows
        self.install_day = None if first.age is None else self.day0 - first.age
        self.started_late = first.age is not None and first.age >= 2
        self.active = {days: self.was_seen(yesterday - days + 1, yesterday) for days in (1, 7, 28, 364)}
        self.weeks = {monday(day) for day in self.days if day <= yesterday}
        after = [day - self.day0 for day in self.days]
        self.came_back = {name: any(first <= n <= last for n in after)
                          for name, (first, last) in (MEASURES | ROLLING).items()}
        # It lapsed, or will if it stays silent: 28 days without a heartbeat follow this one.
        self.lapses = next(n for n, following in zip(after, [*after[1:], 10_000]) if following > n + 28)
        self.reached = {step: next((day - self.day0 for day, one in beats if one.says[at]), None)
                        for at, step in enumerate(GATEWAY)}
        self.reached["active_on_a_second_day"] = next((n for n in after if n >= 1), None)
        self.reached["active_in_a_second_week"] = next((n for n in after if n >= 7), None)
        self.clients = {name for _, one in beats for name in one.clients}
        # The first day of each version, the last eight.
        versions = {}
        for day, one in beats:
            versions.setdefault(one.facts.version, day)
        self.versions = sorted(versions.items(), key=lambda item: item[::-1])[-8:]
        # Of each of the last 28 complete days: the last version, and whether a crash was told.
        recent = [(day, one) for day, one in beats if yesterday - 27 <= day <= yesterday]
        said, crashes = {day: one.facts.version for day, one in recent}, {day for day, one in recent if one.crashed}
        self.crashed = {version: False for version in said.values()}
        self.crashed |= {said[day]: True for day in crashes}
        # Codes that any heartbeat of a day met, and those in which the last one still was, by the version of the day.
        last = dict(recent)
        self.met = {(said[day], code) for day, one in recent for code in one.codes[0]}
        self.standing = {(said[day], code) for day, one in last.items() for code in one.codes[1]}

    def was_seen(self, first, last):
        return any(first <= day <= last for day in reversed(self.days))

    def has_reached(self, step, days=10_000):
        return self.reached[step] is not None and self.reached[step] <= days

    def is_shown(self, show):
        if show == "all":
            return True
        return self.first.is_release and not self.is_flood and (self.first.who == "person") == (show == "people")


def moment_of(timestamp, received):
    """The time whose UTC day a heartbeat counts for: the claimed one if it can be believed, else that of receipt."""
    believed = received - 26 * HOUR <= timestamp <= received + 10 * 60
    return timestamp if believed else received


def receive(heartbeats, products, now):
    """What is kept of everything that was received before `now`: installs by product; and what was answered how often,
    by name and UTC day."""
    kept, answers = {name: {} for name in products}, Counter()
    stored, newcomers = defaultdict(list), Counter()
    for one in heartbeats:
        timestamp, received = one.timestamp, one.received
        if received >= now:
            break
        today = received // DAY
        if one.product not in kept:
            answers["refused.product", today] += 1
            continue
        # Nothing older decides about it.
        before = [pair for pair in stored[one.id] if pair[1] > received - 48 * HOUR]
        if any(known == timestamp for known, _ in before):
            answers["duplicate", today] += 1
            continue
        if sum(when // DAY == today for _, when in before) >= 3:
            answers["too_many", today] += 1
            continue
        if one.id not in kept[one.product]:
            # More new installs of one network and day than 50 are a flood.
            newcomers[one.network, today] += 1
            is_flood = newcomers[one.network, today] > 50
            answers["flood", today] += is_flood
            kept[one.product][one.id] = Install(is_flood)
        stored[one.id] = [*before, (timestamp, received)]
        moment = moment_of(timestamp, received)
        answers["stored", today] += 1
        answers["clock_wrong", today] += moment != timestamp
        answers["unknown.codes", today] += one.unknown_codes
        kept[one.product][one.id].heartbeats.append((moment, timestamp, one))
    for installs in kept.values():
        for install in installs.values():
            install.settle(now)
        product_began = min((install.day0 for install in installs.values()), default=0)
        for install in installs.values():
            older = install.install_day is not None and install.install_day < product_began
            install.carried_over = install.follows or older
    return {name: list(installs.values()) for name, installs in kept.items()}, answers


def read(log):
    """The first line of a log, and its heartbeats that arrived, in the order of their coming."""
    with open(log, encoding="utf-8") as lines:
        fleet = json.loads(next(lines))
        sent = (json.loads(line) for line in lines if '"event":"sent"' in line)
        heartbeats = [Heartbeat(event) for event in sent if event["received"] is not None]
    return fleet, sorted(heartbeats, key=lambda one: one.received)
