import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MeasuredPostgres, postgresAbsence } from "../../peers/postgres-server.ts";

/** Where a host of a benchmark keeps states. */
export type Keeping = "memory" | "sqlite-normal" | "sqlite-full" | "postgres";

/** The store of one host: the flags of `troupe host` for it, and what to remove when the host has ended. */
export interface KeptStore {
  readonly flags: readonly string[];
  remove(): Promise<void>;
}

/** Returns the reason why a store cannot take part; undefined if it can. */
export function absenceOf(keeping: Keeping): string | undefined {
  return keeping === "postgres" ? postgresAbsence() : undefined;
}

/** Makes a store in the folder for temporary files, whose disk counts; or a PostgreSQL server. */
export async function makeStore(keeping: Keeping): Promise<KeptStore> {
  switch (keeping) {
    case "memory":
      return { flags: [], remove: async () => undefined };
    case "postgres": {
      const server = await MeasuredPostgres.start();
      return { flags: ["--state", server.url], remove: () => server.stop() };
    }
    case "sqlite-normal":
    case "sqlite-full": {
      const folder = mkdtempSync(join(tmpdir(), "troupe-bench-state-"));
      const synchronous = keeping === "sqlite-full" ? "full" : "normal";
      return {
        flags: ["--state", `sqlite:${join(folder, "state.db")}`, "--synchronous", synchronous],
        remove: async () => rmSync(folder, { recursive: true, force: true }),
      };
    }
  }
}
