import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { AdminEntry, type AdminHost, type Configuration, type OpenAddress } from "../../admin/internal.ts";
import type { CoordinationReport } from "../../cluster/internal.ts";
import { type Logger, loggableError, TroupeError } from "../../core/internal.ts";
import type { HostOperations } from "../../host/internal.ts";
import { type HttpTls, isLoopbackName } from "../../http/internal.ts";
import type { AccessRules, Authenticator } from "../../security/internal.ts";
import { parseAddress } from "../../transport/internal.ts";
import { formatLocation, type StateLocation } from "../state/state-location.ts";
import { type AdminFile, dataFolder, readAdminFile, removeAdminFile, writeAdminFile } from "./admin-file.ts";
import { living } from "./find-host.ts";
import { PrometheusText } from "./prometheus-text.ts";

/** Flags of `troupe host` about its admin entry. */
export interface AdminFlags {
  /** False: `--no-admin`. Undefined: on loopback, at a free port. */
  readonly admin?: string | false;
  readonly adminFile?: string;
  /** True: the entry serves the page for operators. */
  readonly ui?: boolean;
  readonly name: string;
  /** Undefined: the host is alone. */
  readonly cluster?: string;
}

export interface OpenAdminParts {
  readonly host: AdminHost & Pick<HostOperations, "measure">;
  /** The address that workers dial. It is known when the host serves. */
  readonly address: string;
  readonly version: string;
  /** Where the states are kept. */
  readonly location: StateLocation;
  readonly logger: Logger;
  /** The protection of an entry that other machines reach. */
  readonly tls?: HttpTls | undefined;
  readonly authenticator?: Authenticator | undefined;
  readonly rules?: AccessRules | undefined;
  /** The settings of the host, without what is secret. */
  readonly settings?: Configuration | undefined;
  /** Asks the servers of the cluster's store. Undefined: the host is alone. */
  readonly inspectStore?: (() => Promise<CoordinationReport>) | undefined;
}

/** An admin entry, and its file once it is announced. */
export interface OpenedAdmin {
  /** The address that the flag names, or the one on this machine. */
  readonly url: string;
  /** New connections of other machines get another certificate. */
  reloadTls(tls: HttpTls): void;
  /** Writes the file by which other commands find the host, if the host did not serve when the entry was opened. */
  announce(): Promise<void>;
  /** Removes the file and ends the entry. */
  close(): Promise<void>;
}

/**
 * Opens the admin entry of `troupe host`. Without the flag `--admin` a failure is a line of the log, and the host
 * continues without it. Undefined: there is no entry.
 */
export async function openAdmin(flags: AdminFlags, parts: OpenAdminParts): Promise<OpenedAdmin | undefined> {
  const { logger, location } = parts;
  if (flags.admin === false) return undefined;
  const folder = location.kind === "sqlite" ? dirname(location.file) : dataFolder;
  const isAsked = flags.admin !== undefined || flags.adminFile !== undefined || flags.ui === true;
  // A host of a cluster keeps no states beside itself, so that its folder need not be there.
  if (!isAsked && flags.cluster === undefined && !existsSync(folder)) {
    logger.debug("there is no admin entry: its file has no folder; --admin makes one", { folder });
    return undefined;
  }
  try {
    const opened = await open(flags, parts, folder);
    if (parts.host.health !== "starting") await opened.announce();
    return opened;
  } catch (error) {
    if (isAsked) throw error;
    logger.warn("there is no admin entry, so that other commands can't ask this host", { error: loggableError(error) });
    return undefined;
  }
}

/** The built page. It is in `dist`, also when the host runs from its sources. */
const pageFolder = new URL("../../../dist/ui/", import.meta.url);

async function open(flags: AdminFlags, parts: OpenAdminParts, folder: string): Promise<OpenedAdmin> {
  const { host, version, logger, inspectStore } = parts;
  const { pid } = process;
  const state = formatLocation(parts.location);
  const token = randomBytes(32).toString("base64url");
  const startedAt = new Date(Date.now() - 1_000 * process.uptime()).toISOString();
  const facts = { name: flags.name, version, pid, address: "", state, startedAt };
  // It may be known later.
  Object.defineProperty(facts, "address", { enumerable: true, get: () => parts.address });
  const prometheus = new PrometheusText((metrics) => host.measure(metrics));
  const named = parseAdminAddress(flags.admin === false ? undefined : flags.admin);
  const isLocal = isLoopbackName(named.host);
  const entry = await AdminEntry.open({
    host,
    facts,
    address: isLocal ? named : { host: "127.0.0.1", port: 0 },
    open: isLocal ? undefined : openAddressOf(named, parts),
    configuration: parts.settings,
    token,
    logger,
    inspectStore,
    metricsText: () => prometheus.text(),
    pageFolder: flags.ui === true ? pageFolder : undefined,
  });
  let remove: (() => void) | undefined;
  const close = async (): Promise<void> => {
    remove?.();
    prometheus.close();
    await entry.close(0);
  };
  const announce = async (): Promise<void> => {
    if (remove !== undefined) return;
    const file = flags.adminFile ?? (await freeFile(folder, flags));
    writeAdminFile(file, { url: entry.url, token, pid, name: flags.name, address: parts.address, state });
    const removeFile = (): void => removeAdminFile(file, token);
    // A second process signal ends the process without a further word.
    process.once("exit", removeFile);
    remove = () => {
      process.off("exit", removeFile);
      removeFile();
    };
  };
  return {
    url: entry.openUrl ?? entry.url,
    reloadTls: (tls) => entry.reloadTls(tls),
    announce: async () => {
      try {
        await announce();
      } catch (error) {
        await close();
        throw error;
      }
    },
    close,
  };
}

/** Returns an address that other machines reach, with what protects it. Throws if something is missing. */
function openAddressOf(
  { host, port }: { readonly host: string; readonly port: number },
  { tls, authenticator, rules }: OpenAdminParts,
): OpenAddress {
  if (tls !== undefined && authenticator !== undefined && rules !== undefined)
    return { host, port, tls, authenticator, rules };
  const lacks = [
    ...(tls === undefined ? ["TLS (--tls-cert and --tls-key)"] : []),
    ...(authenticator === undefined ? ["authentication (--tokens, --jwt-issuer or --tls-client-ca)"] : []),
    ...(rules === undefined ? ["rules that say who may see and administer (--rules)"] : []),
  ];
  const text = `Other machines can reach the admin entry at ${host}, and the host lacks ${lacks.join(", and ")}. Write --admin 127.0.0.1:PORT to listen on this machine alone.`;
  throw new TroupeError("invalid-argument", text);
}

/** Throws for flags about the admin entry that do not go together, and for an address that can't be one. */
export function assertAdminFlags({ admin, ui }: Pick<AdminFlags, "admin" | "ui">): void {
  if (typeof admin === "string") parseAdminAddress(admin);
  if (admin !== false || ui !== true) return;
  const text =
    "The page for operators is served by the admin entry, which --no-admin turns off. Leave out --ui or --no-admin.";
  throw new TroupeError("invalid-argument", text);
}

/** Reads `--admin`. Throws for a text that is not such an address. */
export function parseAdminAddress(text = "127.0.0.1:0"): { readonly host: string; readonly port: number } {
  const address = parseAddress(text);
  if (address.kind === "tcp" && !address.secure) return address;
  throw new TroupeError("invalid-argument", "The admin entry is at HOST:PORT. Write --admin 127.0.0.1:PORT.");
}

/**
 * `admin.json`, and of a host in a cluster `admin-NAME.json`, since several of them may run in one folder. Another host that lives keeps its
 * file; this one then adds its process id.
 */
async function freeFile(folder: string, { name, cluster }: AdminFlags): Promise<string> {
  const stem = cluster === undefined ? "admin" : `admin-${fileName(name)}`;
  const file = join(folder, `${stem}.json`);
  const known: AdminFile | undefined = readAdminFile(file);
  if (known === undefined || known.pid === process.pid || (await living(known)) === undefined) return file;
  return join(folder, `${stem}-${process.pid}.json`);
}

/** Characters of a host's name that stand in a file name. */
const mostNameChars = 64;

function fileName(name: string): string {
  return name.replace(/[^A-Za-z0-9._-]/g, "_").slice(0, mostNameChars);
}
