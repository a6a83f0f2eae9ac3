import { describe, expect, test } from "vitest";
import { whyExposed } from "../../../src/cli/commands/host-authenticator.ts";
import { openAccessRules, openQuotaRules, tokenAuthenticator } from "../../../src/security/index.ts";
import {
  inDeploy,
  isDeployed,
  parseHostArguments,
  portOf,
  readDeployed,
  readDocuments,
  readYaml,
  type Yaml,
} from "./deploy-files.ts";

const base = "kubernetes/base";
const kustomization = readYaml(`${base}/kustomization.yaml`);
const all: readonly Yaml[] = kustomization.resources.flatMap((name: string) => readDocuments(`${base}/${name}`));
const ofKind = (kind: string): readonly Yaml[] => all.filter((one) => one.kind === kind);
const [set] = ofKind("StatefulSet");
const pod = set.spec.template.spec;
const [host] = pod.containers;
const flags = parseHostArguments(host.args);
const workloads = [set, ...ofKind("Deployment")];
const containersOf = ({ spec }: Yaml): readonly Yaml[] => [
  ...(spec.template.spec.initContainers ?? []),
  ...spec.template.spec.containers,
];
const labelsOf = (workload: Yaml) => ({
  ...workload.spec.template.metadata.labels,
  "app.kubernetes.io/part-of": "troupe",
});
const fits = (labels: Yaml, selector: Yaml): boolean =>
  Object.entries(selector).every(([name, value]) => labels[name] === value);

describe("the manifests of Kubernetes", () => {
  test("start locked hosts of one cluster by flags that exist, each reachable under its own name", () => {
    expect(set.spec.replicas).toBe(3);
    expect(
      whyExposed(flags.address, flags, tokenAuthenticator({ text: "ada a-token-of-ada-0123456789" })),
    ).toBeUndefined();
    expect(flags).toMatchObject({ insecure: false, cluster: "nats://nats:4222", balanceWorkers: true });
    const name = `$(POD_NAME).${set.spec.serviceName}.$(POD_NAMESPACE).svc`;
    expect(flags.advertiseWorkers).toBe(`${name}:${portOf(flags.address)}`);
    expect(flags.advertisePeer).toBe(`${name}:${portOf(flags.peerAddress ?? "")}`);
    expect(flags.state?.kind).toBe("postgres");
    const variables = host.env.map((one: Yaml) => one.name);
    for (const [, variable] of host.args.join(" ").matchAll(/\$\((\w+)\)/g)) expect(variables).toContain(variable);
    const peers = all.find(({ kind, metadata }) => kind === "Service" && metadata.name === set.spec.serviceName);
    expect(peers.spec).toMatchObject({ clusterIP: "None", publishNotReadyAddresses: true });
  });

  test("have ports that the host listens on, under the same names everywhere", () => {
    const ports = Object.fromEntries(host.ports.map((port: Yaml) => [port.name, port.containerPort]));
    expect(ports).toEqual({
      workers: portOf(flags.address),
      peers: portOf(flags.peerAddress ?? ""),
      admin: portOf(String(flags.admin)),
    });
    for (const { spec } of ofKind("Service")) {
      expect(fits(labelsOf(set), spec.selector)).toBe(true);
      for (const { port, targetPort } of spec.ports) expect(ports[targetPort]).toBe(port);
    }
    const [policy] = ofKind("NetworkPolicy").filter(({ metadata }) => metadata.name === "troupe-hosts");
    const open = policy.spec.ingress.flatMap((rule: Yaml) => rule.ports.map((one: Yaml) => one.port));
    expect(open).toEqual(Object.values(ports));
    const [monitor] = readDocuments("kubernetes/components/service-monitor/service-monitor.yaml");
    expect(ports[monitor.spec.endpoints[0].port]).toBe(ports.admin);
    const headless = ofKind("Service").find(({ spec }) => spec.clusterIP === "None");
    expect(fits(headless.metadata.labels, monitor.spec.selector.matchLabels)).toBe(true);
  });

  test("leave a host the time to drain, and end it only when its process does not answer", () => {
    const preStop = Number(host.lifecycle.preStop.exec.command[1]);
    // A host of a cluster leaves when the leases that it gave are over.
    const leaseSeconds = (flags.leaseMs ?? 20_000) / 1_000;
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThan(preStop + flags.graceSeconds + leaseSeconds);
    const what = (probe: Yaml): string => probe.exec.command.at(-1);
    expect([what(host.startupProbe), what(host.readinessProbe), what(host.livenessProbe)]).toEqual([
      "live",
      "ready",
      "live",
    ]);
    for (const probe of [host.startupProbe, host.readinessProbe, host.livenessProbe]) {
      const [node, program] = probe.exec.command;
      expect(node).toBe("node");
      expect(isDeployed(program.replace("/opt/troupe/node_modules/troupe/deploy/", ""))).toBe(true);
      // The program itself gives up after 3 s.
      expect(probe.timeoutSeconds).toBeGreaterThan(3);
    }
    const [budget] = ofKind("PodDisruptionBudget");
    expect(budget.spec.maxUnavailable).toBe(1);
    expect(fits(labelsOf(set), budget.spec.selector.matchLabels)).toBe(true);
  });

  test("mount each file that a flag or a variable names, as folders that Kubernetes renews", () => {
    for (const workload of workloads) {
      const { volumes } = workload.spec.template.spec;
      for (const container of containersOf(workload)) {
        const mounts: readonly Yaml[] = container.volumeMounts ?? [];
        for (const { name, subPath } of mounts) {
          expect(volumes.map((volume: Yaml) => volume.name)).toContain(name);
          expect(subPath).toBeUndefined();
        }
        const text = [...(container.args ?? []), ...(container.env ?? []).map((one: Yaml) => one.value ?? "")].join(
          " ",
        );
        for (const [, folder] of text.matchAll(/(\/etc\/troupe\/[\w-]+)\/[\w.]+/g))
          expect(mounts.map(({ mountPath }) => mountPath)).toContain(folder);
      }
    }
    for (const { files } of kustomization.configMapGenerator)
      for (const file of files) expect(isDeployed(`${base}/${file}`)).toBe(true);
    expect(flags.rules).toMatch(/\/rules\.yaml$/);
  });

  test("give no container rights of root, a file system to write to, or the token of an account", () => {
    for (const workload of workloads) {
      const { automountServiceAccountToken, securityContext } = workload.spec.template.spec;
      expect(automountServiceAccountToken).toBe(false);
      expect(securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } });
      for (const container of containersOf(workload)) {
        expect(container.securityContext).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ["ALL"] },
        });
        expect(container.resources.limits.memory).toBeDefined();
      }
    }
    expect(kustomization.labels[0].includeTemplates).toBe(true);
    for (const { spec } of ofKind("NetworkPolicy"))
      expect(workloads.some((workload) => fits(labelsOf(workload), spec.podSelector.matchLabels))).toBe(true);
  });

  test("have workers that dial the service, by rules that let them", async () => {
    const file = inDeploy(`${base}/host/rules.yaml`);
    const rules = await openAccessRules({ file });
    await openQuotaRules({ file });
    const principal = { name: "greeter", roles: ["worker"] };
    expect(
      rules.decide({ principal, action: "register", resource: "greeter", isPrefix: false, agent: undefined }).isAllowed,
    ).toBe(true);
    const [greeter] = ofKind("Deployment").filter(({ metadata }) => metadata.name === "greeter");
    const [{ env }] = greeter.spec.template.spec.containers;
    expect(env.find((one: Yaml) => one.name === "TROUPE_HOST").value).toBe(`troupe:${portOf(flags.address)}`);
    expect(readDeployed(`${base}/workers/haproxy.cfg`)).toContain(
      `server host1 troupe:${portOf(flags.address)} ssl verify required`,
    );
  });
});
