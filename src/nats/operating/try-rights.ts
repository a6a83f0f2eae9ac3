import { Buffer } from "node:buffer";
import { type HostRecord, parseHost, type TriedRight } from "../../cluster/internal.ts";
import { errorText, loggableText } from "../../core/internal.ts";
import { type NatsClient, requestTimeoutMs } from "../nats-client.ts";
import { type ProbedServer, shown } from "./server-probe.ts";

/** A revision that no subject has: the server refuses the write, after it has checked the rights. */
const noRevision = "9007199254740991";
const wrongRevision: readonly number[] = [10_071, 10_164];
/** Records of hosts that are read. */
const mostHosts = 256;

/** Tries what hosts do, without a change: writes name a revision that can't be. `isThere` tells which streams there are. */
export async function tryRights(
  { client, connection }: ProbedServer,
  clusterName: string,
  isThere: (stream: string) => boolean,
): Promise<readonly TriedRight[]> {
  if (client === undefined || connection === undefined) return [];
  const refused = new Set<string>();
  // It ends with the connection.
  void (async () => {
    for await (const { type, error } of connection.status()) if (type === "error") refused.add(errorText(error));
  })().catch(() => undefined);
  const [control, claims] = [`troupe_${clusterName}_ctl`, `troupe_${clusterName}_claims_0`];
  const [mail, dead] = [`TROUPE_${clusterName}_MAIL_0`, `TROUPE_${clusterName}_DEAD`];
  const writes = [
    { what: "writes hosts, workers and types", stream: `KV_${control}`, subject: `$KV.${control}.doctor` },
    { what: "writes claims", stream: `KV_${claims}`, subject: `$KV.${claims}.doctor` },
    { what: "writes mail", stream: mail, subject: `troupe.${clusterName}.mail.0.doctor.doctor` },
    { what: "writes dead letters", stream: dead, subject: `troupe.${clusterName}.dead.doctor.doctor` },
  ];
  const tried: Promise<TriedRight>[] = writes.map(({ what, stream, subject }) =>
    isThere(stream) ? tryWrite(client, what, subject) : Promise.resolve(skipped(what, subject)),
  );
  for (const { stream } of writes) {
    const [what, subject] = [`reads ${stream}`, `$JS.API.CONSUMER.CREATE.${stream}`];
    tried.push(isThere(stream) ? tryConsumer(client, what, stream) : Promise.resolve(skipped(what, subject)));
  }
  tried.push(tryHint(client, `troupe.${clusterName}.hint`));
  const rights = await Promise.all(tried);
  return rights.map((right) => {
    const violation = [...refused].find((text) => text.includes(`"${right.subject}`));
    const isRefused = right.outcome === "no answer" && violation !== undefined;
    return isRefused ? { ...right, outcome: "refused", detail: loggableText(violation) } : right;
  });
}

function skipped(what: string, subject: string): TriedRight {
  return { what, subject, outcome: "skipped", detail: "The stream is not there yet." };
}

async function tryWrite(client: NatsClient, what: string, subject: string): Promise<TriedRight> {
  const headers = client.createHeaders();
  headers.set("Nats-Expected-Last-Subject-Sequence", noRevision);
  const answer = await client.request(subject, new Uint8Array(0), headers);
  const error = answer === undefined ? undefined : errorIn(answer.data);
  if (answer === undefined || answer.headers?.code === 503) return { what, subject, ...noAnswer };
  if (error !== undefined && wrongRevision.includes(error.code))
    return { what, subject, outcome: "granted", detail: "" };
  return { what, subject, outcome: "refused", detail: error?.text ?? "" };
}

async function tryConsumer(client: NatsClient, what: string, stream: string): Promise<TriedRight> {
  const subject = `$JS.API.CONSUMER.CREATE.${stream}`;
  const answer = await client.ask<{ readonly name?: unknown }>(`CONSUMER.CREATE.${stream}`, {
    stream_name: stream,
    config: {
      ...{ deliver_policy: "new", ack_policy: "none", mem_storage: true, num_replicas: 1 },
      // The server forgets it if its deletion is lost.
      inactive_threshold: 5_000_000_000,
    },
  });
  if (answer === undefined) return { what, subject, ...noAnswer };
  if ("error" in answer) return { what, subject, outcome: "refused", detail: shown(answer.error.description) };
  if (typeof answer.value.name === "string")
    await client.ask(`CONSUMER.DELETE.${stream}.${answer.value.name}`, undefined);
  return { what, subject, outcome: "granted", detail: "" };
}

/** Publishes an announcement that says nothing, and hears it. */
async function tryHint(client: NatsClient, subject: string): Promise<TriedRight> {
  const what = "tells other hosts what has changed, and hears it";
  let heard = (): void => undefined;
  const hears = new Promise<boolean>((resolve) => {
    heard = () => resolve(true);
  });
  const unsubscribe = client.subscribe(subject, () => heard());
  client.publish(subject);
  const isHeard = await Promise.race([hears, client.pause(requestTimeoutMs).then(() => false)]);
  unsubscribe();
  return isHeard ? { what, subject, outcome: "granted", detail: "" } : { what, subject, ...noAnswer };
}

const noAnswer = { outcome: "no answer", detail: "NATS has not answered in time." } as const;

function errorIn(data: Uint8Array): { readonly code: number; readonly text: string } | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(data));
    if (typeof value !== "object" || value === null || !("error" in value)) return undefined;
    const { error } = value;
    if (typeof error !== "object" || error === null) return undefined;
    const fields = new Map(Object.entries(error));
    return { code: Number(fields.get("err_code")), text: shown(fields.get("description")) };
  } catch {
    return undefined;
  }
}

/** Reads the records of the hosts of a cluster, at most 256. Undefined: NATS does not tell. */
export async function readHostRecords(
  client: NatsClient,
  clusterName: string,
): Promise<readonly HostRecord[] | undefined> {
  const [stream, prefix] = [`KV_troupe_${clusterName}_ctl`, `$KV.troupe_${clusterName}_ctl.host.`];
  const filter = { subjects_filter: `${prefix}>` };
  const info = await client.ask<{ readonly state?: { readonly subjects?: object } }>(`STREAM.INFO.${stream}`, filter);
  if (info === undefined || "error" in info) return undefined;
  const subjects = Object.keys(info.value.state?.subjects ?? {}).slice(0, mostHosts);
  const records = await Promise.all(
    subjects.map(async (subject) => {
      const answer = await client.ask<{ readonly message?: { readonly data?: unknown } }>(`STREAM.MSG.GET.${stream}`, {
        last_by_subj: subject,
      });
      const data = answer === undefined || "error" in answer ? undefined : answer.value.message?.data;
      return typeof data === "string" ? parseHost(Buffer.from(data, "base64")) : undefined;
    }),
  );
  return records.flatMap((record) => record ?? []);
}
