import process from "node:process";
import { Command, Option } from "commander";
import { TroupeError } from "../../core/internal.ts";
import { type Finding, findingsOf } from "../doctor/findings.ts";
import { checkHosts } from "../doctor/peer-check.ts";
import { type PrintFlags, print } from "../printing.ts";
import { formatTable } from "../table.ts";
import {
  addNatsFlags,
  type ClusterFlags,
  clusterName,
  natsOptionsOf,
  peerTlsOf,
  serversIn,
  serversVariable,
} from "./cluster-flags.ts";

interface DoctorFlags extends PrintFlags, ClusterFlags {}

/** The command `troupe doctor`: checks what a host of a cluster needs, while none need run. It changes nothing. */
export function doctorCommand(): Command {
  const command = new Command("doctor")
    .description("Check the NATS servers and the hosts of a cluster from this machine, and say what to do")
    .addOption(
      new Option("--cluster <servers>", "the NATS servers of the cluster: nats://n1:4222,n2:4222,n3:4222").env(
        serversVariable,
      ),
    )
    .option("--cluster-name <name>", "which cluster: a-z, 0-9 and -", clusterName, "troupe")
    .option("--peer-tls-cert <file>", "certificate (PEM) by which the other hosts know a host of this machine")
    .option("--peer-tls-key <file>", "its private key (PEM)")
    .option("--peer-tls-ca <file>", "authority (PEM) of the certificates of all hosts")
    .option("--json", "print JSON", false);
  return addNatsFlags(command).action(async (flags: DoctorFlags) => {
    const findings = await examine(flags);
    if (findings.some(({ outcome }) => outcome === "failed")) process.exitCode = 1;
    print(flags, { findings }, textOfFindings);
  });
}

async function examine(flags: DoctorFlags): Promise<readonly Finding[]> {
  if (flags.cluster === undefined)
    throw new TroupeError("invalid-argument", "Name the NATS servers of the cluster: --cluster nats://HOST:4222.");
  const [options, tls] = [natsOptionsOf(flags), peerTlsOf(flags)];
  const { checkNats, ...versions } = await import("../../nats/internal.ts");
  const check = await checkNats(serversIn(flags.cluster), options);
  const findings = findingsOf(check, versions);
  if (check.hosts === null) return findings;
  if (check.hosts.length === 0)
    return [...findings, { check: "hosts", outcome: "skipped", text: "No host of the cluster is up." }];
  return [...findings, ...(await checkHosts(check.hosts, tls))];
}

function textOfFindings({ findings }: { readonly findings: readonly Finding[] }): string {
  const shown = { ok: "ok", warning: "WARNING", failed: "FAILED", skipped: "skipped" } as const;
  const table = formatTable(
    ["", "check", "finding"],
    findings.map(({ check, outcome, text }) => [shown[outcome], check, text]),
  );
  const count = (outcome: Finding["outcome"]): number => findings.filter((one) => one.outcome === outcome).length;
  return `${table}\n\n${count("failed")} failed, ${count("warning")} warnings`;
}
