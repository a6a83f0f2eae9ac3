import { expect, test } from "vitest";
import { RequestQuery } from "../../../src/http/internal.ts";

test("a query gives its parameters as they were meant: percent-encoded, empty, and several of one name", () => {
  const query = new RequestQuery("/v1/agent?type=a%2Fb&key=&letter=1&letter=2&name=x+y");
  expect(query.path).toBe("/v1/agent");
  expect(query.required("type")).toBe("a/b");
  expect(query.required("key")).toBe("");
  expect(query.text("name")).toBe("x y");
  expect(query.text("other")).toBeUndefined();
  expect(query.all("letter")).toEqual(["1", "2"]);
  expect(() => query.text("letter")).toThrow(/more than once/);
  expect(() => query.required("other")).toThrow(/other is missing/);
});

test("a path is compared as it is written: nothing in it is resolved or decoded", () => {
  for (const path of ["/v1/../v1/host", "/v1/%2e%2e/host", "//v1/host", "/v1/host/", "/V1/host"]) {
    expect(new RequestQuery(path).path).toBe(path);
  }
  expect(() => new RequestQuery("*")).toThrow(/not a path/);
  expect(() => new RequestQuery("http://other/v1/host")).toThrow(/not a path/);
});

test("a number out of its limits, a parameter that a path lacks, too many of them and a broken text are refused", () => {
  expect(() => new RequestQuery("/?limit=0").whole("limit", { from: 1, to: 5 })).toThrow(/from 1 to 5/);
  expect(() => new RequestQuery("/?limit=1e1").whole("limit", { from: 1, to: 50 })).toThrow(/from 1 to 50/);
  expect(new RequestQuery("/?limit=5").whole("limit", { from: 1, to: 5 })).toBe(5);
  expect(() => new RequestQuery("/?limt=5").assertOnly(["limit", "after"])).toThrow(
    /no parameter limt here.*limit, after/,
  );
  expect(() => new RequestQuery(`/?${"a=1&".repeat(200)}`)).toThrow(/more than 128/);
  expect(() => new RequestQuery("/?type=%ff")).toThrow(/percent-encoded/);
});
