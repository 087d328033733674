// Which of the suite's scenarios apply to keycell, and why the others do not.

export const REVISIONS = ["2025-11-25", "2026-07-28"] as const;
export type Revision = (typeof REVISIONS)[number];

/** Checks of a scenario that keycell does not pass, and why. */
type Exceptions = Record<string, string>;

const NOT_OFFERED = "keycell has nothing of the kind, and says that there is no such method";
const NO_TEST_TOOL = "needs a tool that only a test server has";

/** The scenarios that keycell has to pass, but for the checks that are named. */
export const APPLICABLE: Record<Revision, Record<string, Exceptions>> = {
  "2025-11-25": {
    "dns-rebinding-protection": {},
    ping: {},
    "server-initialize": {},
    "tools-list": {},
  },
  "2026-07-28": {
    caching: {
      "sep-2549-prompts-list-caching-hints": NOT_OFFERED,
      "sep-2549-resources-list-caching-hints": NOT_OFFERED,
      "sep-2549-resources-templates-list-caching-hints": NOT_OFFERED,
    },
    "dns-rebinding-protection": {},
    "http-header-validation": {},
    "input-required-result-unsupported-methods": {},
    "server-sse-multiple-streams": {},
    "server-stateless": {
      "sep-2575-http-server-no-independent-requests-on-stream": NO_TEST_TOOL,
      "sep-2575-missing-capability-http-400": NO_TEST_TOOL,
      "sep-2575-server-no-log-without-loglevel": NO_TEST_TOOL,
      "sep-2575-server-rejects-undeclared-capability": NO_TEST_TOOL,
    },
    "tools-list": {},
  },
};

/** A reason, and the scenarios that do not apply for this reason, in any revision. */
export const INAPPLICABLE: [reason: string, scenarios: string[]][] = [
  [
    "calls a tool that only a test server has",
    [
      "http-custom-header-server-validation",
      "json-schema-2020-12",
      "tools-call-audio",
      "tools-call-elicitation",
      "tools-call-embedded-resource",
      "tools-call-error",
      "tools-call-image",
      "tools-call-mixed-content",
      "tools-call-sampling",
      "tools-call-simple-text",
      "tools-call-with-logging",
      "tools-call-with-progress",
    ],
  ],
  [
    "keycell asks nothing back: no elicitation, no sampling, no roots",
    [
      "elicitation-sep1034-defaults",
      "elicitation-sep1330-enums",
      "input-required-result-basic-elicitation",
      "input-required-result-basic-list-roots",
      "input-required-result-basic-sampling",
      "input-required-result-capability-check",
      "input-required-result-ignore-extra-params",
      "input-required-result-missing-input-response",
      "input-required-result-multi-round",
      "input-required-result-multiple-input-requests",
      "input-required-result-non-tool-request",
      "input-required-result-request-state",
      "input-required-result-result-type",
      "input-required-result-tampered-state",
      "input-required-result-validate-input",
    ],
  ],
  [
    "keycell has no prompts",
    [
      "prompts-get-embedded-resource",
      "prompts-get-simple",
      "prompts-get-with-args",
      "prompts-get-with-image",
      "prompts-list",
    ],
  ],
  [
    "keycell has no resources",
    [
      "resources-list",
      "resources-read-binary",
      "resources-read-text",
      "resources-subscribe",
      "resources-templates-read",
      "resources-unsubscribe",
      "sep-2164-resource-not-found",
    ],
  ],
  ["keycell completes no arguments", ["completion-complete"]],
  ["keycell sends no log to clients", ["logging-set-level"]],
  [
    "keycell has no sessions: each request over HTTP is whole, and its answer is one JSON document",
    ["server-session-lifecycle", "server-sse-multiple-streams", "server-sse-polling"],
  ],
  [
    "keycell does not offer the extension: it has no skills, and its calls end at once",
    [
      "sep-2640-skills-directory",
      "sep-2640-skills-enumeration",
      "sep-2640-skills-manifest",
      "tasks-capability-negotiation",
      "tasks-dispatch-and-envelope",
      "tasks-lifecycle",
      "tasks-mrtr-composition",
      "tasks-mrtr-input",
      "tasks-request-headers",
      "tasks-request-state-removal",
      "tasks-required-task-error",
      "tasks-status-notifications",
      "tasks-wire-fields",
    ],
  ],
];
