"use strict";
// Whether the environment objects to telemetry: the rules of src/consent/rules.rs, for the variables of this process.
//
// One rule: on doubt it objects. Configurations and the environments of parent processes are looked at by the binary.

const near = (value) => !["", "0", "false", "no", "off"].includes(value.trim().toLowerCase());

const RULES = {
  DO_NOT_TRACK: (value) => !["", "0", "false"].includes(value),
  MCPPROXY_TELEMETRY: (value) => !["", "true", "1", "on", "yes"].includes(value.trim().toLowerCase()),
  MCPPROXY_TELEMETRY_DISABLED: near,
  MCPPROXY_DO_NOT_TRACK: near,
};

/** The name of the first variable that objects. */
const objection = (environment) => Object.keys(RULES).find((name) => RULES[name](environment[name] ?? ""));

module.exports = { objection };
