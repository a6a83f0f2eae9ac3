import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { AdminEntry, type AdminHost } from "../../admin/internal.ts";
import type { CoordinationReport } from "../../cluster/internal.ts";
import { type Logger, loggableError, TroupeError } from "../../core/internal.ts";
import type { HostOperations } from "../../host/internal.ts";
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
  /** Asks the servers of the cluster's store. Undefined: the host is alone. */
  readonly inspectStore?: (() => Promise<CoordinationReport>) | undefined;
}

/** An admin entry, and its file once it is announced. */
export interface OpenedAdmin {
  readonly url: string;
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
  const isAsked = flags.admin !== undefined || flags.adminFile !== undefined;
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

async function open(flags: AdminFlags, parts: OpenAdminParts, folder: string): Promise<OpenedAdmin> {
  const { host, version, logger, inspectStore } = parts;
  const { pid } = process;
  const state = formatLocation(parts.location);
  const token = randomBytes(32).toString("base64url");
  const facts = { name: flags.name, version, pid, address: "", state };
  // It may be known later.
  Object.defineProperty(facts, "address", { enumerable: true, get: () => parts.address });
  const prometheus = new PrometheusText((metrics) => host.measure(metrics));
  const listenOn = parseAdminAddress(flags.admin === false ? undefined : flags.admin);
  const entry = await AdminEntry.open({
    host,
    facts,
    address: listenOn,
    token,
    logger,
    inspectStore,
    metricsText: () => prometheus.text(),
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
    url: entry.url,
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

/** Reads `--admin`. Throws for a text that is not such an address. */
export function parseAdminAddress(text = "127.0.0.1:0"): { readonly host: string; readonly port: number } {
  const address = parseAddress(text);
  if (address.kind === "tcp" && !address.secure) return address;
  throw new TroupeError("invalid-argument", "The admin entry has plain HTTP on a port. Write --admin 127.0.0.1:PORT.");
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
