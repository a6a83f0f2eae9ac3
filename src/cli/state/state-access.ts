import { dirname } from "node:path";
import {
  deleteState,
  formatCursor,
  isAgentName,
  type ListedRow,
  listStates,
  type NewState,
  parseCursor,
  putState,
  type ShownState,
  showState,
} from "../../admin/internal.ts";
import { type AgentName, type StateStore, StoreError, TroupeError } from "../../core/internal.ts";
import type { AdminClient } from "../admin/admin-client.ts";
import { dataFolder } from "../admin/admin-file.ts";
import { findHolder, findHost, type HostChoice, isChosen } from "../admin/find-host.ts";
import { type Listed, readList } from "../printing.ts";
import { assertStoreThere, formatLocation, openState, type StateLocation, withAdvice } from "./state-location.ts";

export interface ListQuery {
  readonly type: string | undefined;
  readonly prefix: string | undefined;
  readonly limit: number;
  /** The `next` of an earlier list. */
  readonly after: string | undefined;
}

/** States of agents, in a store that this process opens or at the host that holds it. */
export interface StateAccess extends AsyncDisposable {
  list(query: ListQuery): Promise<Listed<ListedRow>>;
  show(agent: AgentName): Promise<ShownState>;
  put(agent: AgentName, state: NewState): Promise<string>;
  delete(agent: AgentName): Promise<void>;
}

/** Reads the store itself, which works beside a host. It asks a host that the flags pick, and the holder of a store in memory. */
export async function openForReading(location: StateLocation, choice: HostChoice): Promise<StateAccess> {
  if (isChosen(choice) || location.kind === "memory") return new HostStates(await findHost(choice));
  return new StoreStates(await openState(location, { creates: false, thread: false, readOnly: true }));
}

/** Opens a store that no host holds. Else it asks the host that holds it. */
export async function openForWriting(location: StateLocation, choice: HostChoice): Promise<StateAccess> {
  if (isChosen(choice) || location.kind === "memory") return new HostStates(await findHost(choice));
  const store = await openState(location, { creates: false, thread: false });
  try {
    await store.open();
    return new StoreStates(store);
  } catch (error) {
    await store.close();
    if (!(error instanceof StoreError) || error.storeCode !== "in-use") throw withAdvice(error, { inUse: "" });
    const folder = location.kind === "sqlite" ? dirname(location.file) : dataFolder;
    const holder = await findHolder(formatLocation(location), folder);
    if (holder !== undefined) return new HostStates(holder);
    throw withAdvice(error, {
      inUse: "No host answers for it here: name the host with --admin-file, or use a store that no host holds.",
    });
  }
}

/** Rows that a store is asked for at once. */
const pageRows = 10_000;

/** The place of `--after`, written as a host writes it. */
function placeOf(after: string): AgentName {
  const place = parseCursor(after, isAgentName);
  if (place !== undefined) return place;
  throw new TroupeError("invalid-argument", "--after takes the place that an earlier troupe state list named.");
}

class StoreStates implements StateAccess {
  readonly #store: StateStore;

  constructor(store: StateStore) {
    this.#store = store;
  }

  async list({ type, prefix, limit, after }: ListQuery): Promise<Listed<ListedRow>> {
    const rows: ListedRow[] = [];
    let place = after === undefined ? undefined : placeOf(after);
    do {
      const query = { type, prefix, after: place, limit: Math.min(limit - rows.length, pageRows) };
      const page = await listStates(this.#store, query);
      rows.push(...page.rows);
      place = page.next;
    } while (place !== undefined && rows.length < limit);
    return { rows, next: place === undefined ? null : formatCursor(place) };
  }

  show(agent: AgentName): Promise<ShownState> {
    return showState(this.#store, agent);
  }

  put(agent: AgentName, state: NewState): Promise<string> {
    return putState(this.#store, agent, state);
  }

  delete(agent: AgentName): Promise<void> {
    return deleteState(this.#store, agent);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#store.close();
  }
}

class HostStates implements StateAccess {
  readonly #client: AdminClient;

  constructor(client: AdminClient) {
    this.#client = client;
  }

  list({ type, prefix, limit, after }: ListQuery): Promise<Listed<ListedRow>> {
    return readList(this.#client, "/v1/states", { type, prefix }, { limit, ...(after !== undefined && { after }) });
  }

  show(agent: AgentName): Promise<ShownState> {
    return this.#client.ask("GET", "/v1/state", { ...agent });
  }

  async put(agent: AgentName, { data, contentType, schemaVersion }: NewState): Promise<string> {
    const parameters = { ...agent, contentType, schemaVersion };
    const { eTag } = await this.#client.ask<{ readonly eTag: string }>("PUT", "/v1/state", parameters, { body: data });
    return eTag;
  }

  async delete(agent: AgentName): Promise<void> {
    await this.#client.ask("DELETE", "/v1/state", { ...agent });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Each question has a connection of its own.
  }
}

/** The file of a SQLite store. Throws `invalid-argument` for another store, `state-unavailable` if there is none. */
export function fileOf(location: StateLocation, advice: string): string {
  if (location.kind === "sqlite") {
    assertStoreThere(location.file);
    return location.file;
  }
  throw new TroupeError("invalid-argument", `This command is for SQLite stores. ${advice}`);
}
