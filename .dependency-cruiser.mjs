/**
 * The walls of ARCHITECTURE.md: imports go down the layers only, rooms on one line do not know each other,
 * and another room is entered by its internal.ts, or by its index.ts where it has no other.
 */
const layers = [
  ["core"],
  ["protocol", "protobuf", "telemetry", "process", "security", "cron", "context", "client"],
  ["transport", "storage", "cluster", "http", "teams"],
  ["worker", "host", "nats", "ai"],
  ["grpc", "admin", "testing", "web"],
  ["cli"],
];

const room = (name) => `^src/${name}/`;
const anyOf = (names) => `^src/(${names.join("|")})/`;

/** One rule a room: everything beside or above it is out of reach. */
const layerRules = layers.flatMap((line, height) =>
  line
    .map((name) => {
      const beside = line.filter((other) => other !== name);
      const above = layers.slice(height + 1).flat();
      return {
        name: `layer-${name}`,
        comment: `${name} may import only the layers below it`,
        severity: "error",
        from: { path: room(name) },
        to: { path: anyOf([...beside, ...above]) },
      };
    })
    .filter((rule) => rule.to.path !== "^src/()/"),
);

/** The rooms inside a folder of src, the highest first; those on one line do not know each other. */
const innerRooms = {
  host: [
    ["channels", "operations", "services"],
    ["states", "mail"],
    ["control", "calls", "events"],
    ["placement"],
    ["membership"],
    ["peers"],
    ["registry"],
    ["sessions", "log"],
    ["access", "quotas"],
  ],
  worker: [
    ["agents"],
    ["control"],
    ["inbound"],
    ["claims"],
    ["outbound", "registry"],
    ["connection"],
    ["lease", "metrics"],
  ],
};

/** Rooms that compose a part of the folder from all others, as files in its root do. They may import the root, too. */
const composingRooms = { host: ["cluster", "metrics"], worker: [] };

/** Files in the root of such a folder that its rooms may import: they import no room themselves. */
const rootLeaves = {
  host: [
    "batch-runner",
    "cluster-options",
    "counters",
    "held-store",
    "host-health",
    "host-capabilities",
    "limits",
    "observer",
    "options",
    "principal",
  ],
  worker: ["load-context", "reconnect-options", "worker-counters", "worker-options"],
};

/** One rule a room: what is beside or above it, and the root but for its leaves, is out of reach. One rule for the leaves. */
const innerRules = Object.entries(innerRooms).flatMap(([folder, lines]) => {
  const leaves = `^src/${folder}/(${rootLeaves[folder].join("|")})\\.ts$`;
  const rules = lines.flatMap((line, depth) =>
    line.map((name) => {
      const above = [...composingRooms[folder], ...lines.slice(0, depth).flat()];
      const others = [...above, ...line.filter((other) => other !== name)];
      const rooms = others.length > 0 ? [`^src/${folder}/(${others.join("|")})/`] : [];
      return {
        name: `layer-${folder}-${name}`,
        comment: `${folder}/${name} may import only the rooms below it, and the leaves of the root`,
        severity: "error",
        from: { path: `^src/${folder}/${name}/` },
        to: { path: [...rooms, `^src/${folder}/[^/]+\\.ts$`], pathNot: [leaves] },
      };
    }),
  );
  const known = [...composingRooms[folder], ...lines.flat()];
  const leafRule = {
    name: `leaves-of-${folder}`,
    comment: `the leaves in the root of ${folder} import none of its rooms, and of the root only leaves`,
    severity: "error",
    from: { path: leaves },
    to: { path: `^src/${folder}/`, pathNot: [leaves] },
  };
  const knownRule = {
    name: `known-rooms-of-${folder}`,
    comment: `a new room of ${folder} needs its place in innerRooms or composingRooms (this file) and in ARCHITECTURE.md`,
    severity: "error",
    from: { path: `^src/${folder}/[^/]+/`, pathNot: [`^src/${folder}/(${known.join("|")})/`] },
    to: {},
  };
  return [...rules, leafRule, knownRule];
});

export default {
  forbidden: [
    ...layerRules,
    ...innerRules,
    {
      name: "known-rooms",
      comment: "a new room needs its place in the layers (this file and ARCHITECTURE.md)",
      severity: "error",
      from: { path: "^src/", pathNot: anyOf(layers.flat()) },
      to: {},
    },
    {
      name: "context-knows-only-core",
      severity: "error",
      from: { path: room("context") },
      to: { path: "^src/", pathNot: ["^src/context/", "^src/core/(index|internal)\\.ts$"] },
    },
    {
      name: "client-stands-alone",
      comment: "what a page loads has nothing but the client in it: of core it takes types",
      severity: "error",
      from: { path: room("client") },
      to: { pathNot: "^src/client/", dependencyTypesNot: ["type-only"] },
    },
    {
      name: "enter-by-an-entry-point",
      comment: "another room is entered by its internal.ts or index.ts, never by its inner files",
      severity: "error",
      from: { path: "^src/([^/]+)/" },
      to: { path: "^src/[^/]+/", pathNot: ["^src/$1/", "/(index|internal)\\.ts$"] },
    },
    {
      name: "enter-by-internal",
      comment: "a room that has an internal.ts is entered by it: index.ts holds what users use",
      severity: "error",
      from: { path: "^src/([^/]+)/" },
      to: {
        path: "^src/(core|grpc|host|protocol|security|telemetry|transport|worker)/index\\.ts$",
        pathNot: "^src/$1/",
      },
    },
    {
      name: "examples-use-entry-points-only",
      comment: "an example imports only what a user can: troupe/... through the package's entry points",
      severity: "error",
      from: { path: "^examples/" },
      to: { path: "^src/", pathNot: "/index\\.ts$" },
    },
    {
      name: "src-is-alone",
      comment: "the library knows nothing of tests, tools, examples or benchmarks",
      severity: "error",
      from: { path: "^src/" },
      to: { path: "^(tests|tools|examples|bench)/" },
    },
    {
      name: "core-runs-anywhere",
      comment: "core has no node: imports",
      severity: "error",
      from: { path: room("core") },
      to: { dependencyTypes: ["core"] },
    },
    {
      name: "core-needs-no-package",
      comment: "core takes nothing but types from npm",
      severity: "error",
      from: { path: room("core") },
      to: { dependencyTypes: ["npm", "npm-dev", "npm-optional", "npm-peer"], dependencyTypesNot: ["type-only"] },
    },
    {
      name: "no-dev-dependency-in-src",
      comment: "a peer is a dev dependency, too: the project's own tests need a version of it",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/testing/contracts/" },
      to: { dependencyTypes: ["npm-dev"], dependencyTypesNot: ["type-only", "npm-peer"] },
    },
    {
      name: "sqlite-at-its-entry-point",
      comment: "who does not open troupe/storage/sqlite needs no SQLite",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/(storage/sqlite|testing)/" },
      // The command line loads it when it is used.
      to: { path: "^src/storage/sqlite/|@photostructure/sqlite", dependencyTypesNot: ["dynamic-import"] },
    },
    {
      name: "postgres-at-its-entry-point",
      comment: "who does not open troupe/storage/postgres needs no pg",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/(storage/postgres|testing)/" },
      // The command line loads it when it is used.
      to: { path: "^src/storage/postgres/|/node_modules/pg/|^pg$", dependencyTypesNot: ["dynamic-import"] },
    },
    {
      name: "nats-at-its-entry-point",
      comment: "who does not open troupe/nats needs no client of NATS",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/nats/" },
      // The command line loads it when it is used.
      to: { path: "^src/nats/|@nats-io/", dependencyTypesNot: ["dynamic-import"] },
    },
    {
      name: "croner-at-its-entry-point",
      comment: "who does not import troupe/cron needs no croner",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/cron/" },
      to: { path: "node_modules/croner/" },
    },
    {
      name: "jose-at-its-entry-point",
      comment: "who does not import troupe/security/jwt needs no jose",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/security/jwt/" },
      // The command line loads it when it is used.
      to: { path: "^src/security/jwt/|node_modules/jose/", dependencyTypesNot: ["dynamic-import"] },
    },
    {
      name: "prometheus-on-use",
      comment: "who does not ask a host for its metrics needs no SDK of OpenTelemetry",
      severity: "error",
      from: { path: "^src/" },
      to: {
        path: "node_modules/@opentelemetry/(sdk-metrics|exporter-prometheus)/",
        dependencyTypesNot: ["dynamic-import", "type-only"],
      },
    },
    {
      name: "pino-at-the-command-line",
      comment: "a program takes its own logger, and a command that logs nothing loads none",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/cli/json-logger\\.ts$" },
      to: { path: "node_modules/pino/" },
    },
    {
      name: "certificates-at-the-command-line",
      comment: "development certificates are made by a command: a host that is bundled does not carry them along",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/(cli|security/certificates)/" },
      to: { path: "^src/security/certificates/" },
    },
    {
      name: "selfsigned-on-use",
      comment: "who makes no development certificates needs no selfsigned",
      severity: "error",
      from: { path: "^src/" },
      to: { path: "node_modules/selfsigned/", dependencyTypesNot: ["dynamic-import", "type-only"] },
    },
    {
      name: "no-cycles",
      comment: "a cycle of type imports alone is allowed: it is gone after compilation",
      severity: "error",
      from: { path: "^src/" },
      to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } },
    },
    { name: "resolvable", severity: "error", from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "^(dist|build|coverage|examples/projects)/" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["troupe-source", "import", "node", "default"],
    },
  },
};
