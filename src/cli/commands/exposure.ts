import type { TlsFlags } from "./tls-files.ts";

/** IPv4 loopback, also mapped into IPv6, IPv6 loopback, the name for both, and a socket file. */
const loopback = /^(127\.\d+\.\d+\.\d+|\[?::1\]?|\[?::ffff:127\.\d+\.\d+\.\d+\]?|localhost)(:\d+)?$|^unix:/;

/** Returns a warning for a host that other machines can reach; undefined if there is nothing to warn of. */
export function exposureWarning(address: string, { tlsCert, tlsClientCa }: TlsFlags): string | undefined {
  if (loopback.test(address) || tlsClientCa !== undefined) return undefined;
  const anybody = "anybody who can reach it may join, take over agent types and read messages";
  return tlsCert === undefined
    ? `the host listens beyond this machine without TLS and without authorization: ${anybody}; use --tls-cert, --tls-key and --tls-client-ca, or listen on 127.0.0.1`
    : `the host listens beyond this machine without authorization: ${anybody}; use --tls-client-ca, or listen on 127.0.0.1`;
}
