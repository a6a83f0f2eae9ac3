import process from "node:process";
import { Command, Option } from "commander";
import { addClientFlags, type ClientFlags } from "../client/client-flags.ts";
import { type Finding, findingsOf } from "../doctor/findings.ts";
import { checkHost } from "../doctor/host-check.ts";
import { checkHosts } from "../doctor/peer-check.ts";
import { type PrintFlags, print } from "../printing.ts";
import { progressOn } from "../progress.ts";
import { settingsHelp } from "../settings/config-flags.ts";
import { formatTable } from "../table.ts";
import { wholeNumber } from "../whole-number.ts";
import {
  addNatsFlags,
  type ClusterFlags,
  clusterName,
  natsOptionsOf,
  peerTlsOf,
  serversIn,
  serversVariable,
} from "./cluster-flags.ts";

interface DoctorFlags extends PrintFlags, ClusterFlags, ClientFlags {
  readonly watchSeconds: number;
}

const examples = `
Examples:
  troupe doctor --address agents.example:50051 --tls-ca ca.pem --token-file token
  troupe doctor --address agents.example:443 --tls --watch-seconds 120
  troupe doctor --cluster nats://n1:4222,n2:4222,n3:4222

Exit codes: 0 nothing has failed, 1 something has`;

/**
 * The command `troupe doctor`: checks the way from this machine to a host, or what a host of a cluster needs, while none need run. It changes
 * nothing.
 */
export function doctorCommand(): Command {
  const command = new Command("doctor")
    .description("Check the way from this machine to a host, or to a cluster and its NATS servers, and say what to do")
    .optionsGroup("Cluster:")
    .addOption(
      new Option("--cluster <servers>", "the NATS servers of the cluster: nats://n1:4222,n2:4222,n3:4222").env(
        serversVariable,
      ),
    )
    .option("--cluster-name <name>", "which cluster: a-z, 0-9 and -", clusterName, "troupe")
    .option("--peer-tls-cert <file>", "certificate (PEM) by which the other hosts know a host of this machine")
    .option("--peer-tls-key <file>", "its private key (PEM)")
    .option("--peer-tls-ca <file>", "authority (PEM) of the certificates of all hosts")
    .optionsGroup("Options:")
    .option(
      "--watch-seconds <seconds>",
      "how long to keep a quiet stream to the host open, to see whether something in between ends it",
      wholeNumber(0, 86_400),
      0,
    )
    .option("--json", "print JSON", false);
  addClientFlags(addNatsFlags(command.optionsGroup("Cluster:")));
  return command.addHelpText("after", `${examples}\n${settingsHelp("client")}`).action(async (flags: DoctorFlags) => {
    const progress = progressOn();
    progress.say("checking…");
    const findings = await examine(flags, command.getOptionValueSource("address") !== "default").finally(() =>
      progress.done(),
    );
    if (findings.some(({ outcome }) => outcome === "failed")) process.exitCode = 1;
    print(flags, { findings }, textOfFindings);
  });
}

/** Checks the host, unless only a cluster is named. */
async function examine(flags: DoctorFlags, isHostNamed: boolean): Promise<readonly Finding[]> {
  const ofHost =
    flags.cluster === undefined || isHostNamed
      ? await checkHost(flags, { environment: process.env, watchMs: 1_000 * flags.watchSeconds })
      : [];
  return flags.cluster === undefined ? ofHost : [...ofHost, ...(await examineCluster(flags, flags.cluster))];
}

async function examineCluster(flags: DoctorFlags, cluster: string): Promise<readonly Finding[]> {
  const [options, tls] = [natsOptionsOf(flags), peerTlsOf(flags)];
  const { checkNats, ...versions } = await import("../../nats/internal.ts");
  const check = await checkNats(serversIn(cluster), options);
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
