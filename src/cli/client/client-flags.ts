import { readFileSync } from "node:fs";
import process from "node:process";
import { type Command, Option } from "commander";
import { errorText, loggableText, TroupeError } from "../../core/internal.ts";
import { type GrpcDialerOptions, isLocalAddress, parseAddress } from "../../transport/internal.ts";
import { readPem } from "../commands/tls-files.ts";
import { addConfigFlags } from "../settings/config-flags.ts";
import type { ShownToHost } from "./tls-advice.ts";

/** Flags of a command that connects to a host as workers do. */
export interface ClientFlags {
  readonly address: string;
  readonly tls: boolean;
  readonly tlsCa?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsServerName?: string;
  readonly tokenFile?: string;
  readonly insecure: boolean;
}

/** The environment variable with a token for a host. */
export const clientTokenVariable = "TROUPE_CLIENT_TOKEN";

export const usualAddress = "127.0.0.1:50051";

/** Adds the flags by which a command reaches a host as workers do. */
export function addClientFlags(command: Command): Command {
  command
    .optionsGroup("The host:")
    .addOption(new Option("--address <host:port>", "the address that workers dial").default(usualAddress))
    .option("--tls", "use TLS with the authorities of this system", false)
    .option("--tls-ca <file>", "use TLS with this authority (PEM) for the host's certificate")
    .option("--tls-cert <file>", "certificate (PEM) to show to the host; needs --tls-key")
    .option("--tls-key <file>", "its private key (PEM)")
    .option("--tls-server-name <name>", "the name in the host's certificate, if it is not the one of --address")
    .option(
      "--token-file <file>",
      `file with the token to show to the host; or the token itself in ${clientTokenVariable}`,
    )
    .option("--insecure", "show a token to another machine without TLS", false);
  return addConfigFlags(command);
}

/** Makes the options of a connection. Throws `invalid-argument` for flags that do not go together, and for files that can't be used. */
export function dialerOptionsOf(
  flags: ClientFlags,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): GrpcDialerOptions {
  const address = parseAddress(flags.address);
  const token = tokenOf(flags, environment);
  const tls = clientTlsOf(flags);
  const isSecure = tls !== undefined || (address.kind === "tcp" && address.secure);
  if (token !== undefined && !isSecure && !isLocalAddress(address) && !flags.insecure) {
    const text = `${loggableText(flags.address)} is another machine, and a token without TLS is seen on the way.`;
    throw new TroupeError("invalid-argument", `${text} Use --tls or --tls-ca, or --insecure.`);
  }
  return {
    ...(tls !== undefined && { tls }),
    ...(token !== undefined && { metadata: { authorization: `Bearer ${token}` } }),
  };
}

/** Says by what the flags have the connection protected, for advice about it. */
export function shownToHost(flags: ClientFlags): ShownToHost {
  const address = parseAddress(flags.address);
  const isSecure = address.kind === "tcp" && address.secure;
  return { hasTls: isSecure || clientTlsOf(flags) !== undefined, hasCertificate: flags.tlsCert !== undefined };
}

/** The token that the flags or the environment have. Undefined: none. */
export function tokenOf(
  { tokenFile }: Pick<ClientFlags, "tokenFile">,
  environment: Readonly<Record<string, string | undefined>>,
): string | undefined {
  const text = environment[clientTokenVariable]?.trim();
  if (tokenFile === undefined) return text === "" ? undefined : text;
  let read: string;
  try {
    read = readFileSync(tokenFile, "utf8").trim();
  } catch (cause) {
    const why = `--token-file ${loggableText(tokenFile)} can't be read: ${loggableText(errorText(cause))}`;
    throw new TroupeError("invalid-argument", why, { cause });
  }
  if (/^[\x21-\x7e]+$/.test(read)) return read;
  throw new TroupeError(
    "invalid-argument",
    `--token-file ${loggableText(tokenFile)} must have one token and nothing else.`,
  );
}

/** Options of node:tls that the flags stand for. Undefined: plaintext, unless the address says otherwise. */
export function clientTlsOf({ tls, tlsCa, tlsCert, tlsKey, tlsServerName }: ClientFlags) {
  if (!tls && [tlsCa, tlsCert, tlsKey, tlsServerName].every((flag) => flag === undefined)) return undefined;
  if ((tlsCert === undefined) !== (tlsKey === undefined))
    throw new TroupeError("invalid-argument", "A certificate for the host needs both --tls-cert and --tls-key.");
  const read = (flag: string, file: string) => readPem(flag, file, "in a file that can be used", String).pem.toString();
  return {
    ...(tlsCa !== undefined && { ca: read("--tls-ca", tlsCa) }),
    ...(tlsCert !== undefined && { cert: read("--tls-cert", tlsCert) }),
    ...(tlsKey !== undefined && { key: read("--tls-key", tlsKey) }),
    ...(tlsServerName !== undefined && { servername: tlsServerName }),
  };
}
