import { streamProblems } from "../../admin/internal.ts";
import type { CoordinationCheck, CoordinationServer, TriedRight } from "../../cluster/internal.ts";
import { loggableText } from "../../core/internal.ts";

/** One thing that a check has found. `warning`: it works, and should be changed. */
export interface Finding {
  /** Names the thing that was checked. */
  readonly check: string;
  readonly outcome: "ok" | "warning" | "failed" | "skipped";
  /** Says the finding, and the thing to do about it. */
  readonly text: string;
}

/** The versions of NATS' server by which a check judges. */
export interface NatsVersions {
  readonly atLeast: (version: string, wanted: string) => boolean;
  readonly mayLoseStreams: (version: string) => boolean;
  readonly oldestVersion: string;
  readonly clusteredVersion: string;
  readonly recommendedVersion: string;
}

/** Clocks that differ by more are set wrong. */
const mostClockMs = 5_000;
/** A write to NATS that takes a fifth of the shortest lease or more is too slow for it. */
const slowMs = 500;

/** Says what a check of NATS has found. */
export function findingsOf(check: CoordinationCheck, versions: NatsVersions): readonly Finding[] {
  return [
    ...check.servers.map((server) => reachFinding(server)),
    ...check.servers.flatMap((server) => versionFindings(server, versions)),
    ...check.servers.flatMap((server) => jetStreamFinding(server)),
    countFinding(check),
    ...check.streams.map((stream): Finding => {
      const name = `stream ${stream.stream}`;
      if (stream.state === "missing")
        return { check: name, outcome: "skipped", text: "It is not there yet: the first host makes it." };
      const problems = streamProblems(stream, check);
      const outcome = stream.state === "unknown" ? "failed" : problems.length > 0 ? "warning" : "ok";
      const copies = `${stream.copies} ${stream.copies === 1 ? "copy" : "copies"}, ${stream.messages} messages`;
      return { check: name, outcome, text: problems.length > 0 ? problems.join(" ") : `${stream.use}: ${copies}` };
    }),
    ...check.rights.map((right) => rightFinding(right)),
    clockFinding(check.clockAheadMs),
  ];
}

function reachFinding({ address, name, problem, roundTripMs }: CoordinationServer): Finding {
  const check = `NATS server ${address}`;
  if (problem !== null) return { check, outcome: "failed", text: problem };
  const ms = roundTripMs ?? 0;
  if (ms > slowMs)
    return {
      check,
      outcome: "warning",
      text: `It answers in ${ms.toFixed(0)} ms, which is slow for leases. Look at the network and its disks.`,
    };
  return { check, outcome: "ok", text: `${name === "" ? "it" : name} answers in ${ms.toFixed(1)} ms` };
}

function versionFindings(
  { address, version, isClustered, problem }: CoordinationServer,
  { atLeast, mayLoseStreams, oldestVersion, clusteredVersion, recommendedVersion }: NatsVersions,
): readonly Finding[] {
  if (problem !== null) return [];
  const check = `version of ${address}`;
  const advice = `Run nats-server ${recommendedVersion} or newer.`;
  if (!atLeast(version, oldestVersion))
    return [{ check, outcome: "failed", text: `nats-server ${version} is older than ${oldestVersion}. ${advice}` }];
  if (isClustered && !atLeast(version, clusteredVersion))
    return [
      {
        ...{ check, outcome: "failed" },
        text: `nats-server ${version} lets two hosts win one race after its leader has changed, when several servers keep copies. ${advice}`,
      },
    ];
  if (mayLoseStreams(version))
    return [
      { check, outcome: "warning", text: `nats-server ${version} may lose a stream when it is killed. ${advice}` },
    ];
  if (!atLeast(version, recommendedVersion))
    return [{ check, outcome: "warning", text: `nats-server ${version} works. ${advice}` }];
  return [{ check, outcome: "ok", text: `nats-server ${version}` }];
}

function jetStreamFinding({ address, hasJetStream, problem }: CoordinationServer): readonly Finding[] {
  if (problem !== null) return [];
  const check = `JetStream at ${address}`;
  if (hasJetStream) return [{ check, outcome: "ok", text: "it is on" }];
  return [{ check, outcome: "failed", text: "It is off. Start the server with JetStream: nats-server --jetstream." }];
}

function countFinding({ servers }: CoordinationCheck): Finding {
  const check = "number of NATS servers";
  if (servers.length >= 3) return { check, outcome: "ok", text: `${servers.length} are named` };
  const isClustered = servers.some((server) => server.isClustered);
  const text = isClustered
    ? "The servers form a cluster, of which --cluster names fewer than three. Name all: a host finds another one when its own is lost."
    : "One server alone takes the cluster with it when it is lost. Run three.";
  return { check, outcome: "warning", text };
}

function rightFinding({ what, subject, outcome, detail }: TriedRight): Finding {
  const check = `right: ${what}`;
  switch (outcome) {
    case "granted":
      return { check, outcome: "ok", text: subject };
    case "skipped":
      return { check, outcome: "skipped", text: detail };
    case "refused":
      return {
        check,
        outcome: "failed",
        text: `NATS refuses ${subject}: ${loggableText(detail)}. Give the login this right.`,
      };
    case "no answer":
      return {
        ...{ check, outcome: "failed" },
        text: `${detail} Give the login the right to publish to ${subject} and to subscribe to its inboxes, and see that JetStream has a leader.`,
      };
  }
}

function clockFinding(aheadMs: number | null): Finding {
  const check = "clock";
  if (aheadMs === null)
    return {
      check,
      outcome: "skipped",
      text: "The servers do not tell their time: nats-server tells it from 2.10 on.",
    };
  const seconds = (Math.abs(aheadMs) / 1_000).toFixed(1);
  if (Math.abs(aheadMs) <= mostClockMs)
    return { check, outcome: "ok", text: `NATS and this machine differ by ${seconds} s` };
  return { check, outcome: "warning", text: `NATS and this machine differ by ${seconds} s. Set both clocks by NTP.` };
}
