import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import type { HostRecord } from "../../cluster/internal.ts";
import { errorText, loggableText } from "../../core/internal.ts";
import { parseAddress } from "../../transport/internal.ts";
import type { Finding } from "./findings.ts";

/** The certificates by which hosts know each other, as PEM. */
export interface PeerTls {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** Milliseconds that an address has to take a connection. */
const connectMs = 3_000;
const dayMs = 86_400_000;
/** A certificate that ends sooner is warned of. */
const fewDays = 14;
/** Addresses that are tried at once. */
const atOnce = 16;

/** Tries to reach each host at its address for others and at the one for workers, from this machine. */
export async function checkHosts(hosts: readonly HostRecord[], tls: PeerTls | undefined): Promise<readonly Finding[]> {
  const tries = hosts.flatMap(({ label, hostId, peerAddress, workerAddress }) => {
    const name = loggableText(label === "" ? hostId : label);
    return [
      () => checkPeer(`host ${name} for other hosts`, peerAddress, tls),
      ...(workerAddress === ""
        ? []
        : [() => checkReach(`host ${name} for workers`, workerAddress, "--advertise-workers")]),
    ];
  });
  const found: Finding[] = [];
  for (let at = 0; at < tries.length; at += atOnce)
    found.push(...(await Promise.all(tries.slice(at, at + atOnce).map((one) => one()))));
  return found;
}

async function checkReach(check: string, address: string, flag: string): Promise<Finding> {
  const where = tcpOf(address);
  if (where === undefined) return noAddress(check, address, flag);
  const outcome = await opened(connectTcp(where), "connect");
  if (outcome === undefined) return { check, outcome: "ok", text: `${loggableText(address)} takes connections` };
  return { check, outcome: "failed", text: unreachable(address, outcome, flag) };
}

async function checkPeer(check: string, address: string, tls: PeerTls | undefined): Promise<Finding> {
  const where = tcpOf(address);
  if (where === undefined) return noAddress(check, address, "--advertise-peer");
  if (tls === undefined) return checkReach(check, address, "--advertise-peer");
  const socket = connectTls({
    ...where,
    ...tls,
    ALPNProtocols: ["h2"],
    servername: isName(where.host) ? where.host : "",
  });
  let validTo = "";
  const outcome = await opened(socket, "secureConnect", () => {
    validTo = socket.getPeerCertificate().valid_to;
  });
  if (outcome !== undefined)
    return { check, outcome: "failed", text: unreachable(address, outcome, "--advertise-peer") };
  const days = Math.floor((Date.parse(validTo) - Date.now()) / dayMs);
  if (days < fewDays)
    return {
      check,
      outcome: "warning",
      text: `Its certificate ends in ${days} days. Renew it, and start the host again.`,
    };
  return { check, outcome: "ok", text: `${loggableText(address)} has a certificate for ${days} days` };
}

/** Waits for an event of a socket, and closes it. Returns why the event did not come; undefined: it came. */
function opened(
  socket: Socket | TLSSocket,
  event: string,
  onOpen: () => void = () => undefined,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    const end = (outcome: string | undefined): void => {
      socket.destroy();
      resolve(outcome);
    };
    socket.setTimeout(connectMs, () => end(`no answer within ${connectMs / 1_000} s`));
    socket.once("error", (error) => end(errorText(error)));
    socket.once("close", () => end("the other end has closed the connection"));
    socket.once(event, () => {
      onOpen();
      end(undefined);
    });
  });
}

function unreachable(address: string, why: string, flag: string): string {
  return `${loggableText(address)} can't be reached from here: ${loggableText(why)}. Open the port to the other hosts, or name the right address at that host with ${flag}.`;
}

function noAddress(check: string, address: string, flag: string): Finding {
  return {
    check,
    outcome: "failed",
    text: `${loggableText(address)} is not host:port. Name it at that host with ${flag}.`,
  };
}

function tcpOf(text: string): { readonly host: string; readonly port: number } | undefined {
  try {
    const address = parseAddress(text);
    return address.kind === "tcp" ? { host: address.host, port: address.port } : undefined;
  } catch {
    return undefined;
  }
}

function isName(host: string): boolean {
  return !host.includes(":") && !/^[\d.]+$/.test(host);
}
