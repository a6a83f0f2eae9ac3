import { BlockList, isIPv4 } from "node:net";
import { assertObject } from "../../../core/internal.ts";
import { parseAddress } from "../../address.ts";
import type { DialedConnection } from "./connection-setup.ts";

/** Environment variables of a process. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Chooses a proxy as gRPC's own libraries do, for the option `proxy`. The first that is set of `grpc_proxy`, `https_proxy` and
 * `http_proxy` names the proxy. Hosts in `no_grpc_proxy`, or else `no_proxy`, need none: a list of names, ends of names, IPv4
 * addresses and IPv4 networks (`10.0.0.0/8`). Troupe itself never reads the environment.
 *
 * @example
 * ```ts
 * const worker = new GrpcWorkerAgentRuntime("agents.example.com:443", {
 *   channelOptions: { tls: {}, proxy: environmentProxy(process.env) },
 * });
 * ```
 */
export function environmentProxy(environment: Environment): (connection: DialedConnection) => string | undefined {
  assertObject(environment, "The environment of environmentProxy");
  return ({ address }) => {
    const proxy = environment.grpc_proxy || environment.https_proxy || environment.http_proxy;
    if (proxy === undefined || proxy === "") return undefined;
    const target = parseAddress(address);
    if (target.kind === "unix") return undefined;
    const exceptions = environment.no_grpc_proxy || environment.no_proxy || "";
    return exceptions.split(",").some((one) => isException(one.trim(), target.host)) ? undefined : proxy;
  };
}

function isException(exception: string, host: string): boolean {
  if (exception === "") return false;
  if (exception === "*") return true;
  const [network = "", bits] = exception.split("/");
  if (bits === undefined) return host.endsWith(exception);
  if (!isIPv4(network) || !isIPv4(host) || !/^\d\d?$/.test(bits) || Number(bits) > 32) return false;
  const list = new BlockList();
  list.addSubnet(network, Number(bits), "ipv4");
  return list.check(host, "ipv4");
}
