import pg from "pg";
import { expect, test } from "vitest";
import { loadPg, type PostgresPool } from "../../../../src/storage/postgres/driver.ts";

test("without the package pg the error says what to install", async () => {
  const importPg = () => Promise.reject(new Error("Cannot find package 'pg'"));
  await expect(loadPg(importPg)).rejects.toMatchObject({
    code: "state-unavailable",
    message: "PostgreSQL needs the package pg: npm install pg@8 (Cannot find package 'pg')",
  });
});

test("a pool of pg is a pool of a store, for the compiler too", () => {
  const pool: PostgresPool = new pg.Pool();
  expect(pool.connect).toBeTypeOf("function");
});
