import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import {
  type AdminFile,
  adminFilesIn,
  mayLive,
  readAdminFile,
  removeAdminFile,
  writeAdminFile,
} from "../../../src/cli/admin/admin-file.ts";

const content: AdminFile = {
  ...{
    url: "http://127.0.0.1:1",
    token: "t",
    pid: process.pid,
    name: "n",
    address: "127.0.0.1:50051",
    state: "memory:",
  },
};

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "troupe-file-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

test("an admin file is for its user alone, replaces another one whole, and leaves no draft behind", () => {
  const folder = join(newFolder(), "inner");
  const file = join(folder, "admin.json");
  writeAdminFile(file, content);
  writeAdminFile(file, { ...content, token: "u" });
  expect(readAdminFile(file)).toEqual({ ...content, token: "u" });
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(statSync(folder).mode & 0o777).toBe(0o700);
  expect(readdirSync(folder)).toEqual(["admin.json"]);
});

test("a file that can't be written is named, with what to do", () => {
  const folder = newFolder();
  mkdirSync(join(folder, "admin.json"));
  writeFileSync(join(folder, "admin.json", "x"), "");
  expect(() => writeAdminFile(join(folder, "admin.json"), content)).toThrow(
    /admin\.json can't be written.*--admin-file/,
  );
  expect(readdirSync(folder)).toEqual(["admin.json"]);
});

test("a draft of another host that has the same pid stays, as in two containers that share a folder", () => {
  const folder = newFolder();
  const other = join(folder, `.admin.json.${process.pid}`);
  writeFileSync(other, "of another host");
  writeAdminFile(join(folder, "admin.json"), content);
  expect(readFileSync(other, "utf8")).toBe("of another host");
});

test("a host removes its own file alone", () => {
  const file = join(newFolder(), "admin.json");
  writeAdminFile(file, content);
  removeAdminFile(file, "another");
  expect(readAdminFile(file)).toEqual(content);
  removeAdminFile(file, "t");
  expect(readAdminFile(file)).toBeUndefined();
  removeAdminFile(file, "t");
});

test("what is no admin file is passed over", () => {
  const folder = newFolder();
  const file = join(folder, "admin.json");
  for (const text of [
    "",
    "{",
    "[]",
    "null",
    '{"url":1}',
    JSON.stringify({ ...content, pid: -1 }),
    JSON.stringify({ ...content, name: "n".repeat(70_000) }),
  ]) {
    writeFileSync(file, text);
    expect(readAdminFile(file)).toBeUndefined();
  }
  expect(readFileSync(file, "utf8")).not.toBe("");
});

test("of many admin files in a folder 100 are looked at, admin.json first", () => {
  const folder = newFolder();
  for (let pid = 1; pid <= 150; pid += 1) writeFileSync(join(folder, `admin-${pid}.json`), "{}");
  writeFileSync(join(folder, "admin.json"), "{}");
  const files = adminFilesIn(folder);
  expect([files.length, files[0]]).toEqual([100, join(folder, "admin.json")]);
});

test("the files of a folder are those of these names, admin.json first", () => {
  const folder = newFolder();
  for (const name of ["admin-7.json", "state.db", "admin.json", "admin-.json", "badmin.json", "admin.json.bak"]) {
    writeFileSync(join(folder, name), "");
  }
  expect(adminFilesIn(folder)).toEqual([join(folder, "admin.json"), join(folder, "admin-7.json")]);
  expect(adminFilesIn(join(folder, "missing"))).toEqual([]);
});

test("a host whose process has ended does not live", () => {
  expect(mayLive(content)).toBe(true);
  expect(mayLive({ ...content, pid: 2 ** 30 })).toBe(false);
});
