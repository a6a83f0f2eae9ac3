import { randomUUID } from "node:crypto";
import { type ClientHttp2Session, connect as connectHttp2, constants, type IncomingHttpHeaders } from "node:http2";
import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { errorText, loggableText } from "../../core/internal.ts";
import { announcementOf, clientIdKey, method, serviceName, whoQuestion } from "../../protocol/internal.ts";
import { isLocalAddress, parseAddress, tlsReason } from "../../transport/internal.ts";
import { type ClientFlags, clientTlsOf, dialerOptionsOf, shownToHost, tokenOf } from "../client/client-flags.ts";
import { ClientError, openClient } from "../client/open-client.ts";
import { tlsAdvice } from "../client/tls-advice.ts";
import { exitCodes } from "../exit-codes.ts";
import type { Finding } from "./findings.ts";
import { principalFinding } from "./principal-finding.ts";

/** Milliseconds that each step has. */
const stepMs = 5_000;
const dayMs = 86_400_000;
/** A certificate that ends sooner is warned of. */
const fewDays = 14;
/** Clocks that differ by more are set wrong. */
const mostClockMs = 5_000;

/** The gRPC status of a host that does not know a method. */
const unimplemented = "12";

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Checks step by step that a worker of this machine can reach a host: address, TLS, HTTP/2, what stands in between, token and clock. It ends with the first
 * step that fails. `watchMs`: for so long it then keeps a quiet stream open, to see who ends it.
 */
export async function checkHost(
  flags: ClientFlags,
  { environment, watchMs }: { readonly environment: Environment; readonly watchMs: number },
): Promise<readonly Finding[]> {
  // Flags that can't be used are an error of the command.
  dialerOptionsOf(flags, environment);
  const found: Finding[] = [];
  const opened = await openSocket(flags, found);
  if (opened === undefined) return found;
  const session = connectHttp2("http://host", { createConnection: () => opened });
  session.on("error", () => undefined);
  try {
    const asked = await askHealth(session, tokenOf(flags, environment));
    if (!judgeAnswer(asked, flags, found)) return found;
    const worker = await checkWorker(flags, environment);
    found.push(worker);
    // A host without a health service is AutoGen's: it knows no caller, and sends no headers before its first message.
    if (worker.outcome === "ok" && asked.at === "answered" && asked.status !== unimplemented)
      found.push(await checkPrincipal(session, flags, tokenOf(flags, environment)));
    if (watchMs > 0) found.push(await watchQuiet(session, tokenOf(flags, environment), watchMs));
    return found;
  } finally {
    session.destroy();
  }
}

/** Connects, with TLS if the flags ask for it. Undefined: it has failed, and the findings say why. */
async function openSocket(flags: ClientFlags, found: Finding[]): Promise<Socket | undefined> {
  const address = parseAddress(flags.address);
  const tls = clientTlsOf(flags) ?? (address.kind === "tcp" && address.secure ? {} : undefined);
  const where = address.kind === "unix" ? { path: address.path } : { host: address.host, port: address.port };
  const beganMs = performance.now();
  const socket = connectTcp(where);
  const why = await happens(socket, "connect");
  if (why !== undefined) {
    const text = `${loggableText(flags.address)} takes no connection: ${loggableText(why)}. See that the host runs, that the address is the one it prints, and that no firewall is in between.`;
    found.push({ check: "address", outcome: "failed", text });
    return undefined;
  }
  const ms = (performance.now() - beganMs).toFixed(1);
  found.push({
    check: "address",
    outcome: "ok",
    text: `${loggableText(flags.address)} takes connections, in ${ms} ms`,
  });
  if (tls === undefined) {
    const isLocal = isLocalAddress(address);
    const text = isLocal
      ? "none, and the address is of this machine"
      : "Everybody on the way reads and changes messages. Serve with --tls-cert, and use --tls-ca here.";
    found.push({ check: "TLS", outcome: isLocal ? "ok" : "warning", text });
    return socket;
  }
  const name = address.kind === "tcp" && /[a-z]/i.test(address.host) && !address.host.includes(":") ? address.host : "";
  const secure = connectTls({
    socket,
    servername: name,
    ALPNProtocols: ["h2"],
    ...tls,
    ...(name === "" && address.kind === "tcp" && tls.servername === undefined && { host: address.host }),
  });
  const failure = await happens(secure, "secureConnect");
  found.push(
    failure === undefined
      ? certificateFinding(secure)
      : { check: "TLS", outcome: "failed", text: withAdvice(failure, flags) },
  );
  return failure === undefined ? secure : undefined;
}

function certificateFinding(socket: TLSSocket): Finding {
  const check = "TLS";
  if (socket.alpnProtocol !== "h2")
    return {
      check,
      outcome: "failed",
      text: "The other end has TLS, and no HTTP/2. A proxy in between speaks HTTP/1 alone: let it pass HTTP/2 (docs/guide/proxies.md).",
    };
  const days = Math.floor((Date.parse(socket.getPeerCertificate().valid_to) - Date.now()) / dayMs);
  if (days < fewDays)
    return {
      check,
      outcome: "warning",
      text: `The certificate ends in ${days} days. Renew it; the host reads the new file by itself.`,
    };
  return { check, outcome: "ok", text: `${socket.getProtocol() ?? "TLS"}, with a certificate for ${days} days` };
}

/** `why` as a sentence, with what to do. */
function withAdvice(why: string, flags: ClientFlags): string {
  const advice =
    tlsAdvice(why, shownToHost(flags)) ??
    "If the host wants a certificate of its clients, use --tls-cert and --tls-key.";
  return `${loggableText(why)}. ${advice}`;
}

/** Waits for an event of a socket. Returns why it did not come; undefined: it came. */
function happens(socket: Socket, event: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const end = (why: string | undefined): void => {
      socket.setTimeout(0);
      if (why !== undefined) socket.destroy();
      resolve(why);
    };
    socket.setTimeout(stepMs, () => end(`no answer within ${stepMs / 1_000} s`));
    // A later error of the socket is one of the session on it.
    socket.on("error", (error) => end(errorText(error)));
    socket.once("close", () => end("the other end has closed the connection"));
    socket.once(event, () => end(undefined));
  });
}

/** The answer to a question about health. `why`: there was none. */
type HealthAnswer =
  | {
      readonly at: "answered";
      readonly headers: IncomingHttpHeaders;
      readonly status: string | undefined;
      readonly body: Buffer;
    }
  | { readonly at: "failed"; readonly why: string };

function headersOf(path: string, token: string | undefined) {
  return {
    ...{ ":method": "POST", ":path": path, ":scheme": "http", ":authority": "host" },
    ...{ "content-type": "application/grpc", te: "trailers" },
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
  };
}

/** An empty message: the health of the host as a whole. */
const emptyFrame = Buffer.alloc(5);

function askHealth(session: ClientHttp2Session, token: string | undefined): Promise<HealthAnswer> {
  return new Promise((resolve) => {
    const failed = (why: string): void => resolve({ at: "failed", why });
    session.once("error", (error) => failed(tlsReason(error)));
    session.once("close", () => failed("the connection was closed"));
    const stream = session.request(headersOf("/grpc.health.v1.Health/Check", token));
    const chunks: Buffer[] = [];
    let headers: IncomingHttpHeaders = {};
    let trailers: IncomingHttpHeaders = {};
    stream.setTimeout(stepMs, () => failed(`no answer within ${stepMs / 1_000} s`));
    stream.on("response", (got) => (headers = got));
    stream.on("trailers", (got) => (trailers = got));
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("error", (error) => failed(tlsReason(error)));
    stream.on("close", () => {
      if (headers[":status"] === undefined) return failed("the connection was closed");
      const status = trailers["grpc-status"] ?? headers["grpc-status"];
      resolve({
        at: "answered",
        headers,
        status: status === undefined ? undefined : String(status),
        body: Buffer.concat(chunks),
      });
    });
    stream.end(emptyFrame);
  });
}

/** Adds what an answer shows. Returns whether a worker may be tried. */
function judgeAnswer(answer: HealthAnswer, flags: ClientFlags, found: Finding[]): boolean {
  if (answer.at === "failed" && shownToHost(flags).hasTls) {
    // With TLS 1.3 a host looks at the certificate of a client after the client's handshake is over.
    const text = `The other end has ended the connection after the handshake: ${withAdvice(answer.why, flags)}`;
    found.push({ check: "TLS", outcome: "failed", text });
    return false;
  }
  if (answer.at === "failed") {
    const text = `The other end does not speak HTTP/2: ${loggableText(answer.why)}. Is it a proxy for HTTP/1 alone, or another program? If it is a host with TLS, use --tls-ca.`;
    found.push({ check: "HTTP/2", outcome: "failed", text });
    return false;
  }
  const { headers } = answer;
  found.push({ check: "HTTP/2", outcome: "ok", text: "it answers" });
  found.push(...betweenFindings(headers));
  if (Number(headers[":status"]) !== 200 || !String(headers["content-type"] ?? "").startsWith("application/grpc")) {
    const text = `Something answers in place of the host, with HTTP status ${headers[":status"]}. If it is a proxy, see its log. It must pass gRPC to the host (docs/guide/proxies.md).`;
    found.push({ check: "gRPC", outcome: "failed", text });
    return false;
  }
  found.push(healthFinding(answer));
  found.push(clockFinding(headers.date));
  return true;
}

/** Names of proxies, as they call themselves in their answers. */
function betweenFindings({ server, via }: IncomingHttpHeaders): readonly Finding[] {
  const name = server ?? via;
  if (name === undefined) return [];
  const text = `${loggableText(String(name))} stands before the host. Its idle timeouts must be twice --heartbeat-ms or more, 30 s: docs/guide/proxies.md. See how long it keeps a quiet stream with --watch-seconds.`;
  return [{ check: "proxy", outcome: "warning", text }];
}

function healthFinding({ status, body }: Extract<HealthAnswer, { at: "answered" }>): Finding {
  const check = "health";
  if (status === unimplemented)
    return { check, outcome: "skipped", text: "The host has no health service: it is AutoGen's, or an old one." };
  if (status !== "0")
    return {
      check,
      outcome: "skipped",
      text: `The host does not tell it: gRPC status ${loggableText(status ?? "none")}.`,
    };
  // HealthCheckResponse: field 1, SERVING is 1.
  if (body.subarray(5).equals(Buffer.from([8, 1]))) return { check, outcome: "ok", text: "the host serves" };
  return { check, outcome: "failed", text: "The host does not serve now. troupe status at that machine says why." };
}

function clockFinding(date: string | undefined): Finding {
  const check = "clock";
  if (date === undefined) return { check, outcome: "skipped", text: "The host does not tell its time." };
  // The header has whole seconds.
  const aheadMs = Date.parse(date) - Date.now();
  const seconds = (Math.abs(aheadMs) / 1_000).toFixed(0);
  if (Math.abs(aheadMs) <= mostClockMs)
    return { check, outcome: "ok", text: `the host and this machine differ by ${seconds} s or less` };
  return {
    check,
    outcome: "warning",
    text: `The host and this machine differ by ${seconds} s. Tokens and certificates may seem expired: set both clocks by NTP.`,
  };
}

async function checkWorker(flags: ClientFlags, environment: Environment): Promise<Finding> {
  try {
    const client = await openClient(flags);
    await client.stop();
    return { check: "worker", outcome: "ok", text: "a worker can connect" };
  } catch (error) {
    const isRefused = error instanceof ClientError && error.exitCode === exitCodes.refused;
    if (!isRefused) return { check: "worker", outcome: "failed", text: loggableText(errorText(error)) };
    const text =
      tokenOf(flags, environment) === undefined
        ? "The host wants to know who calls: use --token-file, or --tls-cert and --tls-key."
        : 'The host refuses the token: it may have been replaced, be over, or be for another host. Get a new one. The line "a call is refused" of the host\'s log has the reason.';
    return { check: "token", outcome: "failed", text };
  }
}

/** Opens a channel as a worker does, and asks as whom the host knows it. */
async function checkPrincipal(
  session: ClientHttp2Session,
  flags: ClientFlags,
  token: string | undefined,
): Promise<Finding> {
  const asked = { ...announcementOf([]), ...whoQuestion, [clientIdKey]: randomUUID() };
  const stream = session.request({ ...headersOf(`/${serviceName}/${method.openChannel}`, token), ...asked });
  const closed = new Promise<void>((resolve) => stream.once("close", resolve));
  stream.on("error", () => undefined);
  stream.setTimeout(stepMs, () => stream.close(constants.NGHTTP2_CANCEL));
  const answered = new Promise<IncomingHttpHeaders>((resolve) => stream.once("response", resolve));
  const headers = (await Promise.race([answered, closed])) ?? undefined;
  // A channel that ends in order is that of a worker that leaves. The host would log one that is reset as lost.
  stream.resume();
  stream.end();
  await closed;
  const address = parseAddress(flags.address);
  const isTls = clientTlsOf(flags) !== undefined;
  return principalFinding(headers, {
    ...{ hasToken: token !== undefined, isLocal: isLocalAddress(address) },
    hasCertificate: isTls && flags.tlsCert !== undefined,
  });
}

/** Keeps a stream open in which nothing is sent, and says who ends it. */
function watchQuiet(session: ClientHttp2Session, token: string | undefined, watchMs: number): Promise<Finding> {
  const check = "quiet stream";
  const beganMs = performance.now();
  return new Promise((resolve) => {
    const timer = setTimeout(
      () => resolve({ check, outcome: "ok", text: `it stays open for ${watchMs / 1_000} s` }),
      watchMs,
    );
    const ended = (why: string): void => {
      clearTimeout(timer);
      const seconds = ((performance.now() - beganMs) / 1_000).toFixed(0);
      const text = `It was ended after ${seconds} s: ${loggableText(why)}. Something in between bounds quiet streams, or the age of streams: raise that time (docs/guide/proxies.md).`;
      resolve({ check, outcome: "warning", text });
    };
    session.once("goaway", () => ended("the connection is to be left (GOAWAY)"));
    session.once("close", () => ended("the connection was closed"));
    const stream = session.request(headersOf("/grpc.health.v1.Health/Watch", token));
    stream.on("error", (error) => ended(errorText(error)));
    stream.on("close", () =>
      ended(
        `the stream was closed (${stream.rstCode === constants.NGHTTP2_NO_ERROR ? "in order" : `code ${stream.rstCode}`})`,
      ),
    );
    stream.resume();
    stream.end(emptyFrame);
  });
}
